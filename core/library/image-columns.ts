/** The whole library by columns, for lists of 100,000 images: only what lists show, never whole rows. */
import { columns } from "./columns.ts";
import { all } from "./database.ts";
import type { Reader } from "./database.ts";

export const imageColumnStatements = {
  images: `SELECT id, source_id, missing_since IS NOT NULL AS missing, problem_code IS NOT NULL AS problem,
      CAST(width AS REAL) / height AS aspect, substr(content_hash, 1, 8) AS version, modified_at
    FROM images ORDER BY id`,
  byName: "SELECT id FROM images ORDER BY source_id, path",
  annotations: `SELECT image_id, label_id, provenance IN ('neighbours', 'cluster') AS derived FROM annotations
    ORDER BY image_id`,
  masks: "SELECT image_id, edited FROM masks ORDER BY image_id",
  // What was rejected is no suggestion.
  suggestions: `SELECT image_id, label_id, confidence, confidence_low, confidence_high, abstained FROM suggestions
    WHERE model_id = ? AND NOT EXISTS (
      SELECT 1 FROM suggestion_rejections AS rejected
      WHERE rejected.image_id = suggestions.image_id AND rejected.label_id = suggestions.label_id
    ) ORDER BY image_id`,
  memberships: "SELECT image_id, cluster_id, similarity FROM memberships WHERE model_id = ? ORDER BY image_id",
  embedded: "SELECT image_id FROM embeddings WHERE model_id = ? ORDER BY image_id",
  withText: "SELECT id FROM images WHERE path LIKE ? ESCAPE '\\' ORDER BY id",
  countAnnotations: "SELECT count(*) AS count FROM annotations",
  countMasks: "SELECT count(*) AS total, ifnull(sum(edited), 0) AS edited FROM masks",
  contentHash: "SELECT content_hash FROM images WHERE id = ?",
} as const;

const sql = imageColumnStatements;

/** Every image in the order of ids. `version` is the first 32 bits of the content's hash, `aspect` 0 where not known. */
export function imageColumns(
  db: Reader,
): Record<"id" | "source_id" | "missing" | "problem" | "aspect" | "version" | "modified_at", Float64Array> {
  return columns(db, sql.images, [], [
    "id",
    "source_id",
    "missing",
    "problem",
    "aspect",
    "version",
    "modified_at",
  ] as const);
}

/** Ids of all images by source and path. */
export function imageIdsByName(db: Reader): Float64Array {
  return columns(db, sql.byName, [], ["id"]).id;
}

/** Ids of images whose path has this text in it, whatever the case of its (ASCII) letters; in the order of ids. */
export function imageIdsWithText(db: Reader, text: string): Float64Array {
  return columns(db, sql.withText, [`%${text.replace(/[\\%_]/g, "\\$&")}%`], ["id"]).id;
}

/** Every annotation; `derived` is 1 where it was accepted from neighbours or a cluster. */
export function annotationColumns(db: Reader): Record<"image_id" | "label_id" | "derived", Float64Array> {
  return columns(db, sql.annotations, [], ["image_id", "label_id", "derived"]);
}

/** Every mask. */
export function maskColumns(db: Reader): Record<"image_id" | "edited", Float64Array> {
  return columns(db, sql.masks, [], ["image_id", "edited"]);
}

/** A model's suggestions that nobody rejected; those for images that have a label by now are among them. */
export function suggestionColumns(
  db: Reader,
  modelId: number,
): Record<"image_id" | "label_id" | "confidence" | "confidence_low" | "confidence_high" | "abstained", Float64Array> {
  return columns(db, sql.suggestions, [modelId], [
    "image_id",
    "label_id",
    "confidence",
    "confidence_low",
    "confidence_high",
    "abstained",
  ] as const);
}

/** Which cluster of a model each image is in. */
export function membershipColumns(
  db: Reader,
  modelId: number,
): Record<"image_id" | "cluster_id" | "similarity", Float64Array> {
  return columns(db, sql.memberships, [modelId], ["image_id", "cluster_id", "similarity"]);
}

/** Images that a model has embedded. */
export function embeddedColumn(db: Reader, modelId: number): Float64Array {
  return columns(db, sql.embedded, [modelId], ["image_id"]).image_id;
}

/** How many images have a label. */
export function countAnnotations(db: Reader): number {
  return Number(all(db, sql.countAnnotations)[0]?.["count"] ?? 0);
}

/** How many images have a mask, and how many of those were corrected. */
export function countMasks(db: Reader): { readonly total: number; readonly edited: number } {
  const [row] = all(db, sql.countMasks);
  return { total: Number(row?.["total"] ?? 0), edited: Number(row?.["edited"] ?? 0) };
}

/** The content hash of an image; null where it could not be read, or is not there. */
export function contentHashOf(db: Reader, imageId: number): string | null {
  const hash = all(db, sql.contentHash, [imageId])[0]?.["content_hash"];
  return typeof hash === "string" ? hash : null;
}
