import { cubic } from "../position.ts";

/** A matrix inside a larger list of numbers: element (row, column) is at `offset + row * rowStride + column * columnStride`. */
export interface MatrixPlace {
  readonly data: Float32Array;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/**
 * Writes the matrix [to, from] that resizes the part `start` to `end` (in cells, not whole ones perhaps) of a line of
 * `from` cells to `to` cells, as PIL's antialiased bicubic does for a crop of its own: a = -0.5, the kernel widened where
 * it shrinks, no cell read that the part does not touch. `mirrored` turns the result around. Zeros are taken to be there.
 */
export function writeResize(
  { data, offset, rowStride, columnStride }: MatrixPlace,
  from: number,
  to: number,
  start: number,
  end: number,
  mirrored = false,
): void {
  const scale = (end - start) / to;
  const widen = Math.max(scale, 1);
  // A part that ends on a cell's edge but for rounding ends there.
  const lowest = Math.max(0, Math.floor(start + 1e-6));
  const highest = Math.min(from, Math.ceil(end - 1e-6));
  for (let cell = 0; cell < to; cell++) {
    const centre = start + (cell + 0.5) * scale;
    const first = Math.max(lowest, Math.trunc(centre - 2 * widen + 0.5));
    const last = Math.min(highest, Math.trunc(centre + 2 * widen + 0.5));
    let sum = 0;
    for (let j = first; j < last; j++) sum += cubic((j - centre + 0.5) / widen, -0.5);
    const row = offset + (mirrored ? to - 1 - cell : cell) * rowStride;
    for (let j = first; j < last; j++) {
      data[row + j * columnStride] = cubic((j - centre + 0.5) / widen, -0.5) / sum;
    }
  }
}

/**
 * Writes the matrix [size, size] of a Gaussian blur along a line, sampled at whole pixels up to four standard deviations;
 * pixels beyond the ends are as the last ones. Sigma 0 is no blur. Zeros are taken to be there.
 *
 * PIL's GaussianBlur is three box blurs that come close to this: on an edge from 0 to 255 they differ by less than 2.
 */
export function writeBlur({ data, offset, rowStride, columnStride }: MatrixPlace, size: number, sigma: number): void {
  const reach = Math.ceil(4 * sigma);
  const weights = Float64Array.from({ length: reach + 1 }, (_, d) => (d === 0 ? 1 : Math.exp(-0.5 * (d / sigma) ** 2)));
  const sum = weights.reduce((total, weight) => total + 2 * weight, -1);
  for (let row = 0; row < size; row++) {
    for (let d = -reach; d <= reach; d++) {
      const column = Math.min(Math.max(row + d, 0), size - 1);
      const at = offset + row * rowStride + column * columnStride;
      data[at] = (data[at] ?? 0) + (weights[Math.abs(d)] ?? 0) / sum;
    }
  }
}
