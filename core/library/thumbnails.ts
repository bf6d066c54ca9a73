/**
 * `thumbnails.sqlite`, a cache: it may be deleted at any time, and is made anew where it is missing, damaged or of
 * another version. Keyed by content hash, so that a moved or copied file needs no new thumbnail.
 */
import Database from "better-sqlite3";
import type { Database as Connection } from "better-sqlite3";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { allIn, places } from "./chunked.ts";
import { connect, useWriteAheadLog } from "./connection.ts";
import { CoreError } from "../util/errors.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, ThumbnailReader, ThumbnailWriter } from "./database.ts";
import { errorCode } from "./errors.ts";
import { blob, hex } from "./rows.ts";

export const thumbnailStatements = {
  put: `INSERT INTO thumbnails (content_hash, webp) VALUES (?, ?)
    ON CONFLICT (content_hash) DO UPDATE SET webp = excluded.webp`,
  get: "SELECT webp FROM thumbnails WHERE content_hash = ?",
  present: `SELECT content_hash FROM thumbnails WHERE content_hash IN (${places})`,
  page: "SELECT content_hash FROM thumbnails WHERE content_hash > ? ORDER BY content_hash LIMIT ?",
  delete: "DELETE FROM thumbnails WHERE content_hash = ?",
} as const;

/** Statements on `library.sqlite`. */
export const thumbnailLibraryStatements = {
  referenced: `SELECT content_hash FROM images WHERE content_hash IN (${places})`,
} as const;

const sql = { ...thumbnailStatements, ...thumbnailLibraryStatements };
const hash = hex(64);

/** "DINT" in ASCII. */
const applicationId = 0x44494e54;
/** Another version is another cache: it is made anew rather than migrated. */
const version = 10;

// A row id table with a narrow index beside it: thumbnails fill most of a page, too much for the key tree itself.
const schema = `
CREATE TABLE thumbnails (
  id INTEGER PRIMARY KEY,
  content_hash TEXT NOT NULL CHECK (length(content_hash) = 64),
  webp BLOB NOT NULL CHECK (length(webp) > 0)
) STRICT;
CREATE UNIQUE INDEX thumbnails_content_hash ON thumbnails (content_hash);
`;

/** Opens the cache of a library folder. Reading, a cache that is missing or no good is an empty one in memory. */
export function openThumbnails(folder: string, mode: "write" | "read"): Connection {
  const file = join(folder, "thumbnails.sqlite");
  const existing = existsSync(file) ? openUsable(file, mode) : null;
  if (existing !== null) return existing;
  if (mode === "read") {
    const empty = new Database(":memory:");
    empty.exec(schema);
    return empty;
  }
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
  const connection = connect(file);
  try {
    connection.pragma("page_size = 8192");
    connection.transaction(() => {
      connection.pragma(`application_id = ${applicationId}`);
      connection.pragma(`user_version = ${version}`);
      connection.exec(schema);
    })();
    useWriteAheadLog(connection, folder);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** The cache in `file`, or null where it cannot be used as it is. */
function openUsable(file: string, mode: "write" | "read"): Connection | null {
  let connection: Connection | undefined;
  try {
    connection = connect(file, mode === "read");
    const fits =
      connection.pragma("application_id", { simple: true }) === applicationId &&
      connection.pragma("user_version", { simple: true }) === version;
    if (fits) {
      if (mode === "write") useWriteAheadLog(connection, file);
      // Damage often shows at once: a file cut short, or a page overwritten. A full check would read a gigabyte.
      connection.prepare("SELECT max(content_hash), max(id) FROM thumbnails").get();
      connection.prepare("SELECT webp FROM thumbnails ORDER BY id DESC LIMIT 1").get();
      return connection;
    }
  } catch (error) {
    const code = errorCode(error) ?? "";
    // Anything else (a full disk, a lock) is no reason to throw the cache away. A missing table is SQLITE_ERROR.
    if (!/^SQLITE_(CORRUPT|NOTADB|ERROR)/.test(code)) {
      connection?.close();
      throw error;
    }
  }
  connection?.close();
  return null;
}

/** A thumbnail and the file that it shows. */
export interface Thumbnail {
  /** SHA-256 of the picture file, in hex. */
  readonly contentHash: string;
  /** The encoded picture, a WebP file. */
  readonly webp: Uint8Array;
}

/** Runs `work`; where it finds the cache damaged, the advice is to delete it, not to look for a backup. */
function sparing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!/^SQLITE_(CORRUPT|NOTADB)/.test(errorCode(error) ?? "")) throw error;
    throw new CoreError("thumbnails-corrupt", "The thumbnails of the library are damaged.", {
      hint: "Close Dinoscope and delete thumbnails.sqlite in the library folder: it is a cache, and is made again.",
      cause: error,
    });
  }
}

/** Stores thumbnails, all or none; those with the same hash are replaced. Throws `thumbnails-corrupt`. */
export function putThumbnails(db: ThumbnailWriter, thumbnails: readonly Thumbnail[]): void {
  const put = (): void => {
    for (const { contentHash, webp } of thumbnails) run(db, sql.put, [contentHash, webp]);
  };
  sparing(() => transaction(db, put));
}

/** The WebP file of a thumbnail, or null. Throws `thumbnails-corrupt`. */
export function getThumbnail(db: ThumbnailReader, contentHash: string): Uint8Array | null {
  const row = sparing(() => get(db, sql.get, [contentHash]));
  return row === undefined ? null : blob("thumbnails", row, "webp");
}

/** Which of these content hashes have no thumbnail: what is to be made again after the cache was deleted. */
export function withoutThumbnail(db: ThumbnailReader, contentHashes: readonly string[]): string[] {
  const present = new Set(allIn(db, sql.present, contentHashes).map((row) => hash("thumbnails", row, "content_hash")));
  return [...new Set(contentHashes)].filter((contentHash) => !present.has(contentHash));
}

/** Deletes the thumbnails that no image of the library has the content of. Returns how many. */
export function pruneThumbnails(thumbnails: ThumbnailWriter, library: Reader): number {
  const pageSize = 5000;
  let after = "";
  let pruned = 0;
  for (;;) {
    const hashes = all(thumbnails, sql.page, [after, pageSize]).map((row) => hash("thumbnails", row, "content_hash"));
    const referenced = new Set(allIn(library, sql.referenced, hashes).map((row) => row["content_hash"]));
    transaction(thumbnails, () => {
      for (const contentHash of hashes)
        if (!referenced.has(contentHash)) pruned += run(thumbnails, sql.delete, [contentHash]).changes;
    });
    const last = hashes.at(-1);
    if (last === undefined || hashes.length < pageSize) return pruned;
    after = last;
  }
}
