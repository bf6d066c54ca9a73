import { createRandom } from "../util/random.ts";

/** Rows that the directions are found from: more change them little. */
const maxRows = 4096;

/** Power iterations: the start of a map needs no more digits. */
const iterations = 30;

/**
 * The start of a map: the two principal components of unit vectors, scaled to 10 at most, with a little noise so that
 * copies can part. Starting from them keeps the large shape of the data (Kobak and Linderman 2021). [rows, 2].
 */
export function principalPlane(matrix: Float32Array, width: number, seed: number): Float32Array {
  const rows = matrix.length / width;
  const random = createRandom(seed);
  const step = Math.max(1, Math.floor(rows / maxRows));
  const mean = new Float64Array(width);
  const sampled = Math.ceil(rows / step);
  for (let row = 0; row < rows; row += step) {
    for (let i = 0; i < width; i++) mean[i] = (mean[i] as number) + (matrix[row * width + i] as number) / sampled;
  }
  const axes: Float64Array[] = [];
  for (let axis = 0; axis < 2; axis++) {
    let vector = unit(Float64Array.from({ length: width }, () => random.normal()));
    for (let iteration = 0; iteration < iterations; iteration++) {
      const sum = new Float64Array(width);
      for (let row = 0; row < rows; row += step) {
        const score = project(matrix, row * width, mean, vector);
        for (let i = 0; i < width; i++) {
          sum[i] = (sum[i] as number) + score * ((matrix[row * width + i] as number) - (mean[i] as number));
        }
      }
      for (const other of axes) remove(sum, other);
      if (sum.every((value) => value === 0)) break;
      vector = unit(sum);
    }
    axes.push(vector);
  }
  const plane = new Float32Array(2 * rows);
  let largest = 0;
  for (let row = 0; row < rows; row++) {
    axes.forEach((axis, i) => {
      const score = project(matrix, row * width, mean, axis);
      plane[2 * row + i] = score;
      largest = Math.max(largest, Math.abs(score));
    });
  }
  const scale = largest > 0 ? 10 / largest : 0;
  return plane.map((score) => scale * score + 1e-4 * random.normal());
}

function project(matrix: Float32Array, start: number, mean: Float64Array, axis: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < axis.length; i++) {
    sum += ((matrix[start + i] as number) - (mean[i] as number)) * (axis[i] as number);
  }
  return sum;
}

function remove(vector: Float64Array, axis: Float64Array): void {
  const along = vector.reduce((sum, value, i) => sum + value * (axis[i] ?? 0), 0);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) - along * (axis[i] ?? 0);
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
