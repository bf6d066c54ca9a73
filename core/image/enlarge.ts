import type { Pixels } from "./decode.ts";

/** A rectangle in pixels. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The part `area` of a picture enlarged to `width` x `height`, as RGB bytes: bicubic with a = -0.5 (Keys 1981), pixel
 * centres aligned, columns first. This is here because libvips enlarges with the picture moved by half a pixel, a mean
 * difference of 5 levels to Pillow; where it reduces, its centres are aligned too.
 */
export function enlarge(picture: Pixels, width: number, height: number, area: Area): Uint8Array {
  const across = taps(picture.width, width, area.left, area.width);
  const down = taps(picture.height, height, area.top, area.height);
  const stride = area.width * 3;
  const columns = resample(
    picture.data,
    across,
    picture.height,
    { line: picture.width * 3, pixel: 3 },
    { line: stride, pixel: 3 },
  );
  return resample(columns, down, area.width, { line: 3, pixel: stride }, { line: 3, pixel: stride });
}

/** Bytes from one line to the next, and from one pixel of a line to the next. */
interface Strides {
  readonly line: number;
  readonly pixel: number;
}

/** Resamples each of `lines` lines of RGB pixels, which may run across or down, to one pixel per element of `outputs`. */
function resample(source: Uint8Array, outputs: readonly Taps[], lines: number, from: Strides, to: Strides): Uint8Array {
  // Rounds and keeps to 0 to 255, where the kernel overshoots.
  const result = new Uint8ClampedArray(lines * outputs.length * 3);
  for (const [index, { first, weights }] of outputs.entries()) {
    for (let line = 0; line < lines; line++) {
      for (let channel = 0; channel < 3; channel++) {
        let at = line * from.line + first * from.pixel + channel;
        let sum = 0;
        for (let i = 0; i < weights.length; i++, at += from.pixel) sum += (weights[i] ?? 0) * (source[at] ?? 0);
        result[line * to.line + index * to.pixel + channel] = sum;
      }
    }
  }
  return new Uint8Array(result.buffer);
}

/** For one output pixel: its first source pixel and the weights, which sum to 1, of that one and those after it. */
interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Taps of the output pixels `start` to `start + count` when a line of `length` pixels is enlarged to `target`. */
function taps(length: number, target: number, start: number, count: number): Taps[] {
  return Array.from({ length: count }, (_, index) => {
    const centre = ((start + index + 0.5) * length) / target - 0.5;
    // Four pixels lie in reach; those outside the picture are left out.
    const first = Math.max(0, Math.floor(centre) - 1);
    const end = Math.min(length, Math.floor(centre) + 3);
    const weights = Float64Array.from({ length: end - first }, (__, i) => keys(Math.abs(first + i - centre)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** Keys' cubic convolution kernel with a = -0.5 at a distance in pixels. */
function keys(distance: number): number {
  if (distance < 1) return (1.5 * distance - 2.5) * distance * distance + 1;
  if (distance < 2) return ((-0.5 * distance + 2.5) * distance - 4) * distance + 2;
  return 0;
}
