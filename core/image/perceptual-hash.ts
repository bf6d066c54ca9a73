/** Columns and rows of the small grey picture; neighbours in a row are compared, so 8 bits come out of 9 columns. */
const columns = 9;
const rows = 8;

/**
 * How much brighter, of 255, an area has to be to count as brighter. Plain white backgrounds and skies have neighbours
 * that differ by noise alone; without a margin their bits would change whenever the picture is saved again.
 */
const margin = 2;

/**
 * 64-bit difference hash of an upright RGB picture (`width * height * 3` bytes), as 16 hex digits: the picture's luma,
 * averaged over 9 x 8 equal areas; a bit says whether an area is brighter than the one to its left, row by row, highest
 * bit first. Copies that were resized or saved again differ in few bits. (Krawetz, "Kind of Like That", 2013.)
 */
export function perceptualHash(rgb: Uint8Array, width: number, height: number): string {
  const grey = areaMeans(rgb, width, height);
  let hash = 0n;
  for (let row = 0; row < rows; row++) {
    for (let column = 1; column < columns; column++) {
      const left = grey[row * columns + column - 1] ?? 0;
      const right = grey[row * columns + column] ?? 0;
      hash = (hash << 1n) | (right - left > margin ? 1n : 0n);
    }
  }
  return hash.toString(16).padStart(16, "0");
}

/** Number of bits, 0 to 64, in which two hashes of 16 hex digits differ. */
export function hashDistance(a: string, b: string): number {
  let difference = BigInt(`0x${a}`) ^ BigInt(`0x${b}`);
  let count = 0;
  for (; difference > 0n; difference &= difference - 1n) count++;
  return count;
}

/** Mean luma (ITU-R BT.601) of each of the 9 x 8 areas; the border of an area may run through pixels. */
function areaMeans(rgb: Uint8Array, width: number, height: number): Float64Array {
  const across = coverage(width, columns);
  const means = new Float64Array(columns * rows);
  const line = new Float64Array(columns);
  coverage(height, rows).forEach((partDown, row) => {
    partDown.weights.forEach((weightDown, step) => {
      lineMeans(rgb, (partDown.start + step) * width * 3, across, line);
      for (let column = 0; column < columns; column++) {
        means[row * columns + column] = (means[row * columns + column] ?? 0) + weightDown * (line[column] ?? 0);
      }
    });
  });
  return means;
}

/**
 * Mean luma of each part of a line of pixels that starts at byte `start`. Pixels inside a part weigh the same, so whole
 * numbers are added up first and weighted once: a third of the time of weighing each pixel.
 */
function lineMeans(
  rgb: Uint8Array,
  start: number,
  parts: readonly { readonly start: number; readonly weights: Float64Array }[],
  means: Float64Array,
): void {
  const luma = (at: number): number => 0.299 * (rgb[at] ?? 0) + 0.587 * (rgb[at + 1] ?? 0) + 0.114 * (rgb[at + 2] ?? 0);
  parts.forEach(({ start: first, weights }, part) => {
    const last = weights.length - 1;
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let at = start + 3 * (first + 1), end = start + 3 * (first + last); at < end; at += 3) {
      red += rgb[at] ?? 0;
      green += rgb[at + 1] ?? 0;
      blue += rgb[at + 2] ?? 0;
    }
    let sum = (weights[1] ?? 0) * (last > 1 ? 0.299 * red + 0.587 * green + 0.114 * blue : 0);
    sum += (weights[0] ?? 0) * luma(start + 3 * first);
    if (last > 0) sum += (weights[last] ?? 0) * luma(start + 3 * (first + last));
    means[part] = sum;
  });
}

/** For each of `parts` equal parts of a line of `length` pixels: its first pixel, and weights that sum to 1. */
function coverage(length: number, parts: number): { start: number; weights: Float64Array }[] {
  return Array.from({ length: parts }, (_, part) => {
    const from = (part * length) / parts;
    const to = ((part + 1) * length) / parts;
    const start = Math.floor(from);
    const weights = Float64Array.from(
      { length: Math.ceil(to) - start },
      (_, i) => (Math.min(to, start + i + 1) - Math.max(from, start + i)) / (to - from),
    );
    return { start, weights };
  });
}
