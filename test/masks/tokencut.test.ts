import { describe, expect, test } from "vitest";
import { largestEigenvector, secondEigenvector } from "../../core/masks/spectral.ts";
import { cutGraph, graphOfMatrix, similarityGraph, tokenCut } from "../../core/masks/tokencut.ts";
import { createRandom } from "../../core/util/random.ts";

/** Keys of a picture: an object in the middle of a background, each with a direction of its own, and noise. */
function sceneKeys(
  rows: number,
  columns: number,
  noise: number,
  seed: number,
): { keys: Float32Array; truth: number[] } {
  const random = createRandom(seed);
  const width = 32;
  const direction = (): number[] => Array.from({ length: width }, () => random.normal());
  const [object, background] = [direction(), direction()];
  const truth: number[] = [];
  const keys: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const inside = Math.hypot(row / rows - 0.5, column / columns - 0.5) < 0.3;
      truth.push(inside ? 1 : 0);
      keys.push(...(inside ? object : background).map((value) => value + noise * random.normal()));
    }
  }
  return { keys: Float32Array.from(keys), truth };
}

describe("TokenCut", () => {
  test("finds an object that differs from its background, and the same one at every start of the sign", () => {
    const { keys, truth } = sceneKeys(14, 20, 0.6, 1);
    const cut = tokenCut(keys, { rows: 14, columns: 20 }, "largest");
    expect(Array.from(cut.values, (value) => Number(value >= 0.5))).toEqual(truth);
    expect(truth[cut.seed]).toBe(1);
  });

  test("keeps the seed's part alone, or the whole side", () => {
    const { keys, truth } = sceneKeys(14, 20, 0.3, 2);
    // A second object in a corner looks the same as the first.
    const middle = truth.indexOf(1);
    keys.copyWithin(0, middle * 32, (middle + 1) * 32);
    const all = tokenCut(keys, { rows: 14, columns: 20 }, "all");
    const largest = tokenCut(keys, { rows: 14, columns: 20 }, "largest");
    expect(all.values[0]).toBeGreaterThanOrEqual(0.5);
    if (all.seed !== 0) expect(largest.values[0]).toBeLessThan(0.5);
    expect(Array.from(largest.values.subarray(1), (value) => Number(value >= 0.5))).toEqual(truth.slice(1));
  });

  test("splits a graph at its bottleneck, and the smaller and odder side is the foreground", () => {
    // Two cliques of 6 and 3 joined by one edge.
    const joined = new Uint8Array(81);
    for (let i = 0; i < 9; i++) for (let j = 0; j < 9; j++) joined[i * 9 + j] = i < 6 === j < 6 ? 1 : 0;
    joined[5 * 9 + 6] = joined[6 * 9 + 5] = 1;
    expect([...cutGraph(graphOfMatrix(joined, 9)).partition]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1]);
  });

  test("patches that are all alike give an answer all the same", () => {
    const scores = cutGraph(similarityGraph(new Float32Array(50).fill(1), 10)).scores;
    expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true);
  });

  test("a graph keeps the shorter list of each row and says the same", () => {
    const { count, complement, starts, lists } = graphOfMatrix(Uint8Array.of(1, 1, 1, 1, 1, 0, 1, 0, 1), 3);
    expect(count).toBe(3);
    expect([...complement]).toEqual([1, 1, 1]);
    expect([...starts]).toEqual([0, 0, 1, 2]);
    expect([...lists]).toEqual([2, 1]);
  });
});

describe("the eigenvector", () => {
  test("is that of the second eigenvalue of a matrix whose eigenvectors are known, also where the next is close", () => {
    // The path graph: cosines, with eigenvalues (1 + cos(pi k / n)) / 2, whose gaps shrink with n squared.
    const count = 60;
    const multiply = (x: Float64Array, result: Float64Array): void => {
      for (let i = 0; i < count; i++) {
        const before = x[Math.max(0, i - 1)] ?? 0;
        const after = x[Math.min(count - 1, i + 1)] ?? 0;
        result[i] = ((x[i] ?? 0) + (before + after) / 2) / 2;
      }
    };
    const random = createRandom(1);
    const start = Float64Array.from({ length: count }, () => random.normal());
    const found = secondEigenvector(multiply, new Float64Array(count).fill(1 / Math.sqrt(count)), start);
    const expected = Float64Array.from({ length: count }, (_, i) => Math.cos((Math.PI * (i + 0.5)) / count));
    const cosine = found.reduce((sum, value, i) => sum + value * (expected[i] ?? 0), 0) / Math.sqrt(count / 2);
    // The residual stops at 1e-9 and the gap is 2e-3: an angle of 1e-6, whose cosine differs from 1 by its square.
    expect(Math.abs(cosine)).toBeGreaterThan(1 - 1e-9);
  });

  test("of a small matrix is the one of its largest eigenvalue", () => {
    const [a = 0, b = 0] = largestEigenvector([
      [2, 1],
      [1, 2],
    ]);
    expect(Math.abs(a)).toBeCloseTo(Math.SQRT1_2, 12);
    expect(b).toBeCloseTo(a, 12);
    expect(largestEigenvector([[5]])).toEqual([1]);
  });
});
