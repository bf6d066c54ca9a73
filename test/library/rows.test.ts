import { describe, expect, test } from "vitest";
import { connectionOf } from "../../core/library/database.ts";
import { listImages } from "../../core/library/images.ts";
import { isInnerPath } from "../../core/library/rows.ts";
import { addImages, errorOf, temporaryLibrary } from "./support.ts";

describe("a row of a damaged or hostile file", () => {
  test.each([
    ["path = '../../etc/passwd'", "path should be a path inside its folder"],
    ["path = '/etc/passwd'", "path should be a path inside its folder"],
    ["byte_size = -1", "byte_size should be 0 or more, found -1"],
    ["modified_at = 9223372036854775807", "modified_at should be an integer"],
    ["content_hash = printf('%064d', 0) || 'x'", "content_hash should be 64 hex digits"],
    ["content_hash = replace(content_hash, '0', '/')", "content_hash should be 64 hex digits"],
    ["perceptual_hash = 'short'", "perceptual_hash should be 16 hex digits"],
    ["problem_code = 'x'", "a problem lacks its code or its message"],
    ["path = char(10) || char(0)", "path should be"],
  ])("is reported with table, row, column and value: %s", (change, words) => {
    const { db } = temporaryLibrary();
    const [id = 0] = addImages(db, 1);
    connectionOf(db).pragma("ignore_check_constraints = ON");
    connectionOf(db).exec(`UPDATE images SET ${change}`);
    const error = errorOf(() => listImages(db));
    expect(error.code).toBe("library-corrupt");
    expect(error.message).toContain(`table images is damaged: in row ${id}, ${words}`);
    expect(error.hint).toContain("backup");
  });
});

describe("a path inside its folder", () => {
  test.each(["a", "a/b", "..a/b..", "a b/ü", "a\\b"])("may be %j", (path) => {
    expect(isInnerPath(path, "linux")).toBe(true);
  });
  test.each(["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a/../../b", "a\0"])("may not be %j", (path) => {
    expect(isInnerPath(path, "linux")).toBe(false);
  });
  test.each(["a\\..\\b", "C:\\a", "C:/a", "a:stream", "\\\\share\\a", "..\\a"])("may not be %j on Windows", (path) => {
    expect(isInnerPath(path, "win32")).toBe(false);
  });
});
