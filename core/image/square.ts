import { decodePixels, openPicture } from "./decode.ts";
import { readPictureFile } from "./file.ts";
import { defaultLimits } from "./limits.ts";
import { sharp } from "./setup.ts";

/** A picture squashed to a square, for training: crops are taken from it with the true proportions in mind. */
export interface SquareCopy {
  /** [3, size, size]: red, green and blue planes. */
  readonly planes: Uint8Array<ArrayBuffer>;
  /** Width over height of the upright picture. */
  readonly aspect: number;
}

/** A square copy as JPEG, a tenth of its size. */
export interface EncodedSquare {
  readonly jpeg: Uint8Array<ArrayBuffer>;
  readonly aspect: number;
}

/** Decodes a picture file to a square copy of `size` pixels. Throws a `CoreError` for a bad file, as `preparePicture`. */
export async function decodeSquare(path: string, size: number): Promise<SquareCopy> {
  const { data, aspect } = await decodeSquashed(path, size);
  return { planes: planesOf(data), aspect };
}

/** The same, kept as JPEG. At quality 92 and full colour resolution the difference is below what any crop changes. */
export async function encodeSquare(path: string, size: number): Promise<EncodedSquare> {
  const { data, aspect } = await decodeSquashed(path, size);
  const raw = { width: size, height: size, channels: 3 } as const;
  const jpeg = await sharp(data, { raw }).jpeg({ quality: 92, chromaSubsampling: "4:4:4" }).toBuffer();
  return { jpeg: new Uint8Array(jpeg), aspect };
}

/** The planes of what `encodeSquare` gave. */
export async function decodeEncoded({ jpeg, aspect }: EncodedSquare): Promise<SquareCopy> {
  const data = await sharp(jpeg).raw({ depth: "uchar" }).toBuffer();
  return { planes: planesOf(data), aspect };
}

async function decodeSquashed(path: string, size: number): Promise<{ data: Uint8Array; aspect: number }> {
  const picture = await openPicture(await readPictureFile(path, defaultLimits), defaultLimits);
  const { data } = await decodePixels(picture, defaultLimits, (pipeline) =>
    pipeline.resize({ width: size, height: size, fit: "fill", kernel: "cubic", fastShrinkOnLoad: false }),
  );
  return { data, aspect: picture.width / picture.height };
}

function planesOf(rgb: Uint8Array): Uint8Array<ArrayBuffer> {
  const pixels = rgb.length / 3;
  const planes = new Uint8Array(rgb.length);
  for (let i = 0; i < pixels; i++) {
    planes[i] = rgb[3 * i] ?? 0;
    planes[pixels + i] = rgb[3 * i + 1] ?? 0;
    planes[2 * pixels + i] = rgb[3 * i + 2] ?? 0;
  }
  return planes;
}
