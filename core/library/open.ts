import Database from "better-sqlite3";
import type { Database as Connection } from "better-sqlite3";
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { endianness } from "node:os";
import { dirname, join, resolve } from "node:path";
import { CoreError } from "../util/errors.ts";
import { connect, useWriteAheadLog } from "./connection.ts";
import { guarded, handleOf } from "./database.ts";
import type { Reader, ThumbnailReader, ThumbnailWriter, Writer } from "./database.ts";
import { stopAbandonedJobs } from "./jobs.ts";
import { holdWriterLock } from "./lock.ts";
import { checkedVersion, latestVersion, migrate, migrations } from "./migrations/index.ts";
import { stopAbandonedRuns } from "./runs.ts";
import { openThumbnails } from "./thumbnails.ts";

/** A library that may only be read; another process may be writing it meanwhile. */
export interface ReadLibrary {
  /** Absolute path of the library folder. */
  readonly folder: string;
  readonly db: Reader;
  readonly thumbnails: ThumbnailReader;
  close(): void;
}

/** A library that this process alone may write. */
export interface Library extends ReadLibrary {
  readonly db: Writer;
  readonly thumbnails: ThumbnailWriter;
}

/** "DINO" in ASCII: tells our files from other SQLite files (header offset 68). */
export const libraryApplicationId = 0x44494e4f;

/**
 * Opens the library in `folder`.
 *
 * `write` makes the folder and its files where they are absent, takes the writer's lock under the name `holder` (the
 * command, such as `dinoscope embed`), applies migrations, and stops jobs and runs that a killed process left. `read`
 * takes no lock and changes nothing.
 *
 * Throws `library-missing` (read), `library-locked` (write), `library-foreign` for another program's SQLite file,
 * `library-newer`, `library-older` (read: it must be opened for writing once), and what `libraryError` knows.
 */
export function openLibrary(folder: string, options: { readonly mode: "write"; readonly holder?: string }): Library;
export function openLibrary(folder: string, options: { readonly mode: "read" }): ReadLibrary;
export function openLibrary(
  folder: string,
  options: { readonly mode: "write" | "read"; readonly holder?: string },
): Library | ReadLibrary {
  // Vectors are copied between blobs and Float32Array without conversion.
  if (endianness() !== "LE") {
    throw new CoreError("platform-unsupported", "A library needs a little-endian machine (x64 or arm64).");
  }
  const absolute = resolve(folder);
  return guarded(() =>
    options.mode === "write" ? openToWrite(absolute, options.holder ?? "dinoscope") : openToRead(absolute),
  );
}

/** Node's recursive mkdir says ENOENT on a read-only disk; a plain one gives the real reason. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    if (existsSync(dirname(folder))) mkdirSync(folder);
    throw error;
  }
}

function openToWrite(folder: string, holder: string): Library {
  makeFolder(folder);
  // SQLite would only say that it cannot open its file.
  accessSync(folder, constants.W_OK);
  const lock = holdWriterLock(folder, holder);
  let connection: Connection | undefined;
  let thumbnails: Connection | undefined;
  const close = (): void => {
    thumbnails?.close();
    connection?.close();
    lock.release();
  };
  try {
    connection = connect(join(folder, "library.sqlite"));
    if (isEmpty(connection)) {
      // 8 KiB holds five ViT-S vectors (1,536 bytes each) a page; 4 KiB would hold two and waste a quarter.
      connection.pragma("page_size = 8192");
      // Until this is committed the file stays empty, so it is never taken for another program's.
      connection.pragma(`application_id = ${libraryApplicationId}`);
    }
    refuseForeign(connection, folder);
    checkedVersion(connection);
    useWriteAheadLog(connection, folder);
    migrate(connection);
    refuseChangedSchema(connection);
    thumbnails = openThumbnails(folder, "write");
    stopAbandonedJobs(handleOf<Writer>(connection));
    stopAbandonedRuns(handleOf<Writer>(connection));
    return { folder, db: handleOf<Writer>(connection), thumbnails: handleOf<ThumbnailWriter>(thumbnails), close };
  } catch (error) {
    close();
    throw error;
  }
}

function openToRead(folder: string): ReadLibrary {
  const file = join(folder, "library.sqlite");
  if (!existsSync(file)) throw missingError(folder);
  const connection = connect(file, true);
  try {
    if (isEmpty(connection)) throw missingError(folder);
    refuseForeign(connection, folder);
    const version = checkedVersion(connection);
    if (version < latestVersion(migrations)) {
      throw new CoreError("library-older", `The library ${folder} was written by an older Dinoscope.`, {
        hint: "Open it once for writing, with the app or `dinoscope add`, and it is brought up to date.",
      });
    }
    refuseChangedSchema(connection);
    const thumbnails = openThumbnails(folder, "read");
    const close = (): void => {
      thumbnails.close();
      connection.close();
    };
    return { folder, db: handleOf<Reader>(connection), thumbnails: handleOf<ThumbnailReader>(thumbnails), close };
  } catch (error) {
    connection.close();
    throw error;
  }
}

function missingError(folder: string): CoreError {
  return new CoreError("library-missing", `There is no library in ${folder}.`, {
    hint: "Check the folder given with --library, or make a library with `dinoscope add FOLDER`.",
  });
}

function isEmpty(connection: Connection): boolean {
  return connection.pragma("page_count", { simple: true }) === 0;
}

function refuseForeign(connection: Connection, folder: string): void {
  const id = Number(connection.pragma("application_id", { simple: true }));
  if (id === libraryApplicationId) return;
  throw new CoreError(
    "library-foreign",
    `${join(folder, "library.sqlite")} is a database of another program (application id ${id}), not a Dinoscope library.`,
    { hint: "Choose another folder with --library. The file was not changed." },
  );
}

/** Tables, indexes, triggers and views, except the statistics of ANALYZE. */
function schemaOf(connection: Connection): string {
  const sql =
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name";
  return JSON.stringify(connection.prepare(sql).all());
}

/**
 * The schema must be, word for word, what the migrations make: then its constraints hold for what is written, and no
 * trigger or view of a file from elsewhere runs.
 */
function refuseChangedSchema(connection: Connection): void {
  const fresh = new Database(":memory:");
  migrate(fresh);
  const expected = schemaOf(fresh);
  fresh.close();
  if (schemaOf(connection) !== expected) {
    throw new CoreError("library-corrupt", "The library's tables are not those that Dinoscope made.", {
      hint: "Another program changed library.sqlite. Restore it from a backup.",
    });
  }
}
