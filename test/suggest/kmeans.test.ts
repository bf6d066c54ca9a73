import { describe, expect, test } from "vitest";
import { sphericalKMeans, type KMeansRows, type KMeansState } from "../../core/suggest/kmeans.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";

const width = 5;

/** Unit vectors around `groups` axes. */
function vectors(count: number, groups: number, spread: number): Float32Array {
  const random = createRandom(11);
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

/** Plain loops in place of the engine. Seeds are the rows that `seeds` gives, by restart. */
function plainRows(matrix: Float32Array, seeds: (call: number) => number[]): KMeansRows & { calls: number } {
  const row = (at: number, from = matrix): Float32Array => from.subarray(at * width, (at + 1) * width);
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  const rows = matrix.length / width;
  const self = {
    calls: 0,
    rows,
    width,
    seed: () => Promise.resolve(Int32Array.from(seeds(self.calls++))),
    assign: (centres: Float32Array) => {
      const nearest = new Int32Array(rows);
      const similarities = new Float32Array(rows).fill(-Infinity);
      const sums = new Float64Array(centres.length);
      for (let i = 0; i < rows; i++) {
        for (let centre = 0; centre * width < centres.length; centre++) {
          const similarity = Math.fround(dot(row(i), row(centre, centres)));
          if (similarity <= (similarities[i] ?? 0)) continue;
          similarities[i] = similarity;
          nearest[i] = centre;
        }
        const to = (nearest[i] ?? 0) * width;
        row(i).forEach((value, j) => (sums[to + j] = (sums[to + j] ?? 0) + value));
      }
      return Promise.resolve({ nearest, similarities, sums });
    },
    gaps: (centres: Float32Array) =>
      Promise.resolve(
        Float32Array.from({ length: rows }, (_, i) => {
          const found = Array.from({ length: centres.length / width }, (__, centre) =>
            dot(row(i), row(centre, centres)),
          );
          const [first = 0, second = 0] = found.sort((a, b) => b - a);
          return first - second;
        }),
      ),
    vectors: (wanted: Int32Array) => Float32Array.from([...wanted].flatMap((at) => [...row(at)])),
  };
  return self;
}

describe("spherical k-means", () => {
  test("finds groups that lie apart, whichever rows it starts from", async () => {
    const rows = plainRows(vectors(60, 3, 0.1), () => [0, 1, 2]);
    const { nearest, similarities } = await sphericalKMeans(rows, { count: 3, restarts: 1, seed: 1 });
    for (let row = 3; row < 60; row++) expect(nearest[row]).toBe(nearest[row % 3]);
    expect(Math.min(...similarities)).toBeGreaterThan(0.8);
  });

  test("fills centres that lost all their rows, so that no cluster stays empty", async () => {
    // Four starts on one row: three of the centres have nothing at first.
    const rows = plainRows(vectors(60, 4, 0.1), () => [7, 7, 7, 7]);
    const { nearest } = await sphericalKMeans(rows, { count: 4, restarts: 1, seed: 1 });
    expect(new Set(nearest).size).toBe(4);
  });

  test("ends soon where fewer rows differ than there are centres", async () => {
    const rows = plainRows(vectors(2, 2, 0), () => [0, 1, 0, 1]);
    const copies = new Float32Array(40 * width);
    for (let row = 0; row < 40; row++) copies.set(rows.vectors(Int32Array.of(row % 2)), row * width);
    let steps = 0;
    const { nearest } = await sphericalKMeans(
      plainRows(copies, () => [0, 1, 2, 3]),
      { count: 4, restarts: 1, seed: 1 },
      { onStep: () => steps++ },
    );
    expect(new Set(nearest).size).toBe(2);
    expect(steps).toBeLessThan(150);
  });

  test("keeps the restart with the largest sum of cosines", async () => {
    const matrix = vectors(90, 5, 0.3);
    const starts = [
      [0, 5, 10, 15, 20],
      [0, 1, 2, 3, 4],
    ];
    const alone = await Promise.all(
      starts.map((start) =>
        sphericalKMeans(
          plainRows(matrix, () => start),
          { count: 5, restarts: 1, seed: 1 },
        ),
      ),
    );
    const both = await sphericalKMeans(
      plainRows(matrix, (call) => starts[call] ?? []),
      {
        count: 5,
        restarts: 2,
        seed: 1,
      },
    );
    expect(both.objective).toBeCloseTo(Math.max(...alone.map(({ objective }) => objective)), 9);
  });

  test("moves a centre from a group that has two to one that shares one", async () => {
    // Rows 0 and 4 are of one group, and no start is in group 3: Lloyd's steps alone never leave this.
    const matrix = vectors(80, 4, 0.02);
    const { nearest } = await sphericalKMeans(
      plainRows(matrix, () => [0, 4, 1, 2]),
      { count: 4, restarts: 1, seed: 1 },
    );
    for (let row = 4; row < 80; row++) expect(nearest[row]).toBe(nearest[row % 4]);
    expect(new Set(nearest).size).toBe(4);
  });

  test("goes on after a stop with the end that it would have had", async () => {
    const matrix = vectors(80, 5, 0.4);
    const random = createRandom(2);
    const starts = Array.from({ length: 4 }, () => Array.from({ length: 6 }, () => random.integer(80)));
    const states: KMeansState[] = [];
    const options = { count: 6, restarts: 4, seed: 9 };
    const whole = await sphericalKMeans(
      plainRows(matrix, (call) => starts[call] ?? []),
      options,
      {
        onRestart: (state) => states.push(state),
      },
    );
    const resumed = plainRows(matrix, (call) => starts[call + 2] ?? []);
    const end = await sphericalKMeans(resumed, options, { resume: states[1] });
    expect(resumed.calls).toBe(2);
    expect(end.nearest).toEqual(whole.nearest);
    expect(end.objective).toBe(whole.objective);
  });

  test("stops where it is told to, and refuses more clusters than rows", async () => {
    const rows = plainRows(vectors(10, 2, 0.1), () => [0, 1]);
    const stop = AbortSignal.abort(new Error("enough"));
    await expect(sphericalKMeans(rows, { count: 2, restarts: 1, seed: 1 }, { signal: stop })).rejects.toThrow("enough");
    const tooMany = (): Promise<unknown> => sphericalKMeans(rows, { count: 11, restarts: 1, seed: 1 });
    expect(await refusalOfAsync(tooMany)).toContain("option-invalid");
  });
});
