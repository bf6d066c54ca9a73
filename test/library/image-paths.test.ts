import { describe, expect, test } from "vitest";
import { upsertImages } from "../../core/library/image-changes.ts";
import { findImageByPath } from "../../core/library/image-paths.ts";
import { ensureSource } from "../../core/library/sources.ts";
import { newImage, temporaryLibrary } from "./support.ts";

const composed = "Käse.jpg".normalize("NFC");

function library(): (path: string) => string | string[] {
  const { db } = temporaryLibrary();
  const first = ensureSource(db, "/data/first");
  const second = ensureSource(db, "/data/second");
  const inner = ensureSource(db, "/data/first/inner");
  const files: readonly (readonly [number, string])[] = [
    [first.id, "a.jpg"],
    [first.id, "shelf/b.jpg"],
    [first.id, "shelf/same.jpg"],
    [second.id, "shelf/same.jpg"],
    [second.id, "other/b.jpg"],
    [second.id, "x/x/only.jpg"],
    [second.id, "deep/a.jpg"],
    [second.id, composed.normalize("NFD")],
    [second.id, "100%_[1].jpg"],
    [inner.id, "c.jpg"],
  ];
  upsertImages(
    db,
    files.map(([sourceId, path]) => newImage(sourceId, path)),
  );
  return (path) => {
    const match = findImageByPath(db, path);
    const name = ({ sourceId, path: found }: { sourceId: number; path: string }): string => `${sourceId}:${found}`;
    if (match.kind === "image") return name(match.image);
    return match.kind === "none" ? "none" : match.images.map(name);
  };
}

describe("a path from a user's file", () => {
  test.each([
    ["an absolute path", "/data/first/shelf/b.jpg", "1:shelf/b.jpg"],
    ["an absolute path with detours", "/data/second/../first/./a.jpg", "1:a.jpg"],
    ["an absolute path in a source inside another", "/data/first/inner/c.jpg", "3:c.jpg"],
    ["a path relative to a source", "other/b.jpg", "2:other/b.jpg"],
    ["a path with a leading dot", "./shelf/b.jpg", "1:shelf/b.jpg"],
    ["a path with backslashes", "other\\b.jpg", "2:other/b.jpg"],
    ["a path with spaces around", "  other/b.jpg ", "2:other/b.jpg"],
    ["a file name that only one image has", "only.jpg", "2:x/x/only.jpg"],
    ["a file name that also lies deeper elsewhere: the exact path", "a.jpg", "1:a.jpg"],
    ["a name with characters that patterns use", "100%_[1].jpg", "2:100%_[1].jpg"],
    ["a name with composed accents", composed, `2:${composed.normalize("NFD")}`],
  ])("may be %s", (_, path, expected) => {
    expect(library()(path)).toBe(expected);
  });

  test("is ambiguous where several images fit equally well", () => {
    const find = library();
    expect(find("b.jpg")).toEqual(["1:shelf/b.jpg", "2:other/b.jpg"]);
    expect(find("shelf/same.jpg")).toEqual(["1:shelf/same.jpg", "2:shelf/same.jpg"]);
  });

  test.each([
    "none.jpg",
    "",
    "/data",
    "/data/first",
    "/elsewhere/a.jpg",
    "x/only.jpg",
    "shelf",
    "%",
    "../first/a.jpg",
    "\0",
  ])("fits nothing: %j", (path) => {
    expect(library()(path)).toBe("none");
  });
});
