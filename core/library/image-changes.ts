/** What ingest does to images. None of it is in the operation log: it follows the files, not the user. */
import type { Image } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { get, run, transaction } from "./database.ts";
import type { Value, Writer } from "./database.ts";
import { imageByPath } from "./images.ts";
import { isInnerPath } from "./rows.ts";

export const imageChangeStatements = {
  insert: `INSERT INTO images (source_id, path, byte_size, modified_at, content_hash, format, width, height,
      perceptual_hash, problem_code, problem_message)
    VALUES (:sourceId, :path, :byteSize, :modifiedAt, :contentHash, :format, :width, :height,
      :perceptualHash, :problemCode, :problemMessage)`,
  updateContent: `UPDATE images SET byte_size = :byteSize, modified_at = :modifiedAt, content_hash = :contentHash,
      format = :format, width = :width, height = :height, perceptual_hash = :perceptualHash,
      problem_code = :problemCode, problem_message = :problemMessage, missing_since = NULL
    WHERE id = :id`,
  updatePath: `UPDATE images SET source_id = :sourceId, path = :path, modified_at = :modifiedAt, missing_since = NULL
    WHERE id = :id`,
  parkPath: "UPDATE images SET path = '/' || id WHERE id = ?",
  markMissing: "UPDATE images SET missing_since = ? WHERE id = ? AND missing_since IS NULL",
  markFound: "UPDATE images SET missing_since = NULL WHERE id = ?",
  deleteEmbeddings: "DELETE FROM embeddings WHERE image_id = ?",
  deleteSuggestions: "DELETE FROM suggestions WHERE image_id = ?",
  // A mask by hand stays with its picture while it fits, as the annotation does.
  deleteMask: `DELETE FROM masks WHERE image_id = ? AND (edited = 0 OR EXISTS (
      SELECT 1 FROM images WHERE id = image_id AND (images.width IS NOT masks.width OR images.height IS NOT masks.height)
    ))`,
  deleteMaskScore: "DELETE FROM mask_scores WHERE image_id = ?",
  contentHash: "SELECT content_hash FROM images WHERE id = ?",
} as const;

const sql = imageChangeStatements;

/** A file as ingest found it. Either it could be read, or `problem` says why not. */
export type NewImage = Omit<Image, "id" | "missingSince">;

/** What a file holds, for an image that is there already. */
export type ImageContent = Omit<NewImage, "sourceId" | "path"> & Pick<Image, "id">;

function contentValues(image: Omit<ImageContent, "id">): Record<string, Value> {
  return {
    byteSize: image.byteSize,
    modifiedAt: image.modifiedAt,
    contentHash: image.contentHash,
    format: image.format,
    width: image.width,
    height: image.height,
    perceptualHash: image.perceptualHash,
    problemCode: image.problem?.code ?? null,
    problemMessage: image.problem?.message ?? null,
  };
}

function checkPath(path: string): void {
  if (isInnerPath(path)) return;
  throw new CoreError(
    "path-invalid",
    `The path of an image must stay inside its source, found ${JSON.stringify(path)}.`,
    {
      hint: "Rename the file or leave it out.",
    },
  );
}

/**
 * Takes in files, all or none: a new path becomes a new image, a known one is brought up to date as by
 * `replaceContents`. Returns the ids, in the order given. `modifiedAt` is in whole milliseconds.
 */
export function upsertImages(db: Writer, images: readonly NewImage[]): number[] {
  return transaction(db, () =>
    images.map((image) => {
      const known = imageByPath(db, image.sourceId, image.path);
      if (known !== null) {
        replaceContents(db, [{ id: known.id, ...image }]);
        return known.id;
      }
      checkPath(image.path);
      return run(db, sql.insert, { sourceId: image.sourceId, path: image.path, ...contentValues(image) }).rowId;
    }),
  );
}

/**
 * Says what the files of known images hold now, and that they are there. Where the content hash changed, the embeddings,
 * attention and suggestions are of other pixels and are deleted; the annotation is the user's word and stays. Throws
 * `image-unknown`.
 */
export function replaceContents(db: Writer, contents: readonly ImageContent[]): void {
  transaction(db, () => {
    for (const content of contents) {
      const before = get(db, sql.contentHash, [content.id]);
      if (before === undefined) throw unknownImage(content.id);
      run(db, sql.updateContent, { id: content.id, ...contentValues(content) });
      if (before["content_hash"] === content.contentHash) continue;
      run(db, sql.deleteEmbeddings, [content.id]); // and attention with them, by foreign key
      run(db, sql.deleteSuggestions, [content.id]);
      run(db, sql.deleteMask, [content.id]);
      run(db, sql.deleteMaskScore, [content.id]);
    }
  });
}

/** Where the file of a known image is now. */
export type ImageMove = Pick<Image, "id" | "sourceId" | "path" | "modifiedAt">;

/**
 * Files that were moved or renamed: each image keeps its row, and with it its annotation and embeddings. Images of one
 * call may trade places. Throws `image-unknown`, or `path-taken` where an image that does not move has the path.
 */
export function relinkImages(db: Writer, moves: readonly ImageMove[]): void {
  transaction(db, () => {
    // Out of the way first, to a path that no file has, so that two files may have swapped names.
    for (const { id, path } of moves) {
      checkPath(path);
      if (run(db, sql.parkPath, [id]).changes === 0) throw unknownImage(id);
    }
    for (const { id, sourceId, path, modifiedAt } of moves) {
      if (imageByPath(db, sourceId, path) !== null) {
        throw new CoreError("path-taken", `Another image of the library is at ${path} already.`, {
          hint: "Scan the folder again, so that the library knows which files are where.",
        });
      }
      run(db, sql.updatePath, { id, sourceId, path, modifiedAt });
    }
  });
}

/** Notes that files are gone. Images that were missing before keep the time when that was first found. */
export function markMissing(db: Writer, ids: readonly number[], at = Date.now()): void {
  transaction(db, () => {
    for (const id of ids) run(db, sql.markMissing, [at, id]);
  });
}

/** Notes that files are there again, unchanged. */
export function markFound(db: Writer, ids: readonly number[]): void {
  transaction(db, () => {
    for (const id of ids) run(db, sql.markFound, [id]);
  });
}

/** The error for an id that no image has. */
export function unknownImage(id: number): CoreError {
  return new CoreError("image-unknown", `There is no image ${id} in this library.`);
}
