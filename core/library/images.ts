import type { Image, Problem } from "../rpc/records.ts";
import { allIn, places } from "./chunked.ts";
import { all, get } from "./database.ts";
import type { Reader, Row } from "./database.ts";
import { corruptRow, count, hex, innerPath, integer, orNull, text } from "./rows.ts";

const columns =
  "id, source_id, path, byte_size, modified_at, content_hash, format, width, height, perceptual_hash, " +
  "problem_code, problem_message, missing_since";
const imageColumns = columns.replaceAll(/\w+/g, (column) => `images.${column}`);

export const imageStatements = {
  byId: `SELECT ${columns} FROM images WHERE id = ?`,
  byIds: `SELECT ${columns} FROM images WHERE id IN (${places})`,
  byPath: `SELECT ${columns} FROM images WHERE source_id = ? AND path = ?`,
  byName: `SELECT ${columns} FROM images WHERE name = ? ORDER BY id LIMIT ?`,
  page: `SELECT ${columns} FROM images WHERE id > ? ORDER BY id LIMIT ?`,
  filesOfSource: `SELECT id, path, byte_size, modified_at, content_hash, problem_code, problem_message, missing_since
    FROM images WHERE source_id = ? AND path > ? ORDER BY path LIMIT ?`,
  byContentHash: `SELECT ${columns} FROM images WHERE content_hash IN (${places})`,
  countByState: "SELECT count(*) AS count FROM images WHERE state = ?",
  countByStateOfSource: "SELECT count(*) AS count FROM images WHERE source_id = ? AND state = ?",
  withoutEmbedding: `SELECT ${columns} FROM images WHERE state = 'ready' AND id > :after AND NOT EXISTS (
      SELECT 1 FROM embeddings WHERE model_id = :modelId AND image_id = images.id
    ) ORDER BY id LIMIT :limit`,
  countWithoutEmbedding: `SELECT count(*) AS count FROM images WHERE state = 'ready' AND NOT EXISTS (
      SELECT 1 FROM embeddings WHERE model_id = ? AND image_id = images.id
    )`,
  // CROSS JOIN keeps SQLite from turning the loops round: the embeddings give the order.
  unlabelled: `SELECT ${imageColumns} FROM embeddings CROSS JOIN images ON images.id = embeddings.image_id
    WHERE embeddings.model_id = :modelId AND embeddings.image_id > :after AND images.state = 'ready' AND NOT EXISTS (
      SELECT 1 FROM annotations WHERE annotations.image_id = embeddings.image_id
    ) ORDER BY embeddings.image_id LIMIT :limit`,
} as const;

const sql = imageStatements;

/** Where to go on in a list in id order: `after` is the last id of the page before. */
export interface Page {
  readonly limit?: number;
  readonly after?: number;
}

/** Rows of a page when nobody said otherwise. */
export const pageSize = 1000;

const contentHash = orNull(hex(64));
const perceptualHash = orNull(hex(16));
const nullableText = orNull(text);
const nullableInteger = orNull(integer);

/** The problem of a row with `problem_code` and `problem_message`; both are NULL where there is none. */
export function problemOf(table: string, row: Row): Problem | null {
  const code = nullableText(table, row, "problem_code");
  const message = nullableText(table, row, "problem_message");
  if (code === null && message === null) return null;
  if (code === null || message === null) throw corruptRow(table, row, "a problem lacks its code or its message");
  return { code, message };
}

function imageOf(row: Row): Image {
  return {
    id: integer("images", row, "id"),
    sourceId: integer("images", row, "source_id"),
    path: innerPath("images", row, "path"),
    byteSize: count("images", row, "byte_size"),
    modifiedAt: integer("images", row, "modified_at"),
    contentHash: contentHash("images", row, "content_hash"),
    format: nullableText("images", row, "format"),
    width: nullableInteger("images", row, "width"),
    height: nullableInteger("images", row, "height"),
    perceptualHash: perceptualHash("images", row, "perceptual_hash"),
    problem: problemOf("images", row),
    missingSince: nullableInteger("images", row, "missing_since"),
  };
}

/** One image, or null. */
export function imageById(db: Reader, id: number): Image | null {
  const row = get(db, sql.byId, [id]);
  return row === undefined ? null : imageOf(row);
}

/** The images with these ids, in the order asked for; ids that are not there are left out. */
export function imagesByIds(db: Reader, ids: readonly number[]): Image[] {
  const found = new Map(allIn(db, sql.byIds, ids).map((row) => [row["id"], row]));
  return ids.flatMap((id) => {
    const row = found.get(id);
    return row === undefined ? [] : [imageOf(row)];
  });
}

/** The image at a path of a source (relative, forward slashes), or null. */
export function imageByPath(db: Reader, sourceId: number, path: string): Image | null {
  const row = get(db, sql.byPath, [sourceId, path]);
  return row === undefined ? null : imageOf(row);
}

/** At most `limit` images whose file name, without its folder, is `name`. */
export function imagesByName(db: Reader, name: string, limit: number): Image[] {
  return all(db, sql.byName, [name, limit]).map(imageOf);
}

/** All images in id order, a page at a time. */
export function listImages(db: Reader, { limit = pageSize, after = 0 }: Page = {}): Image[] {
  return all(db, sql.page, [after, limit]).map(imageOf);
}

/** What a scan needs to tell which files are new, changed or gone. */
export type ImageFile = Pick<
  Image,
  "id" | "path" | "byteSize" | "modifiedAt" | "contentHash" | "problem" | "missingSince"
>;

/**
 * The images of a source in the order of their paths (by UTF-8 bytes). Read page by page, so that 100,000 of them need
 * little memory and the library may be written between two of them.
 */
export function* imagesOfSource(db: Reader, sourceId: number): Generator<ImageFile, void, undefined> {
  let after = "";
  for (;;) {
    const rows = all(db, sql.filesOfSource, [sourceId, after, pageSize]);
    for (const row of rows) {
      after = text("images", row, "path");
      yield {
        id: integer("images", row, "id"),
        path: innerPath("images", row, "path"),
        byteSize: count("images", row, "byte_size"),
        modifiedAt: integer("images", row, "modified_at"),
        contentHash: contentHash("images", row, "content_hash"),
        problem: problemOf("images", row),
        missingSince: nullableInteger("images", row, "missing_since"),
      };
    }
    if (rows.length < pageSize) return;
  }
}

/** The images with one of these content hashes, missing or not, in no order. */
export function imagesByContentHash(db: Reader, hashes: readonly string[]): Image[] {
  return allIn(db, sql.byContentHash, [...new Set(hashes)]).map(imageOf);
}

/** How many images there are. Each is in one of the three states; `missing` goes before `problem`. */
export interface ImageCounts {
  readonly total: number;
  /** There, and readable. */
  readonly ready: number;
  /** There, but skipped. */
  readonly problem: number;
  readonly missing: number;
}

/** Image counts of the whole library, or of one source. */
export function countImages(db: Reader, sourceId?: number): ImageCounts {
  const inState = (state: string): number => {
    const row =
      sourceId === undefined
        ? get(db, sql.countByState, [state])
        : get(db, sql.countByStateOfSource, [sourceId, state]);
    return count("images", row ?? {}, "count");
  };
  const ready = inState("ready");
  const problem = inState("problem");
  const missing = inState("missing");
  return { total: ready + problem + missing, ready, problem, missing };
}

/** Ready images that the model has not embedded yet, in id order: what the embed job still has to do. */
export function imagesWithoutEmbedding(
  db: Reader,
  modelId: number,
  { limit = pageSize, after = 0 }: Page = {},
): Image[] {
  return all(db, sql.withoutEmbedding, { modelId, limit, after }).map(imageOf);
}

/** How many ready images the model has not embedded yet. */
export function countImagesWithoutEmbedding(db: Reader, modelId: number): number {
  return count("images", get(db, sql.countWithoutEmbedding, [modelId]) ?? {}, "count");
}

/** Ready images that the model has embedded and nobody has labelled, in id order. */
export function unlabelledImages(db: Reader, modelId: number, { limit = pageSize, after = 0 }: Page = {}): Image[] {
  return all(db, sql.unlabelled, { modelId, limit, after }).map(imageOf);
}
