/** What a transformer sees of the foreground alone: its patch tokens, averaged inside a mask. */
import type { Bitmap } from "./bitmap.ts";
import { pickRuns, type RunLengths } from "./rle.ts";
import { coverage } from "./score.ts";

/** A part of a picture, in its pixels; the edges may lie within a pixel. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Foreground of less than this many patches is none: what would be pooled is mostly what lies beside it. */
const leastPatches = 0.5;

/** A mask of more than this share of the picture tells nothing from anything. */
const mostShare = 0.95;

/**
 * How much of each patch is foreground, row by row, for a model that sees a square part of the picture, `side` pixels
 * wide after its resize. The mask is that of the whole upright picture; it is looked at where the model's pixels are.
 */
export function patchCoverage(
  mask: RunLengths,
  area: Area,
  side: number,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): Float32Array {
  const across = indicesWithin(area.left, area.width, side, mask.width);
  const down = indicesWithin(area.top, area.height, side, mask.height);
  const seen: Bitmap = pickRuns(mask, across, down);
  return coverage(seen, rows, columns);
}

/** The pixels of a line of `length` that the centres of `count` cells between `start` and `start + extent` fall into. */
function indicesWithin(start: number, extent: number, count: number, length: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) =>
    Math.min(length - 1, Math.max(0, Math.floor(start + ((i + 0.5) * extent) / count))),
  );
}

/**
 * The weights to pool with: those of the foreground, or 1 for every patch where there is no foreground to speak of, or
 * nothing but. Pooled over the whole picture such an image stays comparable with the others; CLS in its place would not,
 * since it lies in another part of the space than any mean of patches.
 */
export function usableWeights(foreground: Float32Array): { weights: Float32Array; usable: boolean } {
  const sum = foreground.reduce((total, value) => total + value, 0);
  const usable = sum >= leastPatches && sum <= mostShare * foreground.length;
  return { weights: usable ? foreground : foreground.map(() => 1), usable };
}

/** The mean of tokens [patches, width] under weights, at length 1; all 0 where that has no direction. */
export function poolTokens(tokens: Float32Array, weights: Float32Array): Float64Array {
  const width = tokens.length / weights.length;
  const sum = new Float64Array(width);
  weights.forEach((weight, patch) => {
    if (weight === 0) return;
    for (let i = 0; i < width; i++) sum[i] = (sum[i] as number) + weight * (tokens[patch * width + i] as number);
  });
  return unit(sum);
}

/** (1 - blend) of one direction and `blend` of another, at length 1, or null where that is none. */
export function blendVectors(whole: ArrayLike<number>, pooled: ArrayLike<number>, blend: number): Float32Array | null {
  const [from, to] = [unit(Float64Array.from(whole)), unit(Float64Array.from(pooled))];
  const blended = unit(from.map((value, i) => (1 - blend) * value + blend * (to[i] as number)));
  return blended.some((value) => value !== 0) && blended.every(Number.isFinite) ? Float32Array.from(blended) : null;
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length > 0 ? vector.map((value) => value / length) : vector;
}
