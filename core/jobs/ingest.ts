import { access } from "node:fs/promises";
import { join, resolve } from "node:path";
import { countImages, imagesByContentHash, imagesOfSource, type ImageFile } from "../library/images.ts";
import { markFound, markMissing, relinkImages, upsertImages, type NewImage } from "../library/image-changes.ts";
import { ensureSource, listSources } from "../library/sources.ts";
import { putThumbnails } from "../library/thumbnails.ts";
import type { Image, Source } from "../rpc/records.ts";
import type { IngestSummary } from "../rpc/api.ts";
import type { PictureOutcome, PreparedPicture } from "../engine/protocol.ts";
import { batchSize, pipeBatches, slices } from "./pipeline.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";
import { scanFolder, type ScannedFile } from "./scan.ts";

/** Longer side of thumbnails in pixels: sharp at the grid's largest size, about 10 kB each. */
export const thumbnailSize = 256;

/** Problems of files that were never meant as pictures: counted, not kept. */
const notAPicture = "picture-format";

/** Endings that say "picture": such a file that cannot be read is kept with its reason, so that the user sees it. */
const pictureEnding =
  /\.(jpe?g|jpe|jfif|png|apng|webp|avif|gif|tiff?|heic|heif|hif|bmp|dib|ico|jp2|j2k|jpx|jxl|svg|psd|tga|exr|hdr|dng|cr2|cr3|nef|arw|raf|orf|rw2|p[bgpn]m)$/i;

/**
 * Brings the library up to date with a folder: new and changed files are read, moved and renamed ones found again by
 * content, deleted ones marked. Files whose size and time are as before are not opened. Throws `source-missing`.
 */
export async function ingestFolder(workplace: Workplace, folder: string, watch: Watch = {}): Promise<IngestSummary> {
  return runJob(workplace, "ingest", { folder: resolve(folder) }, watch, async (job) => {
    const { library } = workplace;
    const started = performance.now();
    const scanned = job.phase("scanning", 0);
    const scan = await scanFolder(resolve(folder), job.signal, scanned);
    const source = ensureSource(library.db, resolve(folder));
    const plan = compare(scan.files, imagesOfSource(library.db, source.id));
    markMissing(library.db, plan.gone);
    markFound(library.db, plan.found);

    const counts = { added: 0, changed: 0, moved: 0, failed: 0, ignored: 0 };
    await readFiles(workplace, job, source, plan, (outcome) => counts[outcome]++);
    return {
      source,
      ...counts,
      unchanged: plan.unchanged,
      missing: countImages(library.db, source.id).missing,
      skipped: scan.skipped,
      durationMs: performance.now() - started,
    };
  });
}

interface Plan {
  readonly toRead: readonly ScannedFile[];
  /** Ids of images whose file is not there any more. */
  readonly gone: readonly number[];
  /** Ids of missing images whose file is back, as it was. */
  readonly found: readonly number[];
  readonly unchanged: number;
  /** Paths that the library knew before. */
  readonly known: ReadonlySet<string>;
}

/** What to do, from the files that are there and the images that were known. */
function compare(files: ReadonlyMap<string, ScannedFile>, known: Iterable<ImageFile>): Plan {
  const gone: number[] = [];
  const found: number[] = [];
  const current = new Set<string>();
  const paths = new Set<string>();
  for (const image of known) {
    paths.add(image.path);
    const file = files.get(image.path);
    if (file === undefined) {
      gone.push(image.id);
    } else if (file.byteSize === image.byteSize && file.modifiedAt === image.modifiedAt) {
      current.add(image.path);
      if (image.missingSince !== null) found.push(image.id);
    }
  }
  const toRead = [...files.values()].filter(({ path }) => !current.has(path));
  return { toRead, gone, found, unchanged: current.size, known: paths };
}

type FileOutcome = "added" | "changed" | "moved" | "failed" | "ignored";

/** Decodes files in the engine and stores what came out, a batch a transaction. */
async function readFiles(
  { library, engine }: Workplace,
  job: RunningJob,
  source: Source,
  plan: Plan,
  count: (outcome: FileOutcome) => void,
): Promise<void> {
  const report = job.phase("reading pictures", plan.toRead.length);
  let done = 0;
  report(0);
  await pipeBatches(
    slices(plan.toRead, batchSize),
    (batch) => {
      const paths = batch.map(({ path }) => join(source.folder, path));
      return engine.call("preparePictures", { paths, thumbnailSize });
    },
    async (batch, outcomes) => {
      const { db, thumbnails } = library;
      // Thumbnails first: a cache with too much in it is whole, an image without its thumbnail is not.
      putThumbnails(
        thumbnails,
        outcomes.flatMap((outcome) =>
          outcome.ok ? [{ contentHash: outcome.value.contentHash, webp: outcome.value.thumbnail }] : [],
        ),
      );
      const images: NewImage[] = [];
      batch.forEach((file, i) => {
        const outcome = outcomes[i];
        if (outcome === undefined) return;
        const image = newImage(source, file, outcome);
        if (image.problem?.code === notAPicture && !pictureEnding.test(file.path)) count("ignored");
        else images.push(image);
      });
      const moves = await findMoves(library.db, source, images);
      relinkImages(
        db,
        [...moves].map(([image, id]) => ({ id, sourceId: source.id, path: image.path, modifiedAt: image.modifiedAt })),
      );
      upsertImages(
        db,
        images.filter((image) => !moves.has(image)),
      );
      for (const image of images) {
        if (moves.has(image)) count("moved");
        else if (image.problem !== null) count("failed");
        else count(plan.known.has(image.path) ? "changed" : "added");
      }
      report((done += batch.length));
    },
    job.signal,
  );
}

function newImage(source: Source, file: ScannedFile, outcome: PictureOutcome<PreparedPicture>): NewImage {
  const place = { sourceId: source.id, path: file.path, byteSize: file.byteSize, modifiedAt: file.modifiedAt };
  if (!outcome.ok) {
    const { code, message, contentHash = null } = outcome.problem;
    const nothing = { format: null, width: null, height: null, perceptualHash: null };
    return { ...place, ...nothing, contentHash, problem: { code, message } };
  }
  const { contentHash, format, width, height, perceptualHash } = outcome.value;
  return { ...place, contentHash, format, width, height, perceptualHash, problem: null };
}

/**
 * For each file that holds what an image held whose own file is gone: that image's id. Each image moves once, so of two
 * copies one takes over the row and the other is new.
 */
async function findMoves(
  db: Workplace["library"]["db"],
  source: Source,
  images: readonly NewImage[],
): Promise<Map<NewImage, number>> {
  const hashes = images.flatMap(({ contentHash }) => (contentHash === null ? [] : [contentHash]));
  const byHash = Map.groupBy(imagesByContentHash(db, hashes), ({ contentHash }) => contentHash);
  const folders = new Map(listSources(db).map(({ id, folder }) => [id, folder]));
  const moves = new Map<NewImage, number>();
  const taken = new Set<number>();
  for (const image of images) {
    const candidates = image.contentHash === null ? [] : (byHash.get(image.contentHash) ?? []);
    if (candidates.some(({ sourceId, path }) => sourceId === source.id && path === image.path)) continue;
    for (const candidate of candidates) {
      if (taken.has(candidate.id) || !(await isGone(candidate, source, folders))) continue;
      taken.add(candidate.id);
      moves.set(image, candidate.id);
      break;
    }
  }
  return moves;
}

/** Whether an image's file is gone. Of other sources, which this scan has not seen, the disk is asked. */
async function isGone(image: Image, source: Source, folders: ReadonlyMap<number, string>): Promise<boolean> {
  if (image.missingSince !== null) return true;
  const folder = folders.get(image.sourceId);
  if (image.sourceId === source.id || folder === undefined) return false;
  const there = (path: string): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    );
  // With its whole folder away (a disk that is not plugged in) a file is not gone for good.
  return (await there(folder)) && !(await there(join(folder, image.path)));
}
