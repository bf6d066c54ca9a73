import type { Bitmap } from "../../core/masks/bitmap.ts";
import { createRandom } from "../../core/util/random.ts";

/** A bitmap from rows of text: `#` is foreground. */
export function bitmapOfText(...rows: string[]): Bitmap {
  const data = rows.flatMap((row) => Array.from(row, (character) => (character === "#" ? 1 : 0)));
  return { width: rows[0]?.length ?? 0, height: rows.length, data: Uint8Array.from(data) };
}

/** The way back, for messages that can be read. */
export function textOf({ width, height, data }: Bitmap): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from(data.subarray(y * width, (y + 1) * width), (value) => (value === 1 ? "#" : ".")).join(""),
  );
}

/** Bitmaps of many kinds: noise of several densities, blobs, the empty and the full one, single rows and columns. */
export function manyBitmaps(): Bitmap[] {
  const random = createRandom(7);
  const noise = (width: number, height: number, density: number): Bitmap => ({
    width,
    height,
    data: Uint8Array.from({ length: width * height }, () => (random.next() < density ? 1 : 0)),
  });
  const blobs = (width: number, height: number): Bitmap => {
    const circles = Array.from({ length: 6 }, () => [
      random.next() * width,
      random.next() * height,
      3 + random.next() * 9,
    ]);
    const data = Uint8Array.from({ length: width * height }, (_, i) => {
      const count = circles.filter(
        ([x = 0, y = 0, r = 0]) => Math.hypot((i % width) - x, Math.floor(i / width) - y) < r,
      ).length;
      return count % 2;
    });
    return { width, height, data };
  };
  return [
    ...[0, 0.03, 0.3, 0.5, 0.7, 0.97, 1].map((density) => noise(31, 17, density)),
    blobs(60, 40),
    blobs(40, 60),
    noise(1, 50, 0.5),
    noise(50, 1, 0.5),
    noise(1, 1, 1),
    noise(300, 200, 0.5),
  ];
}
