import { annotationsOfImages, assign } from "../library/annotations.ts";
import { cleanLabelName, ensureLabels } from "../library/label-changes.ts";
import { findImageByPath } from "../library/image-paths.ts";
import { imagesOfSource } from "../library/images.ts";
import { listLabels } from "../library/labels.ts";
import type { Library } from "../library/open.ts";
import { recordOperation } from "../library/operations.ts";
import { readLabelsFile } from "../imports/labels-file.ts";
import type { Source } from "../rpc/records.ts";
import type { LabelsSummary } from "../rpc/api.ts";
import { errorRecord } from "../util/errors.ts";

/** Rows left out that a summary names; the rest are counted. */
const namedProblems = 100;

/** A label for an image: names from the top of the tree down. */
export interface Labelled {
  readonly imageId: number;
  readonly path: readonly string[];
}

/** The labels that a file gives. The last one for an image counts, so a file of any length needs no more room. */
export interface LabelledRows {
  add(row: Labelled): void;
  /** One for each image. */
  list(): readonly Labelled[];
  /** Rows that were added. */
  count(): number;
}

/** Rows to be gathered. */
export function createRows(): LabelledRows {
  const byImage = new Map<number, Labelled>();
  let count = 0;
  return {
    add: (row) => {
      byImage.set(row.imageId, row);
      count++;
    },
    list: () => [...byImage.values()],
    count: () => count,
  };
}

/** What was left out, and why. Folder names stand on no line: theirs is 0. */
export function createReport(): {
  add: (line: number, path: string, reason: string) => void;
  result: () => Pick<LabelsSummary, "unmatched" | "unmatchedCount">;
} {
  const unmatched: LabelsSummary["unmatched"][number][] = [];
  let unmatchedCount = 0;
  return {
    add: (line, path, reason) => {
      unmatchedCount++;
      if (unmatched.length < namedProblems) unmatched.push({ line, path, reason });
    },
    result: () => ({ unmatched, unmatchedCount }),
  };
}

/**
 * Reads a labels file (CSV, TSV or JSON Lines: path, label, and optionally coarse) and puts its labels on the images as
 * one undoable operation. Labels that the images had are replaced. Rows that name no image, or several, are reported.
 */
export async function importLabels(library: Library, file: string, signal?: AbortSignal): Promise<LabelsSummary> {
  const rows = createRows();
  const report = createReport();
  for await (const row of readLabelsFile(file)) {
    signal?.throwIfAborted();
    if (row.kind === "problem") {
      report.add(row.line, "", row.message);
      continue;
    }
    const path = row.coarse === null ? [row.label] : [row.coarse, row.label];
    const match = findImageByPath(library.db, row.path);
    const problem = nameProblem(path);
    if (match.kind === "none") {
      report.add(row.line, row.path, "No image of the library has this path.");
    } else if (match.kind === "ambiguous") {
      const paths = match.images.map((image) => image.path).join(", ");
      report.add(row.line, row.path, `Several images have this name: ${paths}. Give more of the path.`);
    } else if (problem !== null) {
      report.add(row.line, row.path, problem);
    } else {
      rows.add({ imageId: match.image.id, path });
    }
  }
  return { ...labelImages(library, rows.list(), "import-labels", rows.count()), ...report.result() };
}

/**
 * Labels the images of a source that have no label yet by the folders they lie in, as one undoable operation: in
 * `Drinks/Oat/1.jpg` the label is Oat, under Drinks. Images at the top of the source get none.
 */
export function labelFromFolders(library: Library, source: Source): LabelsSummary {
  const found: Labelled[] = [];
  for (const { id, path, problem, missingSince } of imagesOfSource(library.db, source.id)) {
    const folders = path.split("/").slice(0, -1);
    if (problem === null && missingSince === null && folders.length > 0) found.push({ imageId: id, path: folders });
  }
  const taken = annotationsOfImages(
    library.db,
    found.map(({ imageId }) => imageId),
  );
  const report = createReport();
  const fresh = found.filter(({ imageId, path }) => {
    if (taken.has(imageId)) return false;
    const problem = nameProblem(path);
    if (problem !== null) report.add(0, path.join("/"), problem);
    return problem === null;
  });
  return { ...labelImages(library, fresh, "label-from-folders"), ...report.result() };
}

/** Why names cannot be labels, or null where they can: one bad name must not keep the others out. */
export function nameProblem(names: readonly string[]): string | null {
  try {
    names.forEach(cleanLabelName);
    return null;
  } catch (error) {
    return errorRecord(error).message;
  }
}

/**
 * Puts labels on images as one operation; each image is there once. Images that have just that label are skipped,
 * and counted as unchanged with the rows that others for the same image replaced: `given` is the number of all.
 */
export function labelImages(
  library: Library,
  rows: readonly Labelled[],
  kind: "import-labels" | "label-from-folders" | "import-dataset",
  given = rows.length,
): Pick<LabelsSummary, "operation" | "labelled" | "unchanged"> {
  const before = annotationsOfImages(
    library.db,
    rows.map(({ imageId }) => imageId),
  );
  const pathOf = labelPaths(library);
  const changed = rows.filter(({ imageId, path }) => {
    const labelId = before.get(imageId)?.labelId;
    return labelId === undefined || pathOf(labelId) !== JSON.stringify(path.map(cleanLabelName));
  });
  const where = {
    "import-labels": "a labels file",
    "label-from-folders": "folder names",
    "import-dataset": "a data set",
  }[kind];
  const summary = `Labelled ${changed.length} ${changed.length === 1 ? "image" : "images"} from ${where}`;
  const { operation } = recordOperation(library.db, { kind, summary }, (change) => {
    const labels = ensureLabels(
      change,
      changed.map(({ path }) => path),
    );
    const assignments = changed.flatMap(({ imageId }, i) => {
      const labelId = labels[i]?.id;
      return labelId === undefined ? [] : [{ imageId, labelId, provenance: "import" as const, confidence: null }];
    });
    assign(change, assignments);
  });
  return { operation, labelled: changed.length, unchanged: given - changed.length };
}

/** The names of a label from the top of the tree down, as JSON. */
function labelPaths({ db }: Library): (labelId: number) => string {
  const labels = new Map(listLabels(db).map((label) => [label.id, label]));
  return (labelId) => {
    const names: string[] = [];
    for (let label = labels.get(labelId); label !== undefined && names.length <= labels.size;) {
      names.unshift(label.name);
      label = label.parentId === null ? undefined : labels.get(label.parentId);
    }
    return JSON.stringify(names);
  };
}
