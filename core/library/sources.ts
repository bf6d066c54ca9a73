import type { Source } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { count, integer, text } from "./rows.ts";

export const sourceStatements = {
  list: "SELECT * FROM sources ORDER BY id",
  byId: "SELECT * FROM sources WHERE id = ?",
  byFolder: "SELECT * FROM sources WHERE folder = ?",
  insert: "INSERT INTO sources (folder, created_at) VALUES (?, ?)",
  // Whatever the log changed of an image names it in the first cell, but for rejections, where it is the second.
  inHistory: `SELECT 1 AS found FROM operation_changes
    JOIN images ON images.id = json_extract(
      ifnull(before, after), iif(table_name = 'suggestion_rejections', '$[1]', '$[0]')
    )
    WHERE table_name IN ('annotations', 'masks', 'suggestion_rejections') AND images.source_id = ? LIMIT 1`,
  annotated: `SELECT 1 AS found FROM images JOIN annotations ON annotations.image_id = images.id
    WHERE images.source_id = ? LIMIT 1`,
  deleteMasks: "DELETE FROM masks WHERE image_id IN (SELECT id FROM images WHERE source_id = ?)",
  deleteImages: "DELETE FROM images WHERE source_id = ?",
  delete: "DELETE FROM sources WHERE id = ?",
  countImages: "SELECT count(*) AS count FROM images WHERE source_id = ?",
  move: "UPDATE sources SET folder = ? WHERE id = ?",
} as const;

const sql = sourceStatements;

function sourceOf(row: Row): Source {
  return {
    id: integer("sources", row, "id"),
    folder: text("sources", row, "folder"),
    createdAt: integer("sources", row, "created_at"),
  };
}

/** All sources in the order they were added. */
export function listSources(db: Reader): Source[] {
  return all(db, sql.list).map(sourceOf);
}

/** One source, or null. */
export function sourceById(db: Reader, id: number): Source | null {
  const row = get(db, sql.byId, [id]);
  return row === undefined ? null : sourceOf(row);
}

/** The source for a folder (an absolute path), added where it is new. */
export function ensureSource(db: Writer, folder: string, at = Date.now()): Source {
  return transaction(db, () => {
    const row = get(db, sql.byFolder, [folder]);
    if (row !== undefined) return sourceOf(row);
    return { id: run(db, sql.insert, [folder, at]).rowId, folder, createdAt: at };
  });
}

/**
 * Points a source at the folder that its pictures were moved to; every image keeps its row. Throws `source-unknown`, or
 * `source-exists` where another source has that folder.
 */
export function moveSource(db: Writer, id: number, folder: string): void {
  transaction(db, () => {
    const row = get(db, sql.byFolder, [folder]);
    if (row !== undefined && sourceOf(row).id !== id) {
      throw new CoreError("source-exists", `${folder} is a source of this library already.`);
    }
    if (run(db, sql.move, [folder, id]).changes === 0) {
      throw new CoreError("source-unknown", `There is no source ${id} in this library.`);
    }
  });
}

/**
 * Takes a source out with its images and all that was computed from them; returns how many images it had. Throws
 * `source-unknown`, and `source-in-use` where an image of it has a label, or the history speaks of one: such operations
 * could not be undone any more, nor those before them.
 */
export function removeSource(db: Writer, id: number): number {
  return transaction(db, () => {
    const source = sourceById(db, id);
    if (source === null) throw new CoreError("source-unknown", `There is no source ${id} in this library.`);
    if (get(db, sql.annotated, [id]) !== undefined || get(db, sql.inHistory, [id]) !== undefined) {
      throw new CoreError(
        "source-in-use",
        `Images of ${source.folder} have labels or masks in this library's history.`,
        {
          hint: "Only a folder that nobody has worked on can be taken out. Delete or move its files, and they are marked as gone.",
        },
      );
    }
    const images = count("images", get(db, sql.countImages, [id]) ?? {}, "count");
    run(db, sql.deleteMasks, [id]);
    run(db, sql.deleteImages, [id]);
    run(db, sql.delete, [id]);
    return images;
  });
}
