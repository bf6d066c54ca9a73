/**
 * The two matrices that crop and resize a view, and the one that blurs it, as parts of the graph. They are made from a
 * few numbers for each cell and view, so that a device is sent kilobytes for a batch, and not hundreds of megabytes.
 */
import { add, divide, exp, multiply, negate, subtract } from "../../graph/ops/elementwise.ts";
import { sum } from "../../graph/ops/reduce.ts";
import { maximum } from "../../graph/ops/select.ts";
import { constant, known, scalar, type Value } from "../../graph/value.ts";

/** Where a cell is put that must not be read: beyond the reach of every kernel. */
const away = 1e5;

/** How a line is resized: `resizeMatrix` makes a matrix of it. Positions are in kernel widths. */
export interface LineResize {
  /** Of each cell that is read; `away` where the part does not touch it. */
  readonly cells: Float32Array;
  /** Of each cell that is written. */
  readonly centres: Float32Array;
}

/**
 * Writes how the part `start` to `end` (in cells, not whole ones perhaps) of a line of cells becomes a line of as many
 * cells as there are centres, as PIL's antialiased bicubic does for a crop of its own: the kernel widened where it
 * shrinks, no cell read that the part does not touch. `mirrored` turns the result around.
 */
export function writeResize({ cells, centres }: LineResize, start: number, end: number, mirrored = false): void {
  const scale = (end - start) / centres.length;
  const widen = Math.max(scale, 1);
  // A part that ends on a cell's edge but for rounding ends there.
  const lowest = Math.max(0, Math.floor(start + 1e-6));
  const highest = Math.min(cells.length, Math.ceil(end - 1e-6));
  for (let j = 0; j < cells.length; j++) cells[j] = j >= lowest && j < highest ? (j + 0.5) / widen : away;
  for (let i = 0; i < centres.length; i++) {
    centres[i] = (mirrored ? end - (i + 0.5) * scale : start + (i + 0.5) * scale) / widen;
  }
}

/**
 * The matrices of `writeResize`, whose weights along `axis`, that of the cells, sum to 1. Cells and centres are broadcast
 * against each other: [views, cells, 1] and [views, 1, centres] for a matrix that is multiplied from the right.
 *
 * Keys' kernel with a = -0.5, twice: with n = max(2 - |x|, 0) and m = max(1 - |x|, 0) it is n^2 (n - 1) + m^2 (2 - 4 m).
 */
export function resizeMatrix(cells: Value, centres: Value, axis: number): Value {
  const x = subtract(cells, centres);
  const outer = maximum(subtract(scalar(2), maximum(x, negate(x))), scalar(0));
  const ahead = subtract(outer, scalar(1));
  const inner = maximum(ahead, scalar(0));
  const tails = multiply(multiply(outer, outer), ahead);
  const middle = multiply(multiply(inner, inner), subtract(scalar(2), multiply(inner, scalar(4))));
  const weights = add(tails, middle);
  return divide(weights, sum(weights, [axis], true));
}

/** Weights below e to the power of this count as nothing, and stay clear of numbers that processors are slow with. */
const faintest = -30;

/** How a line is blurred: `blurMatrix` makes a matrix of it. */
export interface LineBlur {
  /** How fast weights fall with the square of the distance, and the weight in the middle. */
  readonly falloff: number;
  readonly peak: number;
  /** Weights beyond the ends, of each row before the first pixel and after the last. */
  readonly before: Float32Array;
  readonly after: Float32Array;
}

/** A Gaussian of standard deviation `sigma`, in pixels, on a line of `size` pixels. 0 is no blur. */
export function lineBlur(size: number, sigma: number): LineBlur {
  const falloff = sigma === 0 ? -faintest : 0.5 / sigma ** 2;
  // What lies farther out than this sums to 1e-14.
  const reach = Math.ceil(8 * sigma);
  const weights = Float64Array.from({ length: reach + 1 }, (_, d) => Math.exp(-falloff * d * d));
  const peak = 1 / weights.reduce((total, weight) => total + 2 * weight, -1);
  const before = new Float32Array(size);
  let beyond = 0;
  for (let row = reach - 1; row >= 0; row--) {
    beyond += (weights[row + 1] ?? 0) * peak;
    if (row < size) before[row] = beyond;
  }
  return { falloff, peak, before, after: before.toReversed() };
}

/**
 * Matrices [views, size, size] of `lineBlur`, sampled at whole pixels; pixels beyond the ends are as the last ones.
 * `falloff` and `peak` are [views, 1, 1], `before` and `after` [views, size, 1].
 *
 * PIL's GaussianBlur is three box blurs that come close to this: on an edge from 0 to 255 they differ by less than 2.
 */
export function blurMatrix(falloff: Value, peak: Value, before: Value, after: Value): Value {
  const size = known(before.shape[1], "The size of a blurred view");
  const squares = Float32Array.from({ length: size * size }, (_, i) => -((Math.floor(i / size) - (i % size)) ** 2));
  const end = (at: number): Value =>
    constant(
      Float32Array.from({ length: size }, (_, i) => (i === at ? 1 : 0)),
      [1, 1, size],
    );
  const heights = exp(maximum(multiply(falloff, constant(squares, [1, size, size])), scalar(faintest)));
  const inside = multiply(heights, peak);
  return add(add(inside, multiply(before, end(0))), multiply(after, end(size - 1)));
}
