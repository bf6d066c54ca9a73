import { readdir } from "node:fs/promises";
import { join, parse, relative, sep } from "node:path";
import type { Engine } from "../engine/supervisor.ts";
import { listImages, pageSize } from "../library/images.ts";
import { correctMasks, masksOfImages } from "../library/masks.ts";
import type { Reader } from "../library/database.ts";
import { listSources } from "../library/sources.ts";
import { decompressRuns, type RunLengths } from "../masks/rle.ts";
import type { MaskImportSummary } from "../rpc/api.ts";
import type { Image } from "../rpc/records.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { slices } from "./pipeline.ts";
import { runJob, type Watch, type Workplace } from "./run.ts";

/** A picture with the mask that lies beside it in another folder. */
export interface MaskFile {
  readonly image: Image;
  /** Absolute path of the mask. */
  readonly file: string;
}

/** A file of a folder, and why it could not be used. */
export interface Unusable {
  readonly path: string;
  readonly reason: string;
}

/** Masks read in one request to the engine. */
const batch = 16;

/**
 * The PNG files of a folder with the images they belong to: the same path within the folder as the image has within its
 * source, without the ending, or the same name where only one image has it. Throws `folder-unreadable`.
 */
export async function findMaskFiles(db: Reader, folder: string): Promise<{ found: MaskFile[]; unmatched: Unusable[] }> {
  const { byPath, byName } = readyImages(db);
  const found: MaskFile[] = [];
  const unmatched: Unusable[] = [];
  for (const path of await pngFiles(folder)) {
    const stem = withoutEnding(path);
    const images = byPath.get(stem) ?? byName.get(parse(stem).base) ?? [];
    const [image] = images;
    if (image !== undefined && images.length === 1) found.push({ image, file: join(folder, path) });
    else
      unmatched.push({
        path,
        reason: images.length === 0 ? "no image has this name" : "several images have this name",
      });
  }
  return { found, unmatched };
}

async function pngFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && /\.png$/i.test(entry.name))
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
      .sort();
  } catch (error) {
    throw new CoreError("folder-unreadable", `The folder of masks cannot be read: ${errorRecord(error).message}.`, {
      hint: "It should hold one PNG for each picture, with the picture's name.",
      cause: error,
    });
  }
}

function readyImages(db: Reader): { byPath: Map<string, Image[]>; byName: Map<string, Image[]> } {
  const byPath = new Map<string, Image[]>();
  const byName = new Map<string, Image[]>();
  const add = (map: Map<string, Image[]>, key: string, image: Image): void => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [image]);
    else list.push(image);
  };
  for (let after = 0; ;) {
    const page = listImages(db, { after });
    for (const image of page) {
      if (image.problem !== null || image.missingSince !== null) continue;
      const stem = withoutEnding(image.path);
      add(byPath, stem, image);
      add(byName, parse(stem).base, image);
    }
    after = page.at(-1)?.id ?? 0;
    if (page.length < pageSize) return { byPath, byName };
  }
}

/** `shelf/one.jpg` to `shelf/one`; a dot in a folder's name ends nothing. */
function withoutEnding(path: string): string {
  return path.replace(/\.[^./]*$/, "");
}

/** Reads masks one batch at a time. Those that are no pictures, or of another size than their image, go to `unusable`. */
export async function* readMaskFiles(
  engine: Engine,
  files: readonly MaskFile[],
  unusable: (problem: Unusable) => void,
  signal?: AbortSignal,
): AsyncGenerator<(MaskFile & { readonly runs: RunLengths; readonly text: string })[]> {
  for (const slice of slices(files, batch)) {
    signal?.throwIfAborted();
    const outcomes = await engine.call("readMasks", { paths: slice.map(({ file }) => file) });
    yield slice.flatMap((entry, i) => {
      const outcome = outcomes[i];
      if (outcome?.ok !== true) {
        unusable({ path: entry.file, reason: outcome?.problem.message ?? "The engine gave no answer." });
        return [];
      }
      const { width, height, runs } = outcome.value;
      const { image } = entry;
      if (width !== image.width || height !== image.height) {
        const sizes = `${width} x ${height} pixels, the picture ${image.width} x ${image.height}`;
        unusable({ path: entry.file, reason: `the mask has ${sizes}` });
        return [];
      }
      return [{ ...entry, runs: decompressRuns(runs, width, height), text: runs }];
    });
  }
}

/** Absolute path of an image's file, for the sources that the library has now. */
export function filePaths(db: Reader): (image: Image) => string {
  const folders = new Map(listSources(db).map(({ id, folder }) => [id, folder]));
  return (image) => join(folders.get(image.sourceId) ?? "", image.path);
}

/** Takes in masks that were drawn elsewhere, one PNG for each picture, as one step that can be undone. */
export async function importMasks(workplace: Workplace, folder: string, watch: Watch = {}): Promise<MaskImportSummary> {
  const { library, engine } = workplace;
  const { db } = library;
  return runJob(workplace, "import", { format: "masks-folder", path: folder }, watch, async (job) => {
    const { found, unmatched } = await findMaskFiles(db, folder);
    const report = job.phase("reading masks", found.length);
    const masks: { imageId: number; width: number; height: number; runs: string }[] = [];
    for await (const read of readMaskFiles(engine, found, (problem) => unmatched.push(problem), job.signal)) {
      masks.push(
        ...read.map(({ image, runs, text }) => ({
          imageId: image.id,
          width: runs.width,
          height: runs.height,
          runs: text,
        })),
      );
      report(masks.length);
    }
    const before = masksOfImages(
      db,
      masks.map(({ imageId }) => imageId),
    );
    const fresh = masks.filter(({ imageId, runs }) => {
      const known = before.get(imageId);
      return known?.edited !== true || known.runs !== runs;
    });
    const summary = fresh.length === 1 ? "Took in the mask of 1 image" : `Took in the masks of ${fresh.length} images`;
    const operation = correctMasks(db, fresh, { kind: "import-masks", summary });
    return { operation, imported: fresh.length, unchanged: masks.length - fresh.length, unmatched };
  });
}
