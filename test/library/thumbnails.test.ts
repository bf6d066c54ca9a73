import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { upsertImages } from "../../core/library/image-changes.ts";
import { ensureSource } from "../../core/library/sources.ts";
import { getThumbnail, pruneThumbnails, putThumbnails, withoutThumbnail } from "../../core/library/thumbnails.ts";
import type { Thumbnail } from "../../core/library/thumbnails.ts";
import { errorOf, hashOf, newImage, temporaryLibrary } from "./support.ts";

function thumbnail(seed: number): Thumbnail {
  return { contentHash: hashOf(seed), webp: new Uint8Array([seed & 255, 1, 2]) };
}

describe("thumbnails", () => {
  test("come back by content hash, and the last one stored counts", () => {
    const { thumbnails } = temporaryLibrary();
    putThumbnails(thumbnails, [thumbnail(1), thumbnail(2), { contentHash: hashOf(1), webp: new Uint8Array([9]) }]);
    expect([...(getThumbnail(thumbnails, hashOf(1)) ?? [])]).toEqual([9]);
    expect([...(getThumbnail(thumbnails, hashOf(2)) ?? [])]).toEqual([2, 1, 2]);
    expect(getThumbnail(thumbnails, hashOf(3))).toBeNull();
  });

  test("are stored all or none", () => {
    const { thumbnails } = temporaryLibrary();
    const wrong = { contentHash: "short", webp: new Uint8Array([1]) };
    expect(errorOf(() => putThumbnails(thumbnails, [thumbnail(1), wrong])).code).toBe("row-invalid");
    expect(getThumbnail(thumbnails, hashOf(1))).toBeNull();
  });

  test("that are to be made are named once each, in the order asked for", () => {
    const { thumbnails } = temporaryLibrary();
    putThumbnails(thumbnails, [thumbnail(2)]);
    expect(withoutThumbnail(thumbnails, [hashOf(3), hashOf(2), hashOf(1), hashOf(3)])).toEqual([hashOf(3), hashOf(1)]);
  });

  test("that are damaged within the file are reported with advice to delete the cache", () => {
    const library = temporaryLibrary();
    const { folder } = library;
    const seeds = Array.from({ length: 200 }, (_, i) => i);
    putThumbnails(
      library.thumbnails,
      seeds.map((seed) => ({ contentHash: hashOf(seed), webp: new Uint8Array(6000) })),
    );
    library.close();
    // Pages in the middle, where nothing looks when the cache is opened.
    const file = openSync(join(folder, "thumbnails.sqlite"), "r+");
    writeSync(file, Buffer.alloc(50 * 8192, 0xee), 0, 50 * 8192, 50 * 8192);
    closeSync(file);
    const { thumbnails } = temporaryLibrary(folder);
    const error = errorOf(() => seeds.forEach((seed) => getThumbnail(thumbnails, hashOf(seed))));
    expect(error.code).toBe("thumbnails-corrupt");
    expect(error.hint).toContain("delete thumbnails.sqlite");
  });

  test("that no image has the content of are pruned, over several pages", () => {
    const { db, thumbnails } = temporaryLibrary();
    const source = ensureSource(db, "/pictures");
    const seeds = Array.from({ length: 11_000 }, (_, i) => i + 1);
    putThumbnails(thumbnails, seeds.map(thumbnail));
    const kept = seeds.filter((seed) => seed % 1000 === 0);
    upsertImages(
      db,
      kept.map((seed) => newImage(source.id, `${seed}.jpg`, { contentHash: hashOf(seed) })),
    );
    expect(pruneThumbnails(thumbnails, db)).toBe(11_000 - kept.length);
    expect(withoutThumbnail(thumbnails, seeds.map(hashOf))).toHaveLength(11_000 - kept.length);
    expect(withoutThumbnail(thumbnails, kept.map(hashOf))).toEqual([]);
    expect(pruneThumbnails(thumbnails, db)).toBe(0);
  });
});
