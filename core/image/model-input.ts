import type { Sharp } from "sharp";
import { CoreError } from "../util/errors.ts";
import { decodePixels, openPicture } from "./decode.ts";
import type { OpenPicture } from "./decode.ts";
import { readPictureFile } from "./file.ts";
import { enlarge } from "./enlarge.ts";
import type { Area } from "./enlarge.ts";
import { defaultLimits } from "./limits.ts";
import type { PictureLimits } from "./types.ts";

export interface ModelInputOptions {
  /** Shorter side in pixels after the resize; 256 in the official DINO evaluation. */
  readonly resize?: number;
  /** Side of the square that is cut from the centre, at most `resize`; 224 in the official DINO evaluation. */
  readonly crop?: number;
  readonly limits?: PictureLimits;
}

/** Mean and standard deviation per channel (red, green, blue), of values from 0 to 1. */
export interface Normalisation {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Statistics of ImageNet, which every DINO model is trained with. */
export const imageNetNormalisation: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * A picture file as a model sees it: upright sRGB, shorter side resized by antialiased bicubic (a = -0.5), centre crop;
 * `crop * crop * 3` bytes, row by row. Sizes and offsets are those of torchvision's Resize and CenterCrop in DINO's
 * eval_knn.py. Throws a `CoreError` for a bad file, with the codes of `preparePicture`.
 */
export async function decodeForModel(
  path: string,
  { resize = 256, crop = 224, limits = defaultLimits }: ModelInputOptions = {},
): Promise<Uint8Array> {
  if (crop > resize) {
    throw new CoreError("option-invalid", `The crop of ${crop} pixels is larger than the resized side of ${resize}.`);
  }
  const picture = await openPicture(await readPictureFile(path, limits), limits);
  const kept = centralPart(picture);
  const short = Math.min(kept.width, kept.height);
  const { width, height, centre } = resizedCrop(kept, resize, crop);
  if (short < resize) {
    return enlarge(await decodePixels(picture, limits, (pipeline) => cut(pipeline, kept)), width, height, centre);
  }
  const pixels = await decodePixels(picture, limits, (pipeline) =>
    // Letting the JPEG decoder take the last halving too would gain 3 % on 12 megapixel photos and take the mean
    // difference to Pillow from 0.45 to 1.8 levels.
    cut(pipeline, kept)
      .resize({ width, height, fit: "fill", kernel: "cubic", fastShrinkOnLoad: false })
      .extract(centre),
  );
  return pixels.data;
}

/**
 * The part of an upright picture that `decodeForModel` shows to a model, in the picture's pixels (the edges may lie
 * within one): whoever has a mask of the picture needs to know.
 */
export function areaForModel(
  { width, height }: { readonly width: number; readonly height: number },
  { resize, crop }: { readonly resize: number; readonly crop: number },
): Area {
  const kept = centralPart({ width, height, sideways: false });
  const resized = resizedCrop(kept, resize, crop);
  const across = kept.width / resized.width;
  const down = kept.height / resized.height;
  return {
    left: (width - kept.width) / 2 + resized.centre.left * across,
    top: (height - kept.height) / 2 + resized.centre.top * down,
    width: crop * across,
    height: crop * down,
  };
}

/** Size after the resize, and the square that is cut from its middle. */
function resizedCrop(
  kept: { readonly width: number; readonly height: number },
  resize: number,
  crop: number,
): { width: number; height: number; centre: Area } {
  const short = Math.min(kept.width, kept.height);
  // The long side is cut off, not rounded.
  const width = Math.floor((resize * kept.width) / short);
  const height = Math.floor((resize * kept.height) / short);
  const centre = { left: cropOffset(width, crop), top: cropOffset(height, crop), width: crop, height: crop };
  return { width, height, centre };
}

/** The part of a picture that is resized, or all of it. `width` and `height` are upright, `stored` is as in the file. */
interface Part {
  readonly width: number;
  readonly height: number;
  readonly stored?: Area;
}

/**
 * The middle of an extreme panorama, all of any other picture. One pixel row of 65,535 would otherwise be enlarged to
 * gigabytes of which the crop keeps a sliver. Twice the short side and a little more leaves the kernel all that it
 * reaches; the parity of the long side keeps the centre where it is.
 */
function centralPart({ width, height, sideways }: Pick<OpenPicture, "width" | "height" | "sideways">): Part {
  const short = Math.min(width, height);
  const long = Math.max(width, height);
  if (long <= 8 * short + 8) return { width, height };
  const part = 2 * short + 8 + (long % 2);
  const skipped = (long - part) / 2;
  const lying = { left: skipped, top: 0, width: part, height: short };
  const standing = { left: 0, top: skipped, width: short, height: part };
  const upright = width > height ? lying : standing;
  // Cut from the picture as stored, where the long side may be the other one.
  return { width: upright.width, height: upright.height, stored: width > height !== sideways ? lying : standing };
}

function cut(pipeline: Sharp, { stored }: Part): Sharp {
  return stored === undefined ? pipeline : pipeline.extract(stored);
}

/** Half of what is cut off, a half rounded to the even neighbour, as Python's `round` does. */
function cropOffset(length: number, crop: number): number {
  const half = (length - crop) / 2;
  const below = Math.floor(half);
  return half === below || below % 2 === 0 ? below : below + 1;
}

/**
 * Writes interleaved RGB bytes into `target` from `offset` on, as planar float32 (3 planes, the layout of one image in
 * an NCHW batch): (byte / 255 - mean) / std.
 */
export function writeModelInput(
  rgb: Uint8Array,
  target: Float32Array,
  offset: number,
  { mean, std }: Normalisation = imageNetNormalisation,
): void {
  const pixels = rgb.length / 3;
  if (!Number.isInteger(pixels) || offset < 0 || offset + rgb.length > target.length) {
    throw new CoreError(
      "option-invalid",
      `${rgb.length} bytes of RGB do not fit at ${offset} into an input of ${target.length} values.`,
    );
  }
  for (const channel of [0, 1, 2] as const) {
    const table = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean[channel]) / std[channel]);
    const start = offset + channel * pixels;
    for (let i = 0, at = channel; i < pixels; i++, at += 3) target[start + i] = table[rgb[at] ?? 0] ?? 0;
  }
}
