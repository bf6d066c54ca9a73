import { describe, expect, test } from "vitest";
import { extent, lineThrough, nearest, scale, thinned, ticks } from "../../renderer/lib/curve.ts";

describe("line charts", () => {
  test("a scale takes both ends to both ends, and numbers that are all alike to the middle", () => {
    const down = scale([0, 10], [100, 0]);
    expect([down(0), down(5), down(10)]).toEqual([100, 50, 0]);
    expect(scale([3, 3], [0, 8])(3)).toBe(4);
  });

  test("ticks are round, inside the range, and about as many as asked for", () => {
    expect(ticks([0, 10], 5)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(ticks([0.13, 0.47], 3)).toEqual([0.2, 0.4]);
    expect(ticks([5, 5], 3)).toEqual([]);
    for (const [low, high] of [
      [-3.7, 9.1],
      [0, 1e6],
      [2.001, 2.002],
    ] as const) {
      const found = ticks([low, high], 4);
      expect(found.length).toBeGreaterThan(1);
      expect(found.length).toBeLessThan(8);
      expect(found.every((at) => at >= low && at <= high)).toBe(true);
    }
  });

  test("the extent of numbers leaves air on both sides, and is nothing without numbers", () => {
    expect(extent([])).toBeNull();
    const [low, high] = extent([1, 3]) ?? [NaN, NaN];
    expect(low).toBeLessThan(1);
    expect(high).toBeGreaterThan(3);
  });

  test("the nearest point is the one that looking at all of them finds", () => {
    const points = [1, 4, 5, 9, 30].map((x) => ({ x, y: 0 }));
    for (let x = -2; x < 40; x += 0.25) {
      const distances = points.map((point) => Math.abs(point.x - x));
      expect(nearest(points, x)).toBe(distances.indexOf(Math.min(...distances)));
    }
    expect(nearest([], 3)).toBe(-1);
  });

  test("a line goes through its points in order", () => {
    const same = (value: number): number => value;
    expect(
      lineThrough(
        [
          { x: 1, y: 2 },
          { x: 3, y: 4 },
        ],
        same,
        same,
      ),
    ).toBe("M1.0 2.0L3.0 4.0");
    const [a, b, c] = [1, 2, 3].map((x) => ({ x, y: x }));
    if (a === undefined || b === undefined || c === undefined) throw new Error("There are three.");
    expect(lineThrough([a, { ...b, apart: true }, c], same, same)).toBe("M1.0 1.0M2.0 2.0L3.0 3.0");
  });

  test("a list that is too long loses half of it at a time and keeps its mean", () => {
    const list = Array.from({ length: 64 }, (_, at) => at);
    const shorter = thinned(list, 20, (a, b) => (a + b) / 2);
    expect(shorter).toHaveLength(16);
    expect(shorter.reduce((sum, value) => sum + value) / 16).toBeCloseTo(31.5);
    expect(thinned(list, 64, (a) => a)).toEqual(list);
  });
});
