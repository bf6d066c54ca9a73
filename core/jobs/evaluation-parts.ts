import { forEachAnnotation } from "../library/annotations.ts";
import type { Reader } from "../library/database.ts";
import { findImageByPath } from "../library/image-paths.ts";
import { listLabels } from "../library/labels.ts";
import { readLabelsFile } from "../imports/labels-file.ts";
import { CoreError } from "../util/errors.ts";

/** An image and its true label. */
export interface Known {
  readonly imageId: number;
  readonly labelId: number;
}

/** Who votes, who is tested, and what lies above each label. */
export interface EvaluationParts {
  readonly voters: readonly Known[];
  /** Null for leave-one-out: each voter is tested against the others. */
  readonly tested: readonly Known[] | null;
  readonly coarseOf: ReadonlyMap<number, number>;
}

/** How to choose them: by a file of splits, by a file of true labels, or neither for leave-one-out. */
export interface PartsOptions {
  /** File with path and split: of the labelled images, `train` votes and every other split is tested. */
  readonly split?: string | undefined;
  /** File with path, label, coarse: labelled images of the library vote, the others that it names are tested. */
  readonly truth?: string | undefined;
}

/** Reads the parts of an evaluation. Throws `option-invalid` for both files at once, `split-empty`, and as the files do. */
export async function readParts(db: Reader, { split, truth }: PartsOptions): Promise<EvaluationParts> {
  if (split !== undefined && truth !== undefined) {
    throw new CoreError("option-invalid", "An evaluation takes a split or a truth, not both.");
  }
  const labelled: Known[] = [];
  forEachAnnotation(db, ({ imageId, labelId }) => labelled.push({ imageId, labelId }));
  const labels = listLabels(db);
  const coarseOf = new Map(labels.flatMap(({ id, parentId }) => (parentId === null ? [] : [[id, parentId]])));
  if (split !== undefined) {
    const parts = await readColumn(db, split, "split");
    const part = ({ imageId }: Known): string | undefined => parts.get(imageId)?.label.toLowerCase();
    return {
      voters: labelled.filter((known) => part(known) === "train"),
      tested: labelled.filter((known) => part(known) !== undefined && part(known) !== "train"),
      coarseOf,
    };
  }
  if (truth === undefined) return { voters: labelled, tested: null, coarseOf };

  const named = createNames(labels, coarseOf);
  const taken = new Set(labelled.map(({ imageId }) => imageId));
  const tested = [...(await readColumn(db, truth, "label"))]
    .filter(([imageId]) => !taken.has(imageId))
    .map(([imageId, { label, coarse }]) => ({ imageId, labelId: named(label, coarse) }));
  return { voters: labelled, tested, coarseOf };
}

async function readColumn(
  db: Reader,
  file: string,
  valueColumn: "label" | "split",
): Promise<Map<number, { label: string; coarse: string | null }>> {
  const rows = new Map<number, { label: string; coarse: string | null }>();
  for await (const row of readLabelsFile(file, { valueColumn })) {
    if (row.kind === "problem") continue;
    const match = findImageByPath(db, row.path);
    if (match.kind === "image") rows.set(match.image.id, row);
  }
  if (rows.size > 0) return rows;
  throw new CoreError("split-empty", `No row of ${file} names an image of this library.`, {
    hint: "The column path may be absolute, relative to a source, or a bare file name.",
  });
}

/**
 * Ids for label names: those of the library where it has the label, negative ones for the rest, which are then never
 * voted for. A name without the one above it is that of the library's only label of this name, at whatever level. New
 * fine labels are added to `coarseOf`.
 */
function createNames(
  labels: ReturnType<typeof listLabels>,
  coarseOf: Map<number, number>,
): (label: string, coarse: string | null) => number {
  const ids = new Map(labels.map(({ id, name, parentId }) => [`${parentId ?? ""}/${name}`, id]));
  const idOf = (name: string, parentId: number | null): number => {
    const key = `${parentId ?? ""}/${name}`;
    const id = ids.get(key) ?? -1 - ids.size;
    ids.set(key, id);
    if (parentId !== null) coarseOf.set(id, parentId);
    return id;
  };
  const byName = Map.groupBy(labels, ({ name }) => name);
  return (label, coarse) => {
    if (coarse !== null) return idOf(label, idOf(coarse, null));
    const [only, ...others] = byName.get(label) ?? [];
    return only !== undefined && others.length === 0 ? only.id : idOf(label, null);
  };
}
