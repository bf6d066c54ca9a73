/** What a model says of the patches of a picture, as something to look at. */
import type { PatchGrid } from "../../core/rpc/columns.ts";

/** A value from 0 to 1 for each patch, row by row. */
export interface Heat {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/**
 * The mean attention of some heads, or of all, brightest where it is strongest. A single patch can hold most of the
 * attention; so the scale ends at the patch that only one in fifty exceeds.
 */
export function attentionHeat({ rows, columns, depth, values }: PatchGrid, heads: readonly number[] | null): Heat {
  const patches = rows * columns;
  const taken = (heads ?? Array.from({ length: depth }, (_, head) => head)).filter((head) => head < depth);
  const sums = new Float32Array(patches);
  for (const head of taken) {
    for (let patch = 0; patch < patches; patch++) {
      sums[patch] = (sums[patch] ?? 0) + (values[head * patches + patch] ?? 0);
    }
  }
  const sorted = sums.slice().sort();
  const low = sorted[0] ?? 0;
  const high = sorted[Math.floor(0.98 * (patches - 1))] ?? 1;
  return { rows, columns, values: sums.map((sum) => Math.min(1, (sum - low) / Math.max(high - low, 1e-12))) };
}

/** Cosines of one patch's features (of length 1) with every patch of a picture. */
export function cosinesWith(query: Float32Array, { rows, columns, depth, values }: PatchGrid): Float32Array {
  const cosines = new Float32Array(rows * columns);
  for (let patch = 0, at = 0; patch < cosines.length; patch++) {
    let sum = 0;
    for (let i = 0; i < depth; i++, at++) sum += (query[i] ?? 0) * (values[at] ?? 0);
    cosines[patch] = sum;
  }
  return cosines;
}

/** The features of one patch. */
export function patchOf({ depth, values }: PatchGrid, patch: number): Float32Array {
  return values.subarray(patch * depth, (patch + 1) * depth);
}

/** Cosines as heat: nothing up to `floor`, all at 1. The floor is that of the picture pointed at, so that others compare. */
export function cosineHeat(cosines: Float32Array, rows: number, columns: number, floor: number): Heat {
  const range = Math.max(1 - floor, 1e-6);
  return { rows, columns, values: cosines.map((cosine) => Math.max(0, (cosine - floor) / range)) };
}

/** The cosine above which a patch stands out: the mean of all. */
export function meanOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** Dark violet to light yellow, as red, green, blue at equal steps. */
const ramp = [
  [28, 12, 68],
  [106, 23, 110],
  [188, 55, 84],
  [243, 120, 25],
  [252, 198, 60],
  [252, 255, 190],
] as const;

/** What is cold is darkened, so that heat is seen on pictures that have its own colours: oranges, apples. */
const shade = [8, 10, 14] as const;
/** How opaque the dark is where nothing is. */
const darkest = 0.8;

/** Heat as RGBA pixels, one a patch: its colours over the dark that lies on what is cold. */
export function heatPixels({ values }: Heat): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * values.length);
  values.forEach((value, patch) => {
    const warmth = Math.min(1, Math.max(0, value));
    const place = warmth * (ramp.length - 1);
    const step = Math.min(ramp.length - 2, Math.floor(place));
    const [from, to] = [ramp[step] ?? ramp[0], ramp[step + 1] ?? ramp[0]];
    const over = Math.min(1, 1.5 * warmth);
    const under = darkest * (1 - warmth) * (1 - over);
    const alpha = over + under;
    for (let channel = 0; channel < 3; channel++) {
      const glow = (from[channel] ?? 0) + (place - step) * ((to[channel] ?? 0) - (from[channel] ?? 0));
      pixels[4 * patch + channel] = (glow * over + (shade[channel] ?? 0) * under) / Math.max(alpha, 1e-9);
    }
    pixels[4 * patch + 3] = 255 * alpha;
  });
  return pixels;
}
