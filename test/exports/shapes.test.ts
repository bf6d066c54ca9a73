import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boxOfRuns, paintClasses, ringOf } from "../../core/exports/shapes.ts";
import type { ExportObject } from "../../core/exports/records.ts";
import { bitmapOfPolygons, polygonsOf, signedArea } from "../../core/masks/polygons.ts";
import { encodeRuns } from "../../core/masks/rle.ts";

const bitmaps = fc
  .record({ width: fc.integer({ min: 1, max: 14 }), height: fc.integer({ min: 1, max: 14 }) })
  .chain(({ width, height }) =>
    fc
      .array(fc.constantFrom(0, 1, 1), { minLength: width * height, maxLength: width * height })
      .map((data) => ({ width, height, data: Uint8Array.from(data) })),
  );

describe("shapes of masks", () => {
  test("the box of run lengths is that of the pixels", () => {
    fc.assert(
      fc.property(bitmaps, (bitmap) => {
        const { width, height, data } = bitmap;
        const pixels = [...data.keys()].filter((i) => data[i] === 1);
        const xs = pixels.map((i) => i % width);
        const ys = pixels.map((i) => Math.floor(i / width));
        const [x, y] = [Math.min(...xs), Math.min(...ys)];
        const box = { x, y, width: Math.max(...xs) - x + 1, height: Math.max(...ys) - y + 1 };
        expect(boxOfRuns(encodeRuns({ width, height, data }))).toEqual(pixels.length === 0 ? null : box);
      }),
      { numRuns: 500 },
    );
  });

  test("a polygon whose holes are cut open is the same mask, with the same area", () => {
    fc.assert(
      fc.property(bitmaps, (bitmap) => {
        const rings = polygonsOf(bitmap).map(ringOf);
        const { width, height, data } = bitmap;
        const outlines = rings.map((outline) => ({ outline, holes: [] }));
        expect(bitmapOfPolygons(outlines, width, height).data).toEqual(data);
        expect(rings.reduce((sum, ring) => sum + signedArea(ring), 0)).toBe(
          data.reduce((sum, value) => sum + value, 0),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("where things overlap, the label that stands first in the tree wins, in whatever order they come", () => {
    const thing = (classIndex: number, from: number, to: number): ExportObject => ({
      classIndex,
      runs: encodeRuns({
        width: 6,
        height: 1,
        data: Uint8Array.from({ length: 6 }, (_, x) => (x >= from && x < to ? 1 : 0)),
      }),
      score: null,
    });
    const things = [thing(2, 0, 4), thing(0, 1, 3), thing(1, 2, 5)];
    const painted = [3, 1, 1, 2, 2, 0];
    expect([...paintClasses(things, 6, 1)]).toEqual(painted);
    expect([...paintClasses(things.toReversed(), 6, 1)]).toEqual(painted);
  });
});
