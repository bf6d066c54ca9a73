import { resolve } from "node:path";
import type { ImportContext, ImportedRow } from "../imports/dataset.ts";
import { labelsFileOf, readLabelPaths } from "../imports/label-paths.ts";
import { datasetFormats, datasetReaders, type DatasetFormat } from "../imports/readers.ts";
import { correctMasks, masksOfImages, type CorrectedMask } from "../library/masks.ts";
import { findImageByPath, type PathMatch } from "../library/image-paths.ts";
import { compressRuns } from "../masks/rle.ts";
import type { ImportSummary } from "../rpc/api.ts";
import { createReport, createRows, importLabels, labelImages, nameProblem } from "./label-images.ts";
import { runJob, type Watch, type Workplace } from "./run.ts";

/** What `importDataset` takes: data sets, and labels files. */
export type ImportFormat = DatasetFormat | "csv" | "jsonl";

/** Milliseconds of work between turns for others. */
const turnMs = 50;

/** The names, labels files first. */
export const importFormats: readonly ImportFormat[] = ["csv", "jsonl", ...datasetFormats];

/**
 * Reads a data set of others (core/imports/readers.ts) and puts its labels and masks on the images that it names: all
 * labels as one operation and all masks as another, each of which can be undone. Nothing is changed before all of it has
 * been read, so a job that was stopped leaves nothing and is started again. What fits no image is reported.
 */
export async function importDataset(
  workplace: Workplace,
  format: ImportFormat,
  path: string,
  watch: Watch = {},
): Promise<ImportSummary> {
  const folder = resolve(path);
  return runJob(workplace, "import", { format, path: folder }, watch, async (job) => {
    const { db } = workplace.library;
    const find = (paths: readonly string[]): PathMatch => {
      let found: PathMatch = { kind: "none" };
      for (const candidate of paths) {
        const match = findImageByPath(db, candidate);
        if (match.kind === "image") return match;
        if (match.kind === "ambiguous") found = match;
      }
      return found;
    };
    const sizeOf: ImportContext["sizeOf"] = (paths) => {
      const match = find(paths);
      if (match.kind !== "image") return null;
      const { width, height } = match.image;
      return width === null || height === null ? null : { width, height };
    };
    let rows: AsyncGenerator<ImportedRow>;
    if (format === "csv" || format === "jsonl") {
      const file = await labelsFileOf(folder, format);
      // Files of others have no whole paths: they are read as `labels import` does.
      const probe = readLabelPaths(file, format);
      const { done: isEmpty } = await probe.next();
      await probe.return(undefined);
      if (isEmpty === true) {
        return { ...(await importLabels(workplace.library, file, job.signal)), masked: 0, maskOperation: null };
      }
      rows = readLabelPaths(file, format);
    } else {
      rows = datasetReaders[format](folder, { sizeOf });
    }
    const labels = createRows();
    const masks = new Map<number, CorrectedMask>();
    const report = createReport();
    const progress = job.phase("reading", 0);
    let [done, turn] = [0, performance.now()];
    for await (const row of rows) {
      // A file that was read gives its rows without a pause: others who ask the core, and whoever stops this, get a turn.
      if (performance.now() - turn > turnMs) {
        await new Promise((resolve) => setImmediate(resolve));
        turn = performance.now();
      }
      job.signal.throwIfAborted();
      progress(++done);
      if (row.kind === "problem") {
        report.add(row.line, row.path, row.message);
        continue;
      }
      const match = find(row.paths);
      const shown = row.paths.at(-1) ?? "";
      const problem = row.label === null ? null : nameProblem(row.label);
      if (match.kind === "none") {
        report.add(row.line, shown, "No image of the library has this name.");
      } else if (match.kind === "ambiguous") {
        const names = match.images.map((image) => image.path).join(", ");
        report.add(row.line, shown, `Several images have this name: ${names}.`);
      } else if (problem !== null) {
        report.add(row.line, shown, problem);
      } else {
        const imageId = match.image.id;
        if (row.label !== null) labels.add({ imageId, path: row.label });
        if (row.mask !== null) {
          const { width, height } = row.mask;
          masks.set(imageId, { imageId, width, height, runs: compressRuns(row.mask) });
        }
      }
    }
    const before = masksOfImages(db, [...masks.keys()]);
    const changed = [...masks.values()].filter(({ imageId, runs }) => before.get(imageId)?.runs !== runs);
    const images = `${changed.length} ${changed.length === 1 ? "image" : "images"}`;
    const labelled = labelImages(workplace.library, labels.list(), "import-dataset", labels.count());
    const maskOperation = correctMasks(db, changed, {
      kind: "import-masks",
      summary: `Put masks of a data set on ${images}`,
    });
    return { ...labelled, ...report.result(), masked: changed.length, maskOperation };
  });
}
