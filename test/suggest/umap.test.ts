import { describe, expect, test } from "vitest";
import { nearestRows } from "../../core/suggest/nearest.ts";
import { principalPlane } from "../../core/suggest/principal.ts";
import { epochsFor, fuzzyGraph, layoutEpoch, membershipStrengths, placeAmong } from "../../core/suggest/umap.ts";
import { createRandom } from "../../core/util/random.ts";

const width = 8;

/** Unit vectors around `groups` axes, group by group in turn. */
function vectors(count: number, groups: number, spread: number, seed = 5): Float32Array {
  const random = createRandom(seed);
  const matrix = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    const values = Array.from({ length: width }, (_, i) => (i === row % groups ? 1 : 0) + spread * random.normal());
    const length = Math.hypot(...values);
    matrix.set(
      values.map((value) => value / length),
      row * width,
    );
  }
  return matrix;
}

function neighbours(matrix: Float32Array, count: number): ReturnType<typeof nearestRows> {
  const rows = matrix.length / width;
  return nearestRows(matrix, matrix, width, count, { exclude: Array.from({ length: rows }, (_, i) => i) });
}

/** A whole layout. */
function layOut(matrix: Float32Array, seed: number): Float32Array {
  const epochs = epochsFor(matrix.length / width);
  const graph = fuzzyGraph(neighbours(matrix, 14), epochs);
  const coordinates = principalPlane(matrix, width, seed);
  for (let epoch = 1; epoch <= epochs; epoch++) layoutEpoch(graph, coordinates, epoch, epochs, seed);
  return coordinates;
}

/** Trustworthiness (Venna and Kaski 2001), by its formula: the share of map neighbours that are neighbours. */
function trustworthiness(matrix: Float32Array, map: Float32Array, count: number): number {
  const rows = map.length / 2;
  const order = (distance: (other: number) => number, row: number): number[] =>
    Array.from({ length: rows }, (_, other) => other)
      .filter((other) => other !== row)
      .sort((a, b) => distance(a) - distance(b));
  let penalty = 0;
  for (let row = 0; row < rows; row++) {
    const vector = matrix.subarray(row * width, (row + 1) * width);
    const cosine = (other: number): number => vector.reduce((s, v, i) => s + v * (matrix[other * width + i] ?? 0), 0);
    const ranks = new Map(order((other) => -cosine(other), row).map((other, rank) => [other, rank + 1]));
    const near = order(
      (other) =>
        Math.hypot((map[2 * row] ?? 0) - (map[2 * other] ?? 0), (map[2 * row + 1] ?? 0) - (map[2 * other + 1] ?? 0)),
      row,
    ).slice(0, count);
    for (const other of near) penalty += Math.max(0, (ranks.get(other) ?? 0) - count);
  }
  return 1 - (2 / (rows * count * (2 * rows - 3 * count - 1))) * penalty;
}

describe("UMAP", () => {
  test("makes the memberships of every row sum to log2 of its neighbourhood", () => {
    const strengths = membershipStrengths(neighbours(vectors(60, 3, 0.3), 14));
    for (let row = 0; row < 60; row++) {
      const own = strengths.subarray(row * 14, (row + 1) * 14);
      expect(own[0]).toBe(1);
      expect(own.reduce((sum, strength) => sum + strength, 0)).toBeCloseTo(Math.log2(15), 3);
    }
  });

  test("joins what two rows say of each other as a + b - ab, in both directions", () => {
    // 0 and 1 name each other with strength 1 and 1, 2 names 0 with 1 though 0 does not name it.
    const table = {
      count: 1,
      indices: Int32Array.of(1, 0, 0),
      similarities: Float64Array.of(0.9, 0.9, 0.5),
    };
    const { starts, targets, intervals } = fuzzyGraph(table, 200);
    expect([...starts]).toEqual([0, 2, 3, 4]);
    expect([...targets]).toEqual([1, 2, 0, 0]);
    expect([...intervals]).toEqual([1, 1, 1, 1]);
    // One neighbour at a distance leaves 1 for the nearest; the second, weaker, shows the union.
    const two = {
      count: 2,
      indices: Int32Array.of(1, 2, 0, 2, 0, 1),
      similarities: Float64Array.of(0.9, 0.8, 0.9, 0.7, 0.8, 0.7),
    };
    const strengths = membershipStrengths(two);
    const [a, b] = [strengths[1] ?? 0, strengths[4] ?? 0];
    expect(b).toBe(1);
    expect(1 / (fuzzyGraph(two, 200).intervals[1] ?? 0)).toBeCloseTo(a + b - a * b, 5);
  });

  test("keeps neighbours together, and groups that lie apart apart", () => {
    const matrix = vectors(240, 4, 0.15);
    const map = layOut(matrix, 1);
    expect(map.every(Number.isFinite)).toBe(true);
    expect(trustworthiness(matrix, map, 15)).toBeGreaterThan(0.93);
    const centre = (group: number): [number, number] => {
      const own = Array.from({ length: 60 }, (_, i) => group + 4 * i);
      const mean = (axis: number): number => own.reduce((sum, row) => sum + (map[2 * row + axis] ?? 0), 0) / 60;
      return [mean(0), mean(1)];
    };
    for (let row = 0; row < 240; row++) {
      const away = [0, 1, 2, 3].map((group) => {
        const [x, y] = centre(group);
        return Math.hypot((map[2 * row] ?? 0) - x, (map[2 * row + 1] ?? 0) - y);
      });
      expect(away.indexOf(Math.min(...away))).toBe(row % 4);
    }
  });

  test("is the same for the same seed, another for another, and the same after a stop at any epoch", () => {
    const matrix = vectors(90, 3, 0.3);
    const graph = fuzzyGraph(neighbours(matrix, 14), 40);
    const run = (seed: number, from: number, to: number, start: Float32Array): Float32Array => {
      const coordinates = start.slice();
      for (let epoch = from; epoch <= to; epoch++) layoutEpoch(graph, coordinates, epoch, 40, seed);
      return coordinates;
    };
    const start = principalPlane(matrix, width, 1);
    const whole = run(1, 1, 40, start);
    expect(run(1, 1, 40, start)).toEqual(whole);
    expect(run(2, 1, 40, start)).not.toEqual(whole);
    expect(run(1, 18, 40, run(1, 1, 17, start))).toEqual(whole);
  });

  test("places a new row among its neighbours, nearest to the nearest", () => {
    const table = { count: 2, indices: Int32Array.of(0, 1), similarities: Float64Array.of(0.9, 0.5) };
    const [x = 0, y = 0] = placeAmong(table, Float32Array.of(0, 0, 10, 0));
    expect(y).toBe(0);
    expect(x).toBeGreaterThan(0);
    expect(x).toBeLessThan(5);
    expect([...placeAmong({ ...table, indices: Int32Array.of(-1, -1) }, new Float32Array(2))]).toEqual([NaN, NaN]);
  });

  test("starts from the plane in which rows differ most", () => {
    const matrix = vectors(120, 2, 0.02);
    const plane = principalPlane(matrix, width, 1);
    // Two groups: the first component tells them apart.
    const signs = Array.from({ length: 120 }, (_, row) => Math.sign(plane[2 * row] ?? 0) * (row % 2 === 0 ? 1 : -1));
    expect(new Set(signs).size).toBe(1);
    expect(Math.max(...plane.map(Math.abs))).toBeCloseTo(10, 2);
    expect(principalPlane(new Float32Array(width).fill(0.1), width, 1).every(Number.isFinite)).toBe(true);
  });
});
