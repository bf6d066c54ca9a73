import { join, resolve } from "node:path";
import { countImages, imagesOfSource } from "../library/images.ts";
import { markFound, markMissing, relinkImages, upsertImages, type NewImage } from "../library/image-changes.ts";
import { ensureSource } from "../library/sources.ts";
import { putThumbnails } from "../library/thumbnails.ts";
import type { Image, Source } from "../rpc/records.ts";
import type { IngestSummary } from "../rpc/api.ts";
import type { PictureOutcome, PreparedPicture } from "../engine/protocol.ts";
import { crashedPicture, planIngest, type IngestPlan } from "./ingest-plan.ts";
import { findMoves, placeOf, pushedOut } from "./moves.ts";
import { batchSize, pipeBatches, slices } from "./pipeline.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";
import { scanFolder, type ScannedFile } from "./scan.ts";

/** Longer side of thumbnails in pixels: sharp at the grid's largest size, about 10 kB each. */
export const thumbnailSize = 256;

/** The problem of a file whose content is of no kind that is taken in. */
const notAPicture = "picture-format";

/** Endings that say "picture": such a file that cannot be read is kept with its reason, so that the user sees it. */
const pictureEnding =
  /\.(jpe?g|jpe|jfif|png|apng|webp|avif|gif|tiff?|heic|heif|hif|bmp|dib|ico|jp2|j2k|jpx|jxl|svg|psd|tga|exr|hdr|dng|cr2|cr3|nef|arw|raf|orf|rw2|p[bgpn]m)$/i;

/** Files stored in one transaction at the end. */
const storeSlice = 1000;

/**
 * Brings the library up to date with a folder: new and changed files are read, moved and renamed ones found again by
 * content, deleted ones marked. Images whose file has its size and time as before are not opened, unless their thumbnail
 * is gone from the cache. Throws `source-missing`.
 */
export async function ingestFolder(workplace: Workplace, folder: string, watch: Watch = {}): Promise<IngestSummary> {
  return runJob(workplace, "ingest", { folder: resolve(folder) }, watch, async (job) => {
    const { db, thumbnails } = workplace.library;
    const started = performance.now();
    const scan = await scanFolder(resolve(folder), job.signal, job.phase("scanning", 0));
    const source = ensureSource(db, resolve(folder));
    const plan = planIngest(scan, imagesOfSource(db, source.id), thumbnails);
    markMissing(db, plan.gone);
    markFound(db, plan.found);
    const counts = await readFiles(workplace, job, source, plan);
    return {
      source,
      ...counts,
      unchanged: plan.unchanged + counts.unchanged,
      missing: countImages(db, source.id).missing,
      skipped: scan.skipped,
      durationMs: performance.now() - started,
    };
  });
}

type Counts = Record<"added" | "changed" | "moved" | "unchanged" | "failed" | "ignored", number>;

/** Decodes files in the engine and stores what came out, a batch a transaction. */
async function readFiles(
  { library, engine }: Workplace,
  job: RunningJob,
  source: Source,
  { toRead, known }: IngestPlan,
): Promise<Counts> {
  const { db, thumbnails } = library;
  const counts: Counts = { added: 0, changed: 0, moved: 0, unchanged: 0, failed: 0, ignored: 0 };
  /** Files at known paths that hold something else now: what their images held may still turn up in a later batch. */
  const waiting: NewImage[] = [];
  /** The images of those paths, by id, until their content is found elsewhere. */
  const left = new Set<number>();
  const ownerAt = ({ path }: NewImage) => {
    const owner = known.get(path);
    return owner !== undefined && left.has(owner.id) ? owner : undefined;
  };
  const store = (images: readonly NewImage[], moves: ReadonlyMap<NewImage, Image>): void => {
    for (const slice of slices(images, storeSlice)) upsertImages(db, slice);
    for (const image of images) {
      const before = known.get(image.path);
      if (moves.has(image)) counts.moved++;
      else if (before !== undefined && before.contentHash === image.contentHash) counts.unchanged++;
      else if (image.problem !== null) counts.failed++;
      else if (before !== undefined) counts.changed++;
      else counts.added++;
    }
    for (const { id } of moves.values()) left.delete(id);
  };

  const report = job.phase("reading pictures", toRead.length);
  let done = 0;
  report(0);
  await pipeBatches(
    slices(toRead, batchSize),
    (batch) => {
      const paths = batch.map(({ path }) => join(source.folder, path));
      return engine.call("preparePictures", { paths, thumbnailSize });
    },
    async (batch, outcomes) => {
      // Thumbnails first: a cache with too much in it is whole, an image without its thumbnail is not.
      putThumbnails(thumbnails, outcomes.flatMap(thumbnailOf));
      const settled: NewImage[] = [];
      batch.forEach((file, i) => {
        const outcome = outcomes[i];
        // A file that went away since the scan says nothing: the next scan tells.
        if (outcome === undefined || (!outcome.ok && outcome.problem.code === "enoent")) return;
        const image = newImage(source, file, outcome);
        const before = known.get(image.path);
        if (before === undefined && isIgnored(image)) {
          counts.ignored++;
        } else if (before !== undefined && before.contentHash !== image.contentHash) {
          waiting.push(image);
          left.add(before.id);
        } else {
          settled.push(image);
        }
      });
      const moves = await findMoves(db, settled, left);
      relinkImages(
        db,
        [...moves].map(([file, { id }]) => ({ ...file, id })),
      );
      store(settled, moves);
      report((done += batch.length));
    },
    job.signal,
  );

  const moves = await findMoves(db, waiting, left);
  const pushed = pushedOut(moves, ownerAt);
  relinkImages(db, [...[...moves].map(([file, { id }]) => ({ ...file, id })), ...pushed]);
  const places = new Set(waiting.map(placeOf));
  markMissing(
    db,
    pushed.filter((move) => !places.has(placeOf(move))).map(({ id }) => id),
  );
  store(waiting, moves);
  return counts;
}

function thumbnailOf(outcome: PictureOutcome<PreparedPicture>): { contentHash: string; webp: Uint8Array }[] {
  return outcome.ok ? [{ contentHash: outcome.value.contentHash, webp: outcome.value.thumbnail }] : [];
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

/** Whether a file was never meant as a picture: neither its name nor its content say so. */
function isIgnored({ path, contentHash, problem }: NewImage): boolean {
  if (problem === null || problem.code === crashedPicture || pictureEnding.test(path)) return false;
  return problem.code === notAPicture || contentHash === null;
}
