import type { Random } from "../../core/util/random.ts";

/** `count` numbers drawn evenly from [low, high). */
export function uniformFloats(random: Random, count: number, low = -2, high = 2): Float32Array {
  return Float32Array.from({ length: count }, () => random.uniform(low, high));
}

/** Largest difference between two lists of one length. NaN where either has one. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? NaN) - (b[i] ?? NaN));
    if (!(difference <= largest)) largest = difference;
    if (Number.isNaN(difference)) return NaN;
  }
  return largest;
}

/** Frobenius norm of the difference over the norm of `wanted`. */
export function relativeError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (got.length !== wanted.length) return Infinity;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < wanted.length; i++) {
    const value = wanted[i] ?? NaN;
    difference += ((got[i] ?? NaN) - value) ** 2;
    norm += value ** 2;
  }
  return Math.sqrt(difference / norm);
}
