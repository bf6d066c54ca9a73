import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { errorCode, libraryError } from "../../core/library/errors.ts";
import { CoreError } from "../../core/util/errors.ts";

function nodeError(code: string): Error {
  return Object.assign(new Error("from the system"), { code });
}

describe("errors of SQLite and the file system", () => {
  test.each([
    ["SQLITE_FULL", "disk-full"],
    ["SQLITE_READONLY", "library-read-only"],
    ["SQLITE_READONLY_DIRECTORY", "library-read-only"],
    ["SQLITE_CANTOPEN", "library-cannot-open"],
    ["SQLITE_CANTOPEN_ISDIR", "library-cannot-open"],
    ["SQLITE_BUSY", "library-busy"],
    ["SQLITE_BUSY_SNAPSHOT", "library-busy"],
    ["SQLITE_CORRUPT", "library-corrupt"],
    ["SQLITE_CORRUPT_INDEX", "library-corrupt"],
    ["SQLITE_NOTADB", "library-corrupt"],
    ["SQLITE_IOERR", "disk-failed"],
    ["SQLITE_IOERR_WRITE", "disk-failed"],
    ["SQLITE_CONSTRAINT_CHECK", "row-invalid"],
  ])("%s becomes %s, with what happened and what to do", (code, expected) => {
    const cause = new Database.SqliteError("in SQLite's words", code);
    const error = libraryError(cause);
    expect(error).toBeInstanceOf(CoreError);
    expect(error).toMatchObject({ code: expected, cause });
    expect((error as CoreError).message).toContain("(in SQLite's words)");
    expect((error as CoreError).hint).toMatch(/\.$/);
    expect(errorCode(error)).toBe(code);
  });

  test.each([
    ["ENOSPC", "disk-full"],
    ["EROFS", "library-read-only"],
    ["EACCES", "library-read-only"],
    ["EPERM", "library-read-only"],
    ["ENOTDIR", "library-cannot-open"],
    ["EIO", "disk-failed"],
  ])("%s becomes %s", (code, expected) => {
    expect(libraryError(nodeError(code))).toMatchObject({ code: expected });
  });

  test("what is none of these is given back as it came", () => {
    const others = [
      new CoreError("label-exists", "words"),
      nodeError("ECONNRESET"),
      new Error("a bug"),
      "text",
      undefined,
    ];
    for (const other of others) expect(libraryError(other)).toBe(other);
  });
});
