import { assignLabels } from "../../core/library/annotations.ts";
import type { Writer } from "../../core/library/database.ts";
import { createLabels } from "../../core/library/label-changes.ts";

/** An image and its label, from the top of the tree down; null for none. */
export interface Annotated {
  readonly imageId: number;
  readonly label: readonly string[] | null;
}

/** Puts labels on images, as a person would, and makes those that are new. */
export function annotate(db: Writer, images: readonly Annotated[]): void {
  const labelled = images.flatMap(({ imageId, label }) => (label === null ? [] : [{ imageId, label }]));
  const labels = createLabels(
    db,
    labelled.map(({ label }) => label),
  ).result;
  assignLabels(
    db,
    labelled.map(({ imageId }, i) => ({
      imageId,
      labelId: labels[i]?.id ?? 0,
      provenance: "person" as const,
      confidence: null,
    })),
    { kind: "assign-labels", summary: "labels" },
  );
}
