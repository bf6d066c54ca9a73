/**
 * The one place that talks to better-sqlite3. Connections leave it as opaque handles, so that nothing outside
 * core/library can run SQL, and every SQLite error leaves it as a CoreError.
 */
import type { Database, Statement } from "better-sqlite3";
import { libraryError } from "./errors.ts";

declare const file: unique symbol;
declare const access: unique symbol;

/** A connection to `library.sqlite` that may only be read. */
export interface Reader {
  readonly [file]: "library";
}

/** A connection to `library.sqlite` that may be written; it will do wherever a Reader is wanted. */
export interface Writer extends Reader {
  readonly [access]: "write";
}

/** A connection to `thumbnails.sqlite` that may only be read. */
export interface ThumbnailReader {
  readonly [file]: "thumbnails";
}

/** A connection to `thumbnails.sqlite` that may be written. */
export interface ThumbnailWriter extends ThumbnailReader {
  readonly [access]: "write";
}

export type AnyReader = Reader | ThumbnailReader;
export type AnyWriter = Writer | ThumbnailWriter;

/** What SQLite stores in a cell. */
export type Value = number | string | Uint8Array | null;

/** Values of a statement: by position, or by name for `:name`. */
export type Parameters = readonly Value[] | Readonly<Record<string, Value>>;

/** A row as SQLite gave it; rows.ts turns its cells into checked values. */
export type Row = Readonly<Record<string, unknown>>;

/** The better-sqlite3 connection behind a handle. For core/library and its tests only. */
export function connectionOf(db: AnyReader): Database {
  return db as unknown as Database;
}

/** A handle for a connection; the caller vouches that its file and access are what the type says. */
export function handleOf<Handle extends AnyReader>(connection: Database): Handle {
  return connection as unknown as Handle;
}

const preparedStatements = new WeakMap<AnyReader, Map<string, Statement<unknown[]>>>();

/** Statements are prepared once per connection: every text comes from a constant, so their number is bounded. */
function prepare(db: AnyReader, sql: string): Statement<unknown[]> {
  let statements = preparedStatements.get(db);
  if (statements === undefined) {
    statements = new Map();
    preparedStatements.set(db, statements);
  }
  let statement = statements.get(sql);
  if (statement === undefined) {
    statement = connectionOf(db).prepare(sql);
    statements.set(sql, statement);
  }
  return statement;
}

/** Runs `work` and turns what SQLite throws into a CoreError (see `libraryError`). */
export function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw libraryError(error);
  }
}

/** All rows of a query. */
export function all(db: AnyReader, sql: string, parameters: Parameters = []): Row[] {
  return guarded(() => prepare(db, sql).all(parameters) as Row[]);
}

/** The first row of a query, or undefined. */
export function get(db: AnyReader, sql: string, parameters: Parameters = []): Row | undefined {
  return guarded(() => prepare(db, sql).get(parameters) as Row | undefined);
}

/**
 * Calls `visit` for each row without holding them all. Nothing may be written through this connection meanwhile, and
 * the same query may not run inside `visit`.
 */
export function forEachRow(db: AnyReader, sql: string, parameters: Parameters, visit: (row: Row) => void): void {
  guarded(() => {
    for (const row of prepare(db, sql).iterate(parameters)) visit(row as Row);
  });
}

/** `forEachRow` with a row's cells as a list, in the order of the query's columns: for very long lists. */
export function forEachCells(
  db: AnyReader,
  sql: string,
  parameters: Parameters,
  visit: (cells: readonly unknown[]) => void,
): void {
  guarded(() => {
    const statement = prepare(db, sql).raw(true);
    try {
      for (const cells of statement.iterate(parameters)) visit(cells as unknown[]);
    } finally {
      // Others read rows from the same statement.
      statement.raw(false);
    }
  });
}

/** Runs a statement that writes. */
export function run(db: AnyWriter, sql: string, parameters: Parameters = []): { changes: number; rowId: number } {
  return guarded(() => {
    const result = prepare(db, sql).run(parameters);
    return { changes: result.changes, rowId: Number(result.lastInsertRowid) };
  });
}

/**
 * Runs `work` as one transaction: all of its writes or none. Inside another transaction it is a savepoint. The write
 * lock is taken at the start, so that a transaction never fails halfway because it could not upgrade from reading.
 */
export function transaction<T>(db: AnyWriter, work: () => T): T {
  return guarded(() => connectionOf(db).transaction(work).immediate());
}
