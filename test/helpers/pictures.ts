import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { createRandom } from "../../core/util/random.ts";

/** How pictures are drawn: the same seed gives the same files. */
export interface Drawing {
  readonly seed: number;
  readonly width?: number;
  readonly height?: number;
}

/** Draws a picture of coloured noise over a gradient, and writes it as its name's ending says (JPEG, PNG, WebP, …). */
export async function drawPicture(file: string, { seed, width = 64, height = 48 }: Drawing): Promise<void> {
  const random = createRandom(seed);
  const [red, green, blue] = [random.integer(200), random.integer(200), random.integer(200)];
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < pixels.length; i += 3) {
    const slope = (40 * (i / 3 / width)) / height;
    pixels[i] = red + slope + random.integer(16);
    pixels[i + 1] = green + random.integer(16);
    pixels[i + 2] = blue + 40 - slope + random.integer(16);
  }
  mkdirSync(dirname(file), { recursive: true });
  await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(file);
}

/** Draws `count` pictures `000.jpg`, `001.jpg`, … and returns their names. */
export async function drawPictures(folder: string, count: number, drawing: Drawing): Promise<string[]> {
  const names = Array.from({ length: count }, (_, i) => `${String(i).padStart(3, "0")}.jpg`);
  await Promise.all(
    names.map((name, i) => drawPicture(join(folder, name), { ...drawing, seed: drawing.seed * 1000 + i })),
  );
  return names;
}
