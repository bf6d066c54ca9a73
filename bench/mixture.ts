import { createRandom } from "../core/util/random.ts";

export interface MixtureOptions {
  readonly seed: number;
  readonly groups?: number;
  /** Directions in which groups differ and spread: embeddings lie near a surface of few dimensions. */
  readonly directions?: number;
}

/**
 * Unit vectors as embeddings of pictures lie: `groups` overlapping clouds near a plane of few directions, with a little
 * noise in all. [rows, width], row-major.
 */
export function mixture(
  rows: number,
  width: number,
  { seed, groups = 60, directions = 12 }: MixtureOptions,
): Float32Array {
  const random = createRandom(seed);
  const basis = Float32Array.from({ length: directions * width }, () => random.normal());
  const centres = Float32Array.from({ length: groups * directions }, () => 1.5 * random.normal());
  const matrix = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const group = random.integer(groups);
    const vector = matrix.subarray(row * width, (row + 1) * width);
    for (let i = 0; i < width; i++) vector[i] = 0.5 * random.normal();
    for (let d = 0; d < directions; d++) {
      const weight = (centres[group * directions + d] ?? 0) + 0.7 * random.normal();
      for (let i = 0; i < width; i++) vector[i] = (vector[i] ?? 0) + weight * (basis[d * width + i] ?? 0);
    }
    let sum = 0;
    for (const value of vector) sum += value * value;
    for (let i = 0; i < width; i++) vector[i] = (vector[i] ?? 0) / Math.sqrt(sum);
  }
  return matrix;
}
