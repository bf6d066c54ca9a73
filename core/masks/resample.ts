import type { ScoreGrid } from "./bitmap.ts";

/** A picture in memory: upright RGB, three bytes a pixel, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Where each of `to` cells lies between the centres of `from` cells: the lower one and the weight of the next. */
export function lerpTable(from: number, to: number): { readonly low: Uint32Array; readonly weight: Float32Array } {
  const low = new Uint32Array(to);
  const weight = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const position = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    low[i] = Math.max(0, Math.min(Math.floor(position), from - 2));
    weight[i] = from === 1 ? 0 : position - (low[i] as number);
  }
  return { low, weight };
}

/** A grid of scores at another size, bilinear between the centres of the patches and level beyond the outermost. */
export function resizeGrid({ rows, columns, values }: ScoreGrid, width: number, height: number): Float32Array {
  const across = lerpTable(columns, width);
  const down = lerpTable(rows, height);
  const result = new Float32Array(width * height);
  const row = new Float32Array(columns + 1);
  for (let y = 0; y < height; y++) {
    lerpRow(values, columns, rows, down.low[y] as number, down.weight[y] as number, row);
    for (let x = 0; x < width; x++) {
      const low = across.low[x] as number;
      const left = row[low] as number;
      result[y * width + x] = left + (across.weight[x] as number) * ((row[low + 1] as number) - left);
    }
  }
  return result;
}

/**
 * One row between rows `low` and `low + 1` of a plane, into `row`, which has room for one value more: the last one again,
 * so that whoever goes on between columns needs no exception at the end.
 */
export function lerpRow(
  values: Float32Array,
  columns: number,
  rows: number,
  low: number,
  weight: number,
  row: Float32Array,
): void {
  const start = low * columns;
  const next = Math.min(low + 1, rows - 1) * columns;
  for (let x = 0; x < columns; x++) {
    const above = values[start + x] as number;
    row[x] = above + weight * ((values[next + x] as number) - above);
  }
  row[columns] = row[columns - 1] as number;
}

/** A picture at a smaller size, each pixel the mean of what it covers, as three planes of values from 0 to 1. */
export function shrinkPicture({ width, height, data }: Picture, toWidth: number, toHeight: number): Float32Array[] {
  const count = toWidth * toHeight;
  const planes = [0, 1, 2].map(() => new Float32Array(count));
  for (let y = 0; y < toHeight; y++) {
    const top = Math.floor((y * height) / toHeight);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * height) / toHeight));
    for (let x = 0; x < toWidth; x++) {
      const left = Math.floor((x * width) / toWidth);
      const right = Math.max(left + 1, Math.floor(((x + 1) * width) / toWidth));
      let [red, green, blue] = [0, 0, 0];
      for (let row = top; row < bottom; row++) {
        for (let at = 3 * (row * width + left); at < 3 * (row * width + right); at += 3) {
          red += data[at] as number;
          green += data[at + 1] as number;
          blue += data[at + 2] as number;
        }
      }
      const scale = 1 / (255 * (right - left) * (bottom - top));
      [red, green, blue].forEach((sum, plane) => {
        (planes[plane] as Float32Array)[y * toWidth + x] = sum * scale;
      });
    }
  }
  return planes;
}
