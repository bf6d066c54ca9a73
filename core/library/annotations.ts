import type { Annotation, Operation, Provenance } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { allIn, places } from "./chunked.ts";
import { all, forEachRow, get } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { unknownImage } from "./image-changes.ts";
import { pageSize } from "./images.ts";
import type { Page } from "./images.ts";
import { recordOperation } from "./operations.ts";
import type { Change } from "./operations.ts";
import { count, integer, oneOf, orNull, share } from "./rows.ts";
import type { AnnotationRow } from "./undoable.ts";

export const annotationStatements = {
  ofImages: `SELECT * FROM annotations WHERE image_id IN (${places})`,
  ofLabel: "SELECT * FROM annotations WHERE label_id = ? AND image_id > ? ORDER BY image_id LIMIT ?",
  all: "SELECT * FROM annotations ORDER BY image_id",
  countOfLabel: "SELECT count(*) AS count FROM annotations WHERE label_id = ?",
  knownImages: `SELECT id FROM images WHERE id IN (${places})`,
  knownLabels: `SELECT id FROM labels WHERE id IN (${places})`,
} as const;

const sql = annotationStatements;
const provenanceCell = oneOf<Provenance>(["person", "neighbours", "cluster", "import"]);
const nullableShare = orNull(share);

function annotationOf(row: Row): Annotation {
  return {
    imageId: integer("annotations", row, "image_id"),
    labelId: integer("annotations", row, "label_id"),
    provenance: provenanceCell("annotations", row, "provenance"),
    confidence: nullableShare("annotations", row, "confidence"),
    operationId: integer("annotations", row, "operation_id"),
    createdAt: integer("annotations", row, "created_at"),
  };
}

function rowOf(annotation: Annotation): AnnotationRow {
  return {
    image_id: annotation.imageId,
    label_id: annotation.labelId,
    provenance: annotation.provenance,
    confidence: annotation.confidence,
    operation_id: annotation.operationId,
    created_at: annotation.createdAt,
  };
}

/** The annotations of these images, by image id. */
export function annotationsOfImages(db: Reader, imageIds: readonly number[]): Map<number, Annotation> {
  return new Map(
    allIn(db, sql.ofImages, imageIds)
      .map(annotationOf)
      .map((annotation) => [annotation.imageId, annotation]),
  );
}

/** The annotations with exactly this label, in image order, a page at a time: `after` is the last image id before. */
export function annotationsOfLabel(
  db: Reader,
  labelId: number,
  { limit = pageSize, after = 0 }: Page = {},
): Annotation[] {
  return all(db, sql.ofLabel, [labelId, after, limit]).map(annotationOf);
}

/** How many images have exactly this label. */
export function countAnnotationsOfLabel(db: Reader, labelId: number): number {
  return count("annotations", get(db, sql.countOfLabel, [labelId]) ?? {}, "count");
}

/** Calls `visit` for every annotation, in image order. Nothing may be written to the library meanwhile. */
export function forEachAnnotation(db: Reader, visit: (annotation: Annotation) => void): void {
  forEachRow(db, sql.all, [], (row) => visit(annotationOf(row)));
}

/** A label to put on an image. */
export type Assignment = Pick<Annotation, "imageId" | "labelId" | "provenance" | "confidence">;

/**
 * Puts labels on images as one operation, in the place of those they had; images that have just that annotation are
 * skipped. Returns the operation, or null where all were. Throws `image-unknown` or `label-unknown`, and then nothing
 * has changed.
 */
export function assignLabels(
  db: Writer,
  assignments: readonly Assignment[],
  operation: Pick<Operation, "kind" | "summary">,
): Operation | null {
  return recordOperation(db, operation, (change) => assign(change, assignments)).operation;
}

/** `assignLabels` as a part of a larger operation. */
export function assign(change: Change, assignments: readonly Assignment[]): void {
  const imageIds = assignments.map(({ imageId }) => imageId);
  const labelIds = [...new Set(assignments.map(({ labelId }) => labelId))];
  refuseUnknown(change.db, sql.knownImages, imageIds, unknownImage);
  refuseUnknown(change.db, sql.knownLabels, labelIds, unknownLabel);
  const current = annotationsOfImages(change.db, imageIds);
  for (const { imageId, labelId, provenance, confidence } of assignments) {
    const before = current.get(imageId);
    if (before?.labelId === labelId && before.provenance === provenance && before.confidence === confidence) continue;
    const { operationId, at } = change;
    const annotation: Annotation = { imageId, labelId, provenance, confidence, operationId, createdAt: at };
    if (before === undefined) change.insert("annotations", rowOf(annotation));
    else change.update("annotations", rowOf(annotation));
    current.set(imageId, annotation);
  }
}

function refuseUnknown(db: Reader, statement: string, ids: readonly number[], error: (id: number) => CoreError): void {
  const known = new Set(allIn(db, statement, ids).map((row) => row["id"]));
  const unknown = ids.find((id) => !known.has(id));
  if (unknown !== undefined) throw error(unknown);
}

/** Takes the labels off images as one operation. Returns it, or null where none had a label. */
export function removeAnnotations(
  db: Writer,
  imageIds: readonly number[],
  operation: Pick<Operation, "kind" | "summary">,
): Operation | null {
  return recordOperation(db, operation, (change) => {
    for (const imageId of annotationsOfImages(db, imageIds).keys()) change.delete("annotations", imageId);
  }).operation;
}

/**
 * Gives the images of one label another, as part of an operation. Who said so, how sure they were and when stays; the
 * operation is the new one.
 */
export function moveAnnotations(change: Change, fromLabelId: number, toLabelId: number): void {
  for (;;) {
    // Those that were moved are not found again, so every page is the first.
    const page = annotationsOfLabel(change.db, fromLabelId);
    for (const annotation of page) {
      change.update("annotations", rowOf({ ...annotation, labelId: toLabelId, operationId: change.operationId }));
    }
    if (page.length < pageSize) return;
  }
}

/** The error for an id that no label has. */
export function unknownLabel(id: number): CoreError {
  return new CoreError("label-unknown", `There is no label ${id} in this library.`);
}
