import { constant, type Value } from "../graph/value.ts";
import { matMul } from "../graph/ops/linear.ts";
import { reshape } from "../graph/ops/movement.ts";
import type { Architecture, Weights, WeightTensor } from "./architecture.ts";

/** Cubic convolution kernel (Keys 1981) with parameter `a`. */
export function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

/**
 * The matrix [to, from] that resizes a row of `from` cells to `to` cells, as PyTorch's bicubic interpolation does for
 * position embeddings. With an `offset` (official DINO: 0.1) coordinates use the scale (to + offset) / from, which is
 * what that code passes; a = -0.75, four taps, edges repeated. With `antialias` the kernel is a = -0.5 and widens when
 * it shrinks (DINOv2 with registers), and the offset is not used.
 */
export function bicubicMatrix(from: number, to: number, offset: number, antialias: boolean): Float32Array {
  const matrix = new Float64Array(to * from);
  for (let row = 0; row < to; row++) {
    if (antialias) {
      const scale = from / to;
      const widen = Math.max(scale, 1);
      const centre = scale * (row + 0.5);
      const start = Math.max(Math.trunc(centre - 2 * widen + 0.5), 0);
      const end = Math.min(Math.trunc(centre + 2 * widen + 0.5), from);
      let sum = 0;
      for (let j = start; j < end; j++) sum += matrix[row * from + j] = cubic((j - centre + 0.5) / widen, -0.5);
      for (let j = start; j < end; j++) matrix[row * from + j] = (matrix[row * from + j] ?? 0) / sum;
    } else {
      const scale = (to + offset) / from;
      const position = (row + 0.5) / scale - 0.5;
      const base = Math.floor(position);
      for (let tap = -1; tap <= 2; tap++) {
        const cell = Math.min(Math.max(base + tap, 0), from - 1);
        matrix[row * from + cell] = (matrix[row * from + cell] ?? 0) + cubic(position - (base + tap), -0.75);
      }
    }
  }
  return Float32Array.from(matrix);
}

/**
 * Position embeddings of the patches [1, grid*grid, width], resized to a picture of `rows` by `columns` patches:
 * [1, rows*columns, width]. Two products with constant matrices; the stored grid is used as it is when it fits.
 */
export function resizePositions(stored: Value, architecture: Architecture, rows: number, columns: number): Value {
  const { grid, width, positionOffset, positionAntialias } = architecture;
  if (rows === grid && columns === grid) return stored;
  const across = constant(bicubicMatrix(grid, columns, positionOffset, positionAntialias), [columns, grid]);
  const down = constant(bicubicMatrix(grid, rows, positionOffset, positionAntialias), [rows, grid]);
  const wide = matMul(across, reshape(stored, [grid, grid, width]));
  return reshape(matMul(down, reshape(wide, [grid, columns * width])), [1, rows * columns, width]);
}

/**
 * A network with its positions stored for a square of `grid` patches: those that `resizePositions` would compute for it at
 * every run.
 */
export function withGrid(
  architecture: Architecture,
  weights: Weights,
  grid: number,
): { readonly architecture: Architecture; readonly weights: Weights } {
  const { grid: from, width, positionOffset, positionAntialias } = architecture;
  const stored = weights.get("pos_embed");
  if (stored === undefined || grid === from) return { architecture, weights };
  const matrix = bicubicMatrix(from, grid, positionOffset, positionAntialias);
  const wide = mixed(matrix, stored.data.subarray(width), { outer: from, from, to: grid, inner: width });
  const patches = mixed(matrix, wide, { outer: 1, from, to: grid, inner: grid * width });
  const data = new Float32Array(width + patches.length);
  data.set(stored.data.subarray(0, width));
  data.set(patches, width);
  const resized: WeightTensor = { shape: [1, 1 + grid * grid, width], data };
  return { architecture: { ...architecture, grid }, weights: new Map([...weights, ["pos_embed", resized]]) };
}

/** `matrix` [to, from] times the middle axis of `values` [outer, from, inner]. */
function mixed(
  matrix: Float32Array,
  values: Float32Array,
  { outer, from, to, inner }: { outer: number; from: number; to: number; inner: number },
): Float32Array {
  const result = new Float32Array(outer * to * inner);
  for (let block = 0; block < outer; block++) {
    for (let row = 0; row < to; row++) {
      for (let i = 0; i < inner; i++) {
        let sum = 0;
        for (let tap = 0; tap < from; tap++) {
          sum += (matrix[row * from + tap] ?? 0) * (values[(block * from + tap) * inner + i] ?? 0);
        }
        result[(block * to + row) * inner + i] = sum;
      }
    }
  }
  return result;
}
