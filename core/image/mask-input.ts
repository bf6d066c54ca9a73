import { decodePixels, openPicture } from "./decode.ts";
import type { Pixels } from "./decode.ts";
import { readPictureFile } from "./file.ts";
import { defaultLimits } from "./limits.ts";
import { sharp } from "./setup.ts";
import type { PictureLimits } from "./types.ts";

export interface MaskInputOptions {
  /** Size that the model sees, for a picture of a size; the picture is stretched to it. */
  readonly inputSize: (width: number, height: number) => { readonly width: number; readonly height: number };
  /** Pixels of the picture that is kept beside it, at most; 0 for none. */
  readonly guidePixels: number;
  readonly limits?: PictureLimits;
}

/** A picture file as masks need it: upright sRGB, three bytes a pixel. */
export interface MaskInput {
  /** Of the upright picture at full size. */
  readonly width: number;
  readonly height: number;
  /** What the model sees, at the size asked for. */
  readonly input: Pixels;
  /** The picture itself, at full size where it has no more than `guidePixels`; null where none was asked for. */
  readonly guide: Pixels | null;
}

/**
 * Decodes a picture for a model that sees all of it, at any proportions, and once more as it is for whoever draws along
 * its edges. Antialiased bicubic (a = -0.5), as for embeddings. Throws a `CoreError` for a bad file.
 */
export async function decodeForMask(
  path: string,
  { inputSize, guidePixels, limits = defaultLimits }: MaskInputOptions,
): Promise<MaskInput> {
  const picture = await openPicture(await readPictureFile(path, limits), limits);
  const { width, height } = picture;
  const wanted = inputSize(width, height);
  if (guidePixels === 0) {
    const input = await decodePixels(picture, limits, (pipeline) =>
      pipeline.resize({ ...wanted, fit: "fill", kernel: "cubic", fastShrinkOnLoad: false }),
    );
    return { width, height, input, guide: null };
  }
  const scale = Math.sqrt(guidePixels / (width * height));
  const guide = await decodePixels(picture, limits, (pipeline) =>
    scale >= 1
      ? pipeline
      : pipeline.resize({
          width: Math.max(1, Math.floor(width * scale)),
          height: Math.max(1, Math.floor(height * scale)),
          fit: "fill",
        }),
  );
  const raw = { width: guide.width, height: guide.height, channels: 3 as const };
  const { data, info } = await sharp(guide.data, { raw, limitInputPixels: false })
    .resize({ ...wanted, fit: "fill", kernel: "cubic" })
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { width, height, input: { data, width: info.width, height: info.height }, guide };
}

/** A picture file at its full size, for masks that come as pictures. Throws a `CoreError` for a bad file. */
export async function decodeWhole(path: string, limits: PictureLimits = defaultLimits): Promise<Pixels> {
  const picture = await openPicture(await readPictureFile(path, limits), limits);
  return decodePixels(picture, limits, (pipeline) => pipeline);
}
