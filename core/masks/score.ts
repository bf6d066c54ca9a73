import { emptyBitmap, nearestIndices, requireSameSize, type Bitmap } from "./bitmap.ts";

/** Intersection over union of two masks of one size; 1 where both are empty. Throws `mask-size`. */
export function intersectionOverUnion(a: Bitmap, b: Bitmap): number {
  requireSameSize(a, b);
  let intersection = 0;
  let union = 0;
  for (let i = 0; i < a.data.length; i++) {
    intersection += (a.data[i] as number) & (b.data[i] as number);
    union += (a.data[i] as number) | (b.data[i] as number);
  }
  return union === 0 ? 1 : intersection / union;
}

/** The share of foreground in each cell of a grid laid over a mask: [rows, columns]. */
export function coverage({ width, height, data }: Bitmap, rows: number, columns: number): Float32Array {
  const sums = new Float64Array(rows * columns);
  const counts = new Float64Array(rows * columns);
  // A mask smaller than the grid is looked at once a cell at least.
  const [finerWidth, finerHeight] = [Math.max(width, columns), Math.max(height, rows)];
  const [across, down] = [nearestIndices(width, finerWidth), nearestIndices(height, finerHeight)];
  const [cellAcross, cellDown] = [nearestIndices(columns, finerWidth), nearestIndices(rows, finerHeight)];
  for (let y = 0; y < finerHeight; y++) {
    for (let x = 0; x < finerWidth; x++) {
      const cell = (cellDown[y] as number) * columns + (cellAcross[x] as number);
      sums[cell] = (sums[cell] as number) + (data[(down[y] as number) * width + (across[x] as number)] as number);
      counts[cell] = (counts[cell] as number) + 1;
    }
  }
  return Float32Array.from(sums, (sum, cell) => sum / (counts[cell] as number));
}

/** The baseline of a box in the middle with half of the picture's area and its proportions. */
export function centreBox(width: number, height: number): Bitmap {
  const box = emptyBitmap(width, height);
  const inside = (at: number, length: number): boolean =>
    Math.abs(at + 0.5 - length / 2) <= length * Math.SQRT1_2 * 0.5;
  for (let y = 0; y < height; y++) {
    if (!inside(y, height)) continue;
    for (let x = 0; x < width; x++) box.data[y * width + x] = inside(x, width) ? 1 : 0;
  }
  return box;
}

/** Mean of several coverages of one grid, cut at one half: the mask that a set has on average. */
export function meanMask(coverages: readonly Float32Array[], rows: number, columns: number): Bitmap {
  const sums = new Float64Array(rows * columns);
  for (const values of coverages) values.forEach((value, i) => (sums[i] = (sums[i] as number) + value));
  return { width: columns, height: rows, data: Uint8Array.from(sums, (sum) => (2 * sum >= coverages.length ? 1 : 0)) };
}
