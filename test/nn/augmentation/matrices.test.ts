import { expect, test } from "vitest";
import { writeBlur, writeResize } from "../../../core/nn/augmentation/matrices.ts";
import { largestDifference } from "../../helpers/tensors.ts";

/** The matrix as rows. */
function resize(from: number, to: number, start: number, end: number, mirrored = false): number[][] {
  const data = new Float32Array(from * to);
  writeResize({ data, offset: 0, rowStride: from, columnStride: 1 }, from, to, start, end, mirrored);
  return Array.from({ length: to }, (_, row) => [...data.subarray(row * from, (row + 1) * from)]);
}

test("eight pixels shrink to three with PIL's weights", () => {
  const [first = [], second = [], third = []] = resize(8, 3, 0, 8);
  // Figures of PIL 9.4, printed to five digits.
  const wanted = [0.32377, 0.40009, 0.26135, 0.06227, -0.025, -0.02174, -0.00074, 0];
  expect(largestDifference(first, wanted)).toBeLessThan(6e-6);
  expect(largestDifference(second.slice(0, 4), [-0.0271, 0.0142, 0.17462, 0.33827])).toBeLessThan(6e-6);
  expect(largestDifference(second, second.toReversed())).toBeLessThan(1e-7);
  expect(largestDifference(third, first.toReversed())).toBeLessThan(1e-7);
});

test("a part of the same size is copied, and mirrored where wanted", () => {
  expect(resize(6, 3, 2, 5)).toEqual([2, 3, 4].map((pixel) => unit(6, pixel)));
  expect(resize(6, 3, 2, 5, true)).toEqual([4, 3, 2].map((pixel) => unit(6, pixel)));
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
])("a row of %i cells to %i from %f to %f: weights sum to 1 and read the part alone", (from, to, start, end) => {
  for (const row of resize(from, to, start, end)) {
    expect(Math.abs(row.reduce((sum, weight) => sum + weight, 0) - 1)).toBeLessThan(1e-5);
    row.forEach((weight, j) => {
      if (j + 1 <= start || j >= end) expect(weight).toBe(0);
      // The kernel overshoots by an eighth at most where all of it is there, and little more at an edge.
      expect(Math.abs(weight)).toBeLessThan(1.3);
    });
  }
});

test("a ramp stays a ramp away from the edges, where a part of pixels is cut too", () => {
  const [from, to, start, end] = [60, 20, 7.25, 52.75];
  const rows = resize(from, to, start, end);
  const scale = (end - start) / to;
  for (let i = 2; i < to - 2; i++) {
    const value = (rows[i] ?? []).reduce((sum, weight, j) => sum + weight * (j + 0.5), 0);
    // A shrinking kernel is sampled, so its centre of mass lies up to a hundredth of a pixel beside it.
    expect(Math.abs(value - (start + (i + 0.5) * scale))).toBeLessThan(0.02);
  }
});

test("a blur leaves a plane as it is, and its width is sigma", () => {
  const size = 41;
  for (const sigma of [0, 0.1, 0.7, 2, 5]) {
    const data = new Float32Array(size * size);
    writeBlur({ data, offset: 0, rowStride: size, columnStride: 1 }, size, sigma);
    for (let row = 0; row < size; row++) {
      const sum = data.subarray(row * size, (row + 1) * size).reduce((total, weight) => total + weight, 0);
      expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
    }
    const middle = data.subarray(20 * size, 21 * size);
    const variance = middle.reduce((total, weight, i) => total + weight * (i - 20) ** 2, 0);
    // A sampled Gaussian has the variance of a continuous one from 0.7 pixels on; cutting at four sigmas takes 0.1 %.
    if (sigma >= 0.7) expect(Math.abs(Math.sqrt(variance) / sigma - 1)).toBeLessThan(0.005);
    else expect(variance).toBeLessThan(1e-6);
  }
});
