import type { Source } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { integer, text } from "./rows.ts";

export const sourceStatements = {
  list: "SELECT * FROM sources ORDER BY id",
  byId: "SELECT * FROM sources WHERE id = ?",
  byFolder: "SELECT * FROM sources WHERE folder = ?",
  insert: "INSERT INTO sources (folder, created_at) VALUES (?, ?)",
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
