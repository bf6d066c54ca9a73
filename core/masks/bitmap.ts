import { CoreError } from "../util/errors.ts";

/** A mask with a byte a pixel, row by row: 1 is foreground, 0 background. */
export interface Bitmap {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** How sure each patch is foreground, 0 to 1, row by row; from 0.5 on it is. */
export interface ScoreGrid {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** An empty bitmap. */
export function emptyBitmap(width: number, height: number): Bitmap {
  return { width, height, data: new Uint8Array(width * height) };
}

/** Foreground pixels. */
export function areaOf({ data }: Bitmap): number {
  let area = 0;
  for (const value of data) area += value;
  return area;
}

/** Patches that score 0.5 and more, as a bitmap of one pixel a patch. */
export function bitmapOfGrid({ rows, columns, values }: ScoreGrid): Bitmap {
  return { width: columns, height: rows, data: Uint8Array.from(values, (value) => (value >= 0.5 ? 1 : 0)) };
}

/** A bitmap at another size, each pixel taken from where its centre falls (nearest neighbour). */
export function scaleBitmap(bitmap: Bitmap, width: number, height: number): Bitmap {
  if (bitmap.width === width && bitmap.height === height) return bitmap;
  const scaled = emptyBitmap(width, height);
  const across = nearestIndices(bitmap.width, width);
  const down = nearestIndices(bitmap.height, height);
  for (let y = 0; y < height; y++) {
    const from = (down[y] ?? 0) * bitmap.width;
    for (let x = 0; x < width; x++) scaled.data[y * width + x] = bitmap.data[from + (across[x] ?? 0)] ?? 0;
  }
  return scaled;
}

/** For each of `to` cells, the one of `from` cells that its centre falls into. */
export function nearestIndices(from: number, to: number): Uint32Array {
  return Uint32Array.from({ length: to }, (_, i) => Math.min(from - 1, Math.floor(((i + 0.5) * from) / to)));
}

/** Throws `mask-size` where two masks are not of one size. */
export function requireSameSize(a: Pick<Bitmap, "width" | "height">, b: Pick<Bitmap, "width" | "height">): void {
  if (a.width === b.width && a.height === b.height) return;
  throw new CoreError(
    "mask-size",
    `Masks of ${a.width} x ${a.height} and ${b.width} x ${b.height} pixels cannot be compared.`,
  );
}
