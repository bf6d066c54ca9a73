/**
 * Rows are checked on the way out: a file can be damaged, or made by someone who wishes harm, whatever the CHECK
 * constraints say. Each function reads one cell and throws `library-corrupt`, naming the table, the row and the column.
 */
import { CoreError } from "../util/errors.ts";
import type { Row } from "./database.ts";

/** Reads one cell of a row of `table`. */
export type Cell<T> = (table: string, row: Row, column: string) => T;

/** The error for a row that cannot be what it says it is. */
export function corruptRow(table: string, row: Row, problem: string): CoreError {
  const id = row["id"] ?? row["image_id"] ?? row["operation_id"];
  const name = typeof id === "number" || typeof id === "string" ? `row ${id}` : "a row";
  return new CoreError("library-corrupt", `The library's table ${table} is damaged: in ${name}, ${problem}.`, {
    hint: "Restore library.sqlite from a backup. Your pictures are not affected.",
  });
}

function wrong(table: string, row: Row, column: string, wanted: string): CoreError {
  const value = row[column];
  const found = value instanceof Uint8Array ? `${value.byteLength} bytes` : String(JSON.stringify(value)).slice(0, 60);
  return corruptRow(table, row, `${column} should be ${wanted}, found ${found}`);
}

/** An integer that a JavaScript number holds exactly. */
export const integer: Cell<number> = (table, row, column) => {
  const value = row[column];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrong(table, row, column, "an integer");
  return value;
};

/** An integer of 0 or more. */
export const count: Cell<number> = (table, row, column) => {
  const value = integer(table, row, column);
  if (value < 0) throw wrong(table, row, column, "0 or more");
  return value;
};

/** A finite number. */
export const real: Cell<number> = (table, row, column) => {
  const value = row[column];
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(table, row, column, "a finite number");
  return value;
};

/** A number from 0 to 1. */
export const share: Cell<number> = (table, row, column) => {
  const value = real(table, row, column);
  if (value < 0 || value > 1) throw wrong(table, row, column, "between 0 and 1");
  return value;
};

/** Text of any length. */
export const text: Cell<string> = (table, row, column) => {
  const value = row[column];
  if (typeof value !== "string") throw wrong(table, row, column, "text");
  return value;
};

/** 0 or 1. */
export const flag: Cell<boolean> = (table, row, column) => {
  const value = row[column];
  if (value !== 0 && value !== 1) throw wrong(table, row, column, "0 or 1");
  return value === 1;
};

/** Bytes of any number. */
export const blob: Cell<Uint8Array> = (table, row, column) => {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw wrong(table, row, column, "bytes");
  return value;
};

/** Lower-case hex of exactly `digits` digits. */
export function hex(digits: number): Cell<string> {
  const pattern = new RegExp(`^[0-9a-f]{${digits}}$`);
  return (table, row, column) => {
    const value = text(table, row, column);
    if (!pattern.test(value)) throw wrong(table, row, column, `${digits} hex digits`);
    return value;
  };
}

/** One of a closed list of words. */
export function oneOf<Word extends string>(words: readonly Word[]): Cell<Word> {
  return (table, row, column) => {
    const value = row[column];
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw wrong(table, row, column, `one of ${words.join(", ")}`);
    return word;
  };
}

/** The same cell where NULL is allowed. */
export function orNull<T>(cell: Cell<T>): Cell<T | null> {
  return (table, row, column) => (row[column] === null ? null : cell(table, row, column));
}

/** JSON data of any shape. */
export const json: Cell<unknown> = (table, row, column) => {
  try {
    return JSON.parse(text(table, row, column)) as unknown;
  } catch (error) {
    if (error instanceof CoreError) throw error;
    throw wrong(table, row, column, "JSON");
  }
};

/** A JSON object. */
export const jsonObject: Cell<Record<string, unknown>> = (table, row, column) => {
  const value = json(table, row, column);
  if (!isObject(value)) throw wrong(table, row, column, "a JSON object");
  return value;
};

/** Whether a value is an object with keys, rather than null or an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A relative path with forward slashes that stays inside the folder it is relative to: not absolute, no empty, `.` or
 * `..` part, no NUL. On Windows a backslash separates parts as well, and a colon would name a drive or a stream.
 */
export function isInnerPath(path: string, platform: NodeJS.Platform = process.platform): boolean {
  if (path.includes("\0") || (platform === "win32" && path.includes(":"))) return false;
  const parts = path.split(platform === "win32" ? /[\\/]/ : "/");
  return parts.every((part) => part !== "" && part !== "." && part !== "..");
}

/** A path that `isInnerPath` accepts. */
export const innerPath: Cell<string> = (table, row, column) => {
  const value = text(table, row, column);
  if (!isInnerPath(value)) throw wrong(table, row, column, "a path inside its folder");
  return value;
};

/** A path that `isInnerPath` accepts, of a file below `models`: deleting a model must not delete anything else. */
export const modelPath: Cell<string> = (table, row, column) => {
  const value = innerPath(table, row, column);
  if (!value.startsWith("models/")) throw wrong(table, row, column, "a path below models/");
  return value;
};
