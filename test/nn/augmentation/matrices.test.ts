import { expect, test } from "vitest";
import { input } from "../../../core/graph/value.ts";
import { blurMatrix, lineBlur, resizeMatrix, writeResize } from "../../../core/nn/augmentation/matrices.ts";
import { evaluate } from "../../helpers/run-graph.ts";
import { largestDifference } from "../../helpers/tensors.ts";

/** The matrix as rows, as the graph makes it. */
async function resize(from: number, to: number, start: number, end: number, mirrored = false): Promise<number[][]> {
  const line = { cells: new Float32Array(from), centres: new Float32Array(to) };
  writeResize(line, start, end, mirrored);
  const shapes = { cells: [1, 1, from], centres: [1, to, 1] };
  const { matrix } = await evaluate(
    { matrix: resizeMatrix(input("cells", shapes.cells), input("centres", shapes.centres), 2) },
    { cells: { shape: shapes.cells, data: line.cells }, centres: { shape: shapes.centres, data: line.centres } },
  );
  return Array.from({ length: to }, (_, row) => matrix.slice(row * from, (row + 1) * from));
}

test("eight pixels shrink to three with PIL's weights", async () => {
  const [first = [], second = [], third = []] = await resize(8, 3, 0, 8);
  // Figures of PIL 9.4, printed to five digits.
  const wanted = [0.32377, 0.40009, 0.26135, 0.06227, -0.025, -0.02174, -0.00074, 0];
  expect(largestDifference(first, wanted)).toBeLessThan(6e-6);
  expect(largestDifference(second.slice(0, 4), [-0.0271, 0.0142, 0.17462, 0.33827])).toBeLessThan(6e-6);
  expect(largestDifference(second, second.toReversed())).toBeLessThan(1e-7);
  expect(largestDifference(third, first.toReversed())).toBeLessThan(1e-7);
});

test("a part of the same size is copied, and mirrored where wanted", async () => {
  // Zeros and ones but for the rounding of positions in float32.
  const of = (pixels: number[]): number[] => pixels.flatMap((pixel) => unit(6, pixel));
  expect(largestDifference((await resize(6, 3, 2, 5)).flat(), of([2, 3, 4]))).toBeLessThan(1e-6);
  expect(largestDifference((await resize(6, 3, 2, 5, true)).flat(), of([4, 3, 2]))).toBeLessThan(1e-6);
});

function unit(length: number, one: number): number[] {
  return Array.from({ length }, (_, i) => (i === one ? 1 : 0));
}

test.each([
  [40, 7, 0, 40],
  [40, 64, 3.3, 31.7],
  [40, 9, 20.2, 20.9],
  [40, 16, 39.5, 40],
  [40, 5, 0.1 * 3, 0.7 * 40],
])("a row of %i cells to %i from %f to %f: weights sum to 1 and read the part alone", async (from, to, start, end) => {
  for (const row of await resize(from, to, start, end)) {
    expect(Math.abs(row.reduce((sum, weight) => sum + weight, 0) - 1)).toBeLessThan(1e-5);
    row.forEach((weight, j) => {
      if (j + 1 <= start || j >= end) expect(weight).toBe(0);
      // The kernel overshoots by an eighth at most where all of it is there, and little more at an edge.
      expect(Math.abs(weight)).toBeLessThan(1.3);
    });
  }
});

test("a ramp stays a ramp away from the edges, where a part of pixels is cut too", async () => {
  const [from, to, start, end] = [60, 20, 7.25, 52.75];
  const rows = await resize(from, to, start, end);
  const scale = (end - start) / to;
  for (let i = 2; i < to - 2; i++) {
    const value = (rows[i] ?? []).reduce((sum, weight, j) => sum + weight * (j + 0.5), 0);
    // A shrinking kernel is sampled, so its centre of mass lies up to a hundredth of a pixel beside it.
    expect(Math.abs(value - (start + (i + 0.5) * scale))).toBeLessThan(0.02);
  }
});

test("a blur leaves a plane as it is, and its width is sigma", async () => {
  const size = 41;
  const sigmas = [0, 0.1, 0.7, 2, 5];
  const lines = sigmas.map((sigma) => lineBlur(size, sigma));
  const one = [sigmas.length, 1, 1];
  const each = [sigmas.length, size, 1];
  const { matrix } = await evaluate(
    { matrix: blurMatrix(input("falloff", one), input("peak", one), input("before", each), input("after", each)) },
    {
      falloff: { shape: one, data: lines.map(({ falloff }) => falloff) },
      peak: { shape: one, data: lines.map(({ peak }) => peak) },
      before: { shape: each, data: lines.flatMap(({ before }) => [...before]) },
      after: { shape: each, data: lines.flatMap(({ after }) => [...after]) },
    },
  );
  sigmas.forEach((sigma, i) => {
    const rows = Array.from({ length: size }, (_, row) => matrix.slice((i * size + row) * size).slice(0, size));
    for (const row of rows) expect(Math.abs(row.reduce((sum, weight) => sum + weight, 0) - 1)).toBeLessThan(1e-5);
    // What lies beyond an end is as the last pixel is: of the first row, half of the weights and half of the middle one.
    const middle = lines[i]?.peak ?? NaN;
    expect(Math.abs((rows[0]?.[0] ?? NaN) - (1 + middle) / 2)).toBeLessThan(1e-5);
    const variance = (rows[20] ?? []).reduce((total, weight, j) => total + weight * (j - 20) ** 2, 0);
    // A sampled Gaussian has the variance of a continuous one from 0.7 pixels on. Of the widest, 41 pixels lack the tails.
    if (sigma >= 0.7) expect(Math.abs(Math.sqrt(variance) / sigma - 1)).toBeLessThan(0.005);
    else expect(variance).toBeLessThan(1e-6);
  });
});
