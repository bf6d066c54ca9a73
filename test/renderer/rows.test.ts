import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  beside,
  boxOf,
  layRows,
  picturesBetween,
  picturesInBox,
  rowOf,
  totalHeight,
  type GridShape,
} from "../../renderer/lib/rows.ts";

const aspectsOf = fc
  .array(fc.float({ min: Math.fround(0.2), max: 4, noNaN: true }), { minLength: 1, maxLength: 200 })
  .map((aspects) => Float32Array.from(aspects));
const shapes = fc.record({
  width: fc.integer({ min: 200, max: 2000 }),
  height: fc.integer({ min: 60, max: 400 }),
  gap: fc.integer({ min: 0, max: 12 }),
  layout: fc.constantFrom<GridShape["layout"]>("justified", "square"),
});

describe("rows of the grid", () => {
  test("every picture is in one row, inside the width, below the row before", () => {
    fc.assert(
      fc.property(aspectsOf, shapes, (aspects, shape) => {
        const rows = layRows(aspects, shape);
        expect(rows.starts[0]).toBe(0);
        expect(rows.starts[rows.count]).toBe(aspects.length);
        for (let at = 0; at < aspects.length; at++) {
          const box = boxOf(rows, at);
          expect(box.left).toBeGreaterThanOrEqual(0);
          // Half a pixel: lefts are sums of float32.
          if (rows.starts[rowOf(rows, at) + 1] !== (rows.starts[rowOf(rows, at)] ?? 0) + 1) {
            expect(box.left + box.width).toBeLessThanOrEqual(shape.width + 0.5);
          }
        }
        for (let row = 1; row < rows.count; row++) {
          const above = (rows.tops[row - 1] ?? 0) + (rows.heights[row - 1] ?? 0);
          expect(rows.tops[row]).toBeCloseTo(above + shape.gap, 1);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("full justified rows fill the width", () => {
    const aspects = new Float32Array(500).map((_, at) => 0.6 + ((at * 37) % 100) / 60);
    const rows = layRows(aspects, { width: 1200, height: 180, gap: 4, layout: "justified" });
    for (let row = 0; row < rows.count - 1; row++) {
      const box = boxOf(rows, (rows.starts[row + 1] ?? 0) - 1);
      expect(box.left + box.width).toBeCloseTo(1200, 0);
      expect(rows.heights[row]).toBeGreaterThan(100);
      expect(rows.heights[row]).toBeLessThan(300);
    }
  });

  test("what is on screen is what a search of all boxes finds", () => {
    fc.assert(
      fc.property(aspectsOf, shapes, fc.nat(3000), fc.nat(900), (aspects, shape, top, high) => {
        const rows = layRows(aspects, shape);
        const { from, to } = picturesBetween(rows, top, top + high);
        for (let at = 0; at < aspects.length; at++) {
          const box = boxOf(rows, at);
          const seen = box.top <= top + high && box.top + box.height >= top;
          if (seen) expect(at >= from && at < to).toBe(true);
        }
        const inBox = [...picturesInBox(rows, { left: 50, right: 300, top, bottom: top + high })];
        const expected = [...aspects.keys()].filter((at) => {
          const box = boxOf(rows, at);
          return box.left <= 300 && box.left + box.width >= 50 && box.top <= top + high && box.top + box.height >= top;
        });
        expect(inBox).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test("up undoes down in a square grid", () => {
    const rows = layRows(new Float32Array(40).fill(1), { width: 800, height: 100, gap: 4, layout: "square" });
    const down = beside(rows, 3, 1);
    expect(rowOf(rows, down)).toBe(1);
    expect(beside(rows, down, -1)).toBe(3);
    expect(beside(rows, 3, -1)).toBe(3);
  });

  test("no pictures make no rows", () => {
    const rows = layRows(new Float32Array(0), { width: 800, height: 100, gap: 4, layout: "justified" });
    expect(rows.count).toBe(0);
    expect(totalHeight(rows)).toBe(0);
    expect(picturesBetween(rows, 0, 900)).toEqual({ from: 0, to: 0 });
    expect([...picturesInBox(rows, { left: 0, top: 0, right: 9, bottom: 9 })]).toEqual([]);
  });

  test("100,000 pictures are laid out in less than a frame of three", () => {
    const aspects = new Float32Array(100_000).map((_, at) => 0.6 + ((at * 37) % 100) / 60);
    const shape = { width: 1200, height: 180, gap: 4, layout: "justified" } as const;
    layRows(aspects, shape);
    const start = performance.now();
    const rows = layRows(aspects, shape);
    // A few milliseconds on an idle core; ten times that for a busy machine.
    expect(performance.now() - start).toBeLessThan(50);
    expect(totalHeight(rows)).toBeGreaterThan(1_000_000);
  });
});
