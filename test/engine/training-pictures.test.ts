import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { batchIndices } from "../../core/engine/training/order.ts";
import { createPictureCache } from "../../core/engine/training/pictures.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { temporaryFolder } from "../library/support.ts";

async function drawn(count: number): Promise<{ folder: string; paths: string[] }> {
  const folder = temporaryFolder();
  const names = await drawPictures(folder, count, { seed: 4, width: 90, height: 60 });
  return { folder, paths: names.map((name) => join(folder, name)) };
}

describe("the order", () => {
  test("is a pass over all pictures in each epoch, in another order each time", () => {
    const epoch = (from: number): number[] =>
      [0, 1, 2].flatMap((i) => [...batchIndices({ seed: 7, batch: 4 }, 13, from + i)]);
    for (const from of [0, 3, 300]) expect(new Set(epoch(from)).size).toBe(12);
    expect(epoch(0)).not.toEqual(epoch(3));
    expect(epoch(3)).toEqual(epoch(3));
    expect(batchIndices({ seed: 8, batch: 4 }, 13, 0)).not.toEqual(batchIndices({ seed: 7, batch: 4 }, 13, 0));
  });
});

describe("the cache", () => {
  test("reads a file once, and keeps its true proportions", async () => {
    const { folder, paths } = await drawn(3);
    const cache = createPictureCache(paths, { copies: "raw", size: 32, byteLimit: 1e6 });
    const first = await Promise.all([cache.stand(0), cache.stand(0), cache.stand(2)]);
    expect(first[0].aspect).toBe(1.5);
    expect(first[0].planes).toHaveLength(3 * 32 * 32);
    expect(first[1]).toBe(first[0]);
    rmSync(folder, { recursive: true });
    expect(await cache.stand(0)).toBe(first[0]);
    expect(await cache.get(1)).toBeNull();
  });

  test("puts the next readable picture in the place of one that is not, whatever was read before", async () => {
    const { paths } = await drawn(4);
    rmSync(paths[1] ?? "");
    rmSync(paths[2] ?? "");
    const [one, other] = [1, 2].map(() => createPictureCache(paths, { copies: "raw", size: 16, byteLimit: 1e6 }));
    await other?.stand(3);
    expect(await one?.stand(1)).toEqual(await other?.stand(3));
    expect([...(one?.problems.keys() ?? [])]).toEqual([1, 2]);
  });

  test("gives the same values from memory, encoded, as from the file, and stays below its limit", async () => {
    const { folder, paths } = await drawn(4);
    const limit = 1500;
    const cache = createPictureCache(paths, { copies: "jpeg", size: 32, byteLimit: limit });
    const fresh = await Promise.all(paths.map((_, index) => cache.stand(index)));
    const again = await Promise.all(paths.map((_, index) => cache.stand(index)));
    expect(again).toEqual(fresh);
    // JPEG at quality 92 is within a few levels of what raw copies hold.
    const raw = createPictureCache(paths, { copies: "raw", size: 32, byteLimit: 1e6 });
    const { planes } = await raw.stand(0);
    const difference = planes.reduce((sum, value, i) => sum + Math.abs(value - (fresh[0]?.planes[i] ?? 0)), 0);
    expect(difference / planes.length).toBeLessThan(6);
    rmSync(folder, { recursive: true });
    const left = await Promise.all(paths.map((_, index) => cache.get(index)));
    const kept = left.filter((copy) => copy !== null).length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(paths.length);
  });

  test("says so when nothing can be read", async () => {
    const cache = createPictureCache(["/nowhere/a.jpg", "/nowhere/b.jpg"], { copies: "raw", size: 16, byteLimit: 1e6 });
    await expect(cache.stand(0)).rejects.toMatchObject({ code: "pictures-unreadable" });
  });
});
