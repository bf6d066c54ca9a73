import { join, resolve } from "node:path";
import { countImages, imagesOfSource } from "../library/images.ts";
import { markFound, markMissing, relinkImages, upsertImages, type NewImage } from "../library/image-changes.ts";
import { ensureSource } from "../library/sources.ts";
import { putThumbnails } from "../library/thumbnails.ts";
import type { Source } from "../rpc/records.ts";
import type { IngestSummary } from "../rpc/api.ts";
import type { PictureOutcome, PreparedPicture } from "../engine/protocol.ts";
import { crashedPicture, planIngest, type IngestPlan } from "./ingest-plan.ts";
import { findMoves, rearrange, type Replaced } from "./moves.ts";
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

/** Reads the files of a plan and stores what they hold, a batch a transaction. */
async function readFiles(
  workplace: Workplace,
  job: RunningJob,
  source: Source,
  { toLookAt, fresh }: IngestPlan,
): Promise<Counts> {
  const { db } = workplace.library;
  const counts: Counts = { added: 0, changed: 0, moved: 0, unchanged: 0, failed: 0, ignored: 0 };
  const read = createReader(workplace, job, source, toLookAt.length + fresh.length);

  // The known places first: which images are no longer where they were has to be known before it can be said which of
  // them the new files are.
  const replaced: Replaced[] = [];
  await read(
    toLookAt,
    ({ file }) => file,
    (pictures) => {
      const same: NewImage[] = [];
      for (const { picture, item } of pictures) {
        if (picture.contentHash === item.image.contentHash) same.push(picture);
        else replaced.push({ picture, owner: item.image });
      }
      upsertImages(db, same);
      counts.unchanged += same.length;
    },
  );
  const { unmatched, left, moved } = await rearrange(db, replaced);
  counts.moved += moved;

  await read(
    fresh,
    (file) => file,
    async (pictures) => {
      const kept = pictures.flatMap(({ picture }) => (isIgnored(picture) ? [] : [picture]));
      counts.ignored += pictures.length - kept.length;
      const moves = await findMoves(db, kept, left);
      relinkImages(
        db,
        [...moves].map(([picture, { id }]) => ({ ...picture, id })),
      );
      upsertImages(db, kept);
      for (const { id } of moves.values()) left.delete(id);
      counts.moved += moves.size;
      for (const picture of kept) if (!moves.has(picture)) counts[picture.problem === null ? "added" : "failed"]++;
    },
  );

  // What their images held before was found nowhere else: these files were changed in place.
  for (const slice of slices(unmatched, storeSlice)) upsertImages(db, slice);
  for (const { problem } of unmatched) counts[problem === null ? "changed" : "failed"]++;
  return counts;
}

/** Has files decoded by the engine, stores their thumbnails and hands on what they hold, a batch at a time. */
function createReader(
  { library, engine }: Workplace,
  job: RunningJob,
  source: Source,
  total: number,
): <Item>(
  items: readonly Item[],
  fileOf: (item: Item) => ScannedFile,
  take: (pictures: readonly { picture: NewImage; item: Item }[]) => void | Promise<void>,
) => Promise<void> {
  const report = job.restPhase("reading pictures", total);
  let done = 0;
  report(0);
  return (items, fileOf, take) =>
    pipeBatches(
      slices(items, batchSize),
      (batch) => {
        const paths = batch.map((item) => join(source.folder, fileOf(item).path));
        return engine.call("preparePictures", { paths, thumbnailSize });
      },
      async (batch, outcomes) => {
        // Thumbnails first: a cache with too much in it is whole, an image without its thumbnail is not.
        putThumbnails(library.thumbnails, outcomes.flatMap(thumbnailOf));
        await take(
          batch.flatMap((item, i) => {
            const outcome = outcomes[i];
            // A file that went away since the scan says nothing: the next scan tells.
            if (outcome === undefined || (!outcome.ok && outcome.problem.code === "enoent")) return [];
            return [{ picture: newImage(source, fileOf(item), outcome), item }];
          }),
        );
        report((done += batch.length));
      },
      job.signal,
    );
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
