import { CoreError } from "../util/errors.ts";
import { emptyBitmap, nearestIndices, requireSameSize, type Bitmap } from "./bitmap.ts";

/**
 * A mask as COCO keeps it: lengths of runs down the columns, left to right, background and foreground by turns; the first
 * is background and may be 0.
 */
export interface RunLengths {
  readonly width: number;
  readonly height: number;
  readonly counts: Uint32Array;
}

/** The most pixels a mask may have: the largest picture that is taken in. Its lengths fit 32 bits. */
const maxPixels = 2 ** 28;

/** Run lengths of a bitmap, or of the bitmap scaled to another size (nearest neighbour) without making that. */
export function encodeRuns(bitmap: Bitmap, width = bitmap.width, height = bitmap.height): RunLengths {
  const across = nearestIndices(bitmap.width, width);
  const down = nearestIndices(bitmap.height, height);
  const counts: number[] = [];
  let value = 0;
  let length = 0;
  for (let x = 0; x < width; x++) {
    const column = across[x] as number;
    for (let y = 0; y < height; y++) {
      const next = bitmap.data[(down[y] as number) * bitmap.width + column] as number;
      if (next !== value) {
        counts.push(length);
        length = 0;
        value = next;
      }
      length++;
    }
  }
  counts.push(length);
  return { width, height, counts: Uint32Array.from(counts) };
}

/** The bitmap of run lengths. Throws `mask-invalid` where they do not add up to width * height. */
export function decodeRuns(runs: RunLengths): Bitmap {
  checkRuns(runs);
  const { width, height, counts } = runs;
  const data = new Uint8Array(width * height);
  let at = 0;
  counts.forEach((count, i) => {
    if (i % 2 === 1) {
      let x = Math.floor(at / height);
      let y = at % height;
      for (let k = 0; k < count; k++) {
        data[y * width + x] = 1;
        if (++y === height) {
          y = 0;
          x++;
        }
      }
    }
    at += count;
  });
  return { width, height, data };
}

/**
 * The bitmap of some columns and rows of run lengths, both in rising order (one may be named twice): a mask at another
 * size, or a part of it, without the whole in memory. Throws `mask-invalid` as `decodeRuns` does.
 */
export function pickRuns(runs: RunLengths, columns: Uint32Array, rows: Uint32Array): Bitmap {
  checkRuns(runs);
  const { height, counts } = runs;
  const picked = emptyBitmap(columns.length, rows.length);
  let run = 0;
  let end = counts[0] ?? 0;
  columns.forEach((column, x) => {
    const repeated = x > 0 && columns[x - 1] === column;
    rows.forEach((row, y) => {
      const at = y * columns.length + x;
      if (repeated) {
        picked.data[at] = picked.data[at - 1] as number;
        return;
      }
      while (end <= column * height + row) end += counts[++run] as number;
      picked.data[at] = run % 2;
    });
  });
  return picked;
}

/** Throws `mask-invalid` for run lengths that do not fill their size exactly. */
export function checkRuns({ width, height, counts }: RunLengths): void {
  const pixels = width * height;
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  const sum = counts.reduce((total, count) => total + count, 0);
  if (whole && pixels <= maxPixels && sum === pixels) return;
  throw new CoreError(
    "mask-invalid",
    `The run lengths of a mask of ${width} x ${height} must add up to ${pixels}, at most ${maxPixels}; found ${sum}.`,
  );
}

/** Foreground pixels. */
export function areaOfRuns({ counts }: RunLengths): number {
  return counts.reduce((sum, count, i) => sum + (i % 2 === 1 ? count : 0), 0);
}

/** Intersection over union of two masks of one size; 1 where both are empty. Throws `mask-size`. */
export function overlapOfRuns(a: RunLengths, b: RunLengths): number {
  requireSameSize(a, b);
  let intersection = 0;
  let [i, j] = [0, 0];
  let [leftA, leftB] = [a.counts[0] ?? 0, b.counts[0] ?? 0];
  while (i < a.counts.length && j < b.counts.length) {
    const step = Math.min(leftA, leftB);
    if (i % 2 === 1 && j % 2 === 1) intersection += step;
    leftA -= step;
    leftB -= step;
    if (leftA === 0) leftA = a.counts[++i] ?? 0;
    if (leftB === 0) leftB = b.counts[++j] ?? 0;
  }
  const union = areaOfRuns(a) + areaOfRuns(b) - intersection;
  return union === 0 ? 1 : intersection / union;
}

/**
 * COCO's compressed text (pycocotools, rleToString): each length from the fourth on less the one two before, in groups of
 * five bits from the lowest, a sixth bit saying that more follow, 48 added to be printable.
 */
export function compressRuns({ counts }: RunLengths): string {
  const parts: string[] = [];
  counts.forEach((count, i) => {
    let rest = i > 2 ? count - (counts[i - 2] ?? 0) : count;
    for (let more = true; more;) {
      const bits = rest & 31;
      rest >>= 5;
      more = (bits & 16) === 0 ? rest !== 0 : rest !== -1;
      parts.push(String.fromCharCode((more ? bits | 32 : bits) + 48));
    }
  });
  return parts.join("");
}

/** The way back. Throws `mask-invalid` for text that is no compressed mask of this size. */
export function decompressRuns(text: string, width: number, height: number): RunLengths {
  const invalid = (problem: string): CoreError =>
    new CoreError("mask-invalid", `A mask of ${width} x ${height} cannot be read: ${problem}.`);
  const counts: number[] = [];
  let value = 0;
  let shift = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at) - 48;
    // Six groups hold 30 bits, which every length below `maxPixels` fits with its sign.
    if (code < 0 || code > 63 || shift > 25) throw invalid(`character ${at} is out of place`);
    value |= (code & 31) << shift;
    shift += 5;
    if ((code & 32) !== 0) continue;
    if ((code & 16) !== 0) value |= -1 << shift;
    if (counts.length > 2) value += counts[counts.length - 2] ?? 0;
    if (value < 0) throw invalid(`run ${counts.length} has ${value} pixels`);
    counts.push(value);
    // Text can be longer than any mask of this size: more runs than pixels are not gathered.
    if (counts.length > width * height + 1) throw invalid("it has more runs than pixels");
    [value, shift] = [0, 0];
  }
  if (shift !== 0) throw invalid("it ends in the middle of a number");
  const runs = { width, height, counts: Uint32Array.from(counts) };
  checkRuns(runs);
  return runs;
}
