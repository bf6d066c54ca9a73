import { annotationsOfImages, assign } from "../library/annotations.ts";
import { ensureLabels } from "../library/label-changes.ts";
import { findImageByPath } from "../library/image-paths.ts";
import { imagesOfSource } from "../library/images.ts";
import type { Library } from "../library/open.ts";
import { recordOperation } from "../library/operations.ts";
import { readLabelsFile } from "../imports/labels-file.ts";
import type { Source } from "../rpc/records.ts";
import type { LabelsSummary } from "../rpc/api.ts";

/** Rows without an image that a summary names; the rest are counted. */
const namedProblems = 100;

/** A label for an image: names from the top of the tree down. */
interface Labelled {
  readonly imageId: number;
  readonly path: readonly string[];
}

/**
 * Reads a labels file (CSV, TSV or JSON Lines: path, label, and optionally coarse) and puts its labels on the images as
 * one undoable operation. Labels that the images had are replaced. Rows that name no image, or several, are reported.
 */
export async function importLabels(library: Library, file: string, signal?: AbortSignal): Promise<LabelsSummary> {
  const rows: Labelled[] = [];
  const unmatched: LabelsSummary["unmatched"][number][] = [];
  let unmatchedCount = 0;
  const report = (line: number, path: string, reason: string): void => {
    unmatchedCount++;
    if (unmatched.length < namedProblems) unmatched.push({ line, path, reason });
  };
  const read = readLabelsFile(file);
  for await (const row of read) {
    signal?.throwIfAborted();
    if (row.kind === "problem") {
      report(row.line, "", row.message);
      continue;
    }
    const match = findImageByPath(library.db, row.path);
    if (match.kind === "image") {
      rows.push({ imageId: match.image.id, path: row.coarse === null ? [row.label] : [row.coarse, row.label] });
    } else if (match.kind === "none") {
      report(row.line, row.path, "No image of the library has this path.");
    } else {
      const paths = match.images.map(({ path }) => path).join(", ");
      report(row.line, row.path, `Several images have this name: ${paths}. Give more of the path.`);
    }
  }
  return {
    ...labelImages(library, rows, "import-labels"),
    unmatched,
    unmatchedCount,
  };
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
  const fresh = found.filter(({ imageId }) => !taken.has(imageId));
  return { ...labelImages(library, fresh, "label-from-folders"), unmatched: [], unmatchedCount: 0 };
}

function labelImages(
  library: Library,
  rows: readonly Labelled[],
  kind: "import-labels" | "label-from-folders",
): Pick<LabelsSummary, "operation" | "labelled" | "unchanged"> {
  // The last row for an image counts, as if they had been imported one after the other.
  const byImage = new Map(rows.map((row) => [row.imageId, row]));
  const where = kind === "import-labels" ? "a labels file" : "folder names";
  const summary = `Labelled ${byImage.size} ${byImage.size === 1 ? "image" : "images"} from ${where}`;
  const { operation, result } = recordOperation(library.db, { kind, summary }, (change) => {
    const images = [...byImage.values()];
    const labels = ensureLabels(
      change,
      images.map(({ path }) => path),
    );
    const before = annotationsOfImages(library.db, [...byImage.keys()]);
    const assignments = images.flatMap(({ imageId }, i) => {
      const labelId = labels[i]?.id;
      if (labelId === undefined || before.get(imageId)?.labelId === labelId) return [];
      return [{ imageId, labelId, provenance: "import" as const, confidence: null }];
    });
    assign(change, assignments);
    return assignments.length;
  });
  return { operation, labelled: result, unchanged: rows.length - result };
}
