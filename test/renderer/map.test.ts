import { describe, expect, test } from "vitest";
import {
  boundsOf,
  cameraFromText,
  cameraToText,
  fitted,
  panned,
  toMap,
  toScreen,
  withPoint,
  zoomed,
} from "../../renderer/lib/map-camera.ts";
import { colouringOf, mostColours, oklchToRgb, rowsAmong, slotColours } from "../../renderer/lib/map-colours.ts";
import { indexPoints, nearestPoint, pointTowards, pointsInBox, pointsInLasso } from "../../renderer/lib/point-index.ts";
import { pointLook } from "../../renderer/lib/point-painter.ts";

const size = { width: 800, height: 600 };

/** Points in clumps, the same ones each time. */
function scattered(count: number): { xs: Float32Array; ys: Float32Array } {
  let state = 7;
  const next = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  const xs = Float32Array.from({ length: count }, (_, at) => (at % 5) * 3 + next() ** 2 - 6);
  const ys = Float32Array.from({ length: count }, (_, at) => (at % 3) * 2 - next());
  return { xs, ys };
}

describe("the camera of the map", () => {
  const camera = { x: 3, y: -2, scale: 40 };

  test("pixels and units are inverses", () => {
    const place = toMap(camera, size, { x: 123, y: 456 });
    const { x, y } = toScreen(camera, size, place);
    expect(x).toBeCloseTo(123, 9);
    expect(y).toBeCloseTo(456, 9);
    expect(toScreen(camera, size, { x: 3, y: 0 }).y).toBeLessThan(300);
  });

  test("what is under the pointer stays there while zooming, up to the limits", () => {
    const anchor = { x: 700, y: 90 };
    const limits = { least: 10, most: 100 };
    const nearer = zoomed(camera, size, { anchor, factor: 2, limits });
    expect(nearer.scale).toBe(80);
    const [before, after] = [toMap(camera, size, anchor), toMap(nearer, size, anchor)];
    expect(after.x).toBeCloseTo(before.x, 9);
    expect(after.y).toBeCloseTo(before.y, 9);
    expect(zoomed(camera, size, { anchor, factor: 50, limits }).scale).toBe(100);
    expect(zoomed(camera, size, { anchor, factor: 0.01, limits }).scale).toBe(10);
  });

  test("dragging moves the points with the pointer", () => {
    const place = toMap(camera, size, { x: 200, y: 200 });
    const { x, y } = toScreen(panned(camera, 31, -17), size, place);
    expect(x).toBeCloseTo(231, 9);
    expect(y).toBeCloseTo(183, 9);
  });

  test("the whole map lies inside the window and left of what is covered", () => {
    const { xs, ys } = scattered(500);
    const all = fitted(boundsOf(xs, ys), size, 200);
    for (let at = 0; at < xs.length; at++) {
      const { x, y } = toScreen(all, size, { x: xs[at] ?? 0, y: ys[at] ?? 0 });
      expect(x > 0 && x < 600 && y > 0 && y < 600).toBe(true);
    }
    expect(fitted(boundsOf(new Float32Array([2]), new Float32Array([5])), size).scale).toBeGreaterThan(0);
  });

  test("a point outside is brought in, and one inside moves nothing", () => {
    const outside = toMap(camera, size, { x: -500, y: 900 });
    const { x, y } = toScreen(withPoint(camera, size, outside), size, outside);
    expect(x > 0 && x < 800 && y > 0 && y < 600).toBe(true);
    expect(withPoint(camera, size, { x: 3, y: -2 })).toEqual(camera);
  });

  test("a link brings the camera back, and nonsense none", () => {
    expect(cameraFromText(cameraToText(camera))).toEqual(camera);
    for (const text of ["", "1,2", "1,2,0", "1,2,-3", "a,b,c", "1,2,3,4", "1,,Infinity"]) {
      expect(cameraFromText(text)).toBeNull();
    }
  });
});

describe("finding points", () => {
  const { xs, ys } = scattered(2000);
  const index = indexPoints(xs, ys);
  const everywhere = Array.from(xs.keys());

  test("a box holds what a look at every point says", () => {
    for (const box of [
      { left: -2, right: 1.4, bottom: -0.2, top: 2.1 },
      { left: -100, right: 100, bottom: -100, top: 100 },
      { left: 50, right: 60, bottom: 0, top: 1 },
    ]) {
      const inside = everywhere.filter(
        (at) =>
          (xs[at] ?? 0) >= box.left &&
          (xs[at] ?? 0) <= box.right &&
          (ys[at] ?? 0) >= box.bottom &&
          (ys[at] ?? 0) <= box.top,
      );
      expect([...pointsInBox(index, box)].sort((a, b) => a - b)).toEqual(inside);
    }
  });

  test("a lasso in the shape of a diamond holds what its four edges say", () => {
    const [x, y, r] = [0.1, 1.3, 2.2];
    const diamond = [
      { x: x - r, y },
      { x, y: y + r },
      { x: x + r, y },
      { x, y: y - r },
    ];
    const inside = everywhere.filter((at) => Math.abs((xs[at] ?? 0) - x) + Math.abs((ys[at] ?? 0) - y) < r);
    expect(inside.length).toBeGreaterThan(100);
    expect([...pointsInLasso(index, diamond)].sort((a, b) => a - b)).toEqual(inside);
    expect([...pointsInLasso(index, diamond.slice(0, 2))]).toEqual([]);
  });

  test("the nearest point is the nearest of all, within reach and shown", () => {
    const away = (at: number, x: number, y: number): number => Math.hypot((xs[at] ?? 0) - x, (ys[at] ?? 0) - y);
    for (const [x, y] of [
      [0, 0],
      [-5.4, 1],
      [3.3, 3.3],
    ] as const) {
      const nearest = everywhere.reduce((best, at) => (away(at, x, y) < away(best, x, y) ? at : best));
      expect(away(nearestPoint(index, { x, y }, 10), x, y)).toBeCloseTo(away(nearest, x, y), 6);
      expect(nearestPoint(index, { x, y }, 10, (at) => at !== nearest)).not.toBe(nearest);
    }
    expect(nearestPoint(index, { x: 1000, y: 0 }, 5)).toBe(-1);
  });

  test("an arrow key goes to the nearest point of its quarter, and stays at the edge", () => {
    for (const from of [0, 17, 1999]) {
      const found = pointTowards(index, from, { dx: 1, dy: 0 });
      const ahead = everywhere.filter((at) => {
        const [dx, dy] = [(xs[at] ?? 0) - (xs[from] ?? 0), (ys[at] ?? 0) - (ys[from] ?? 0)];
        return dx > 0 && dx >= Math.abs(dy);
      });
      const distance = (at: number): number =>
        Math.hypot((xs[at] ?? 0) - (xs[from] ?? 0), (ys[at] ?? 0) - (ys[from] ?? 0));
      expect(distance(found)).toBeCloseTo(Math.min(...ahead.map(distance)), 6);
    }
    const rightmost = everywhere.reduce((best, at) => ((xs[at] ?? 0) > (xs[best] ?? 0) ? at : best));
    expect(pointTowards(index, rightmost, { dx: 1, dy: 0 })).toBe(-1);
  });

  test("no points, one point and equal points are found like others", () => {
    const none = indexPoints(new Float32Array(), new Float32Array());
    expect(nearestPoint(none, { x: 0, y: 0 }, 10)).toBe(-1);
    const same = indexPoints(new Float32Array([4, 4, 4]), new Float32Array([1, 1, 1]));
    expect([...pointsInBox(same, { left: 4, right: 4, bottom: 1, top: 1 })].sort()).toEqual([0, 1, 2]);
  });

  test("100,000 points are sorted into cells and lassoed within a frame or two", () => {
    const many = scattered(100_000);
    const start = performance.now();
    const large = indexPoints(many.xs, many.ys);
    const sorted = performance.now();
    let found = 0;
    const line = Array.from({ length: 60 }, (_, at) => ({
      x: 4 * Math.cos((at * Math.PI) / 30),
      y: 3 * Math.sin((at * Math.PI) / 30),
    }));
    for (const at of pointsInLasso(large, line)) found += at >= 0 ? 1 : 0;
    const swept = performance.now();
    expect(found).toBeGreaterThan(10_000);
    // Ten times what it takes on an idle core.
    expect(sorted - start).toBeLessThan(400);
    expect(swept - sorted).toBeLessThan(600);
  });
});

describe("the colours of the map", () => {
  test("the commonest values have a colour each, the rare ones share one, and none is grey", () => {
    const counts = Array.from({ length: mostColours + 10 }, (_, at) => mostColours + 20 - at);
    const values = Uint32Array.from([0, 0, ...counts.flatMap((count, at) => new Array<number>(count).fill(at + 1))]);
    const { slots, rows } = colouringOf(values);
    expect(rows).toHaveLength(mostColours + 2);
    expect(rows.slice(0, 3).map(({ values: [value], count }) => [value, count])).toEqual([
      [1, mostColours + 20],
      [2, mostColours + 19],
      [3, mostColours + 18],
    ]);
    expect(rows.at(-2)).toMatchObject({ slot: 1, values: Array.from({ length: 10 }, (_, at) => mostColours + 1 + at) });
    expect(rows.at(-1)).toEqual({ slot: 0, values: [0], count: 2 });
    expect(new Set(slots).size).toBe(mostColours + 2);
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
  });

  test("the legend counts what the filter has, in the same order, without rows that it has nothing of", () => {
    const colouring = colouringOf(Uint32Array.from([5, 5, 5, 9, 9, 0, 3]));
    const rows = rowsAmong(colouring, Uint8Array.from([0, 1, 0, 1, 1, 1, 0]));
    expect(rows.map(({ values, count }) => [values, count])).toEqual([
      [[5], 1],
      [[9], 2],
      [[0], 1],
    ]);
    expect(rowsAmong(colouring, new Uint8Array(7).fill(1))).toEqual(colouring.rows);
  });

  test("a value keeps its colour when another overtakes it", () => {
    const first = colouringOf(Uint32Array.from([5, 5, 5, 9, 9, 0]));
    const kept = new Map(first.rows.map(({ slot, values: [value = 0] }) => [value, slot]));
    const then = colouringOf(Uint32Array.from([5, 5, 5, 9, 9, 9, 9, 3]), kept);
    const slotOf = (value: number): number | undefined => then.rows.find(({ values }) => values.includes(value))?.slot;
    expect([slotOf(5), slotOf(9)]).toEqual([kept.get(5), kept.get(9)]);
    expect([kept.get(5), kept.get(9)]).not.toContain(slotOf(3));
  });

  test("OKLCH is turned into sRGB as CSS Color 4 has it", () => {
    // Examples of the specification's tests: oklch(0.62796 0.25768 29.234) is red, white and black are themselves.
    const near = (colour: readonly number[], wanted: readonly number[]): void =>
      colour.forEach((value, at) => expect(value).toBeCloseTo(wanted[at] ?? 0, 2));
    near(oklchToRgb(0.62796, 0.25768, 29.234), [1, 0, 0]);
    near(oklchToRgb(0.51975, 0.17686, 142.495), [0, 128 / 255, 0]);
    near(oklchToRgb(1, 0, 0), [1, 1, 1]);
    near(oklchToRgb(0, 0, 0), [0, 0, 0]);
    for (const dark of [true, false]) expect(slotColours(dark)).toHaveLength(mostColours + 2);
  });

  test("points are larger when near and fainter where crowded", () => {
    const [far, near] = [pointLook(100_000, size, 1), pointLook(100_000, size, 40)];
    expect(near.diameter).toBeGreaterThan(far.diameter);
    expect(near.opacity).toBeGreaterThan(far.opacity);
    expect(pointLook(200, size, 1).diameter).toBeGreaterThan(pointLook(1_000_000, size, 1).diameter);
    expect(pointLook(1_000_000, size, 1).opacity).toBeGreaterThan(0.2);
  });
});
