import type { Sharp, SharpOptions } from "sharp";
import { CoreError } from "../util/errors.ts";
import { createBudget } from "./budget.ts";
import { isAvifSequence, isPictureFormat, refusedFormats, sniffFormat } from "./format.ts";
import type { PictureFormat } from "./format.ts";
import { checkHeader, decodeMemory, decodeMemoryLimit } from "./limits.ts";
import type { PictureHeader } from "./limits.ts";
import { sharp } from "./setup.ts";
import type { PictureLimits } from "./types.ts";

/** A picture file in memory whose header was read and found within the limits. No pixel has been decoded yet. */
export interface OpenPicture {
  readonly bytes: Uint8Array;
  readonly format: PictureFormat;
  /** Of the upright picture, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Whether the picture is stored with rows and columns swapped: EXIF orientation 5 to 8. */
  readonly sideways: boolean;
  /** Whether it has 16-bit colours together with a colour profile. */
  readonly deepWithProfile: boolean;
  readonly header: PictureHeader;
}

/** Upright 8-bit sRGB: `width * height * 3` bytes, row by row. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

// One budget for the whole process, whoever decodes.
const decodeBudget = createBudget(decodeMemoryLimit);

/**
 * Reads the header of a picture in memory. Throws `picture-format` for anything but the six formats, `picture-too-large`,
 * `picture-broken` and `picture-timeout`. May rewrite the brand of an AVIF sequence in `bytes`: hash them before.
 */
export async function openPicture(bytes: Uint8Array, limits: PictureLimits): Promise<OpenPicture> {
  const format = sniffFormat(bytes);
  if (!isPictureFormat(format)) {
    throw new CoreError(
      "picture-format",
      `Pictures are JPEG, PNG, WebP, AVIF, GIF or TIFF; this is ${refusedFormats[format]}.`,
      { hint: "Save it as JPEG or PNG to take it in, or leave it out." },
    );
  }
  // libvips knows AVIF by its major brand alone and does not list that of sequences. Their first frame is stored like a
  // still picture beside them, and read as one under the brand of stills.
  if (isAvifSequence(bytes)) bytes.set(new TextEncoder().encode("avif"), 8);
  // No pixel limit here: the size has to be known before a refusal can name it, and nothing is decoded yet.
  const read = sharp(bytes, { failOn: "error", limitInputPixels: false, limitInputChannels: false }).metadata();
  const header = await withinTime(read, limits, `The header of this ${format} file cannot be read.`);
  checkHeader(format, header, limits);
  return {
    bytes,
    format,
    width: header.autoOrient.width,
    height: header.autoOrient.height,
    sideways: (header.orientation ?? 1) >= 5,
    deepWithProfile: header.space === "rgb16" && header.hasProfile,
    header,
  };
}

/**
 * Decodes a picture once, through the resize (and crop) that `shape` adds, to upright 8-bit sRGB on white. Only the
 * first frame or page is read. `shape` works on the picture as stored for what it does before a resize, and on the
 * upright picture after it. Throws `picture-broken` and `picture-timeout`.
 *
 * A picture that is cut short or whose data is damaged is refused, although viewers show what is left of it: the missing
 * part would come out as a grey or black area, and that area, not the subject, would decide where the picture lies among
 * the embeddings. Oddities that lose no pixels (bytes between segments, wrong optional fields) are let through.
 */
export async function decodePixels(
  picture: OpenPicture,
  limits: PictureLimits,
  shape: (pipeline: Sharp) => Sharp,
): Promise<Pixels> {
  const options: SharpOptions = { failOn: "error", limitInputPixels: limits.maxPixels };
  const pipeline = shape(sharp(picture.bytes, options))
    // Named last: the order of calls makes sharp turn the small picture instead of the large one.
    .autoOrient()
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb")
    // libvips' own clock stops work between regions of the picture; whole seconds, at least one.
    .timeout({ seconds: Math.max(1, Math.ceil(limits.timeoutSeconds)) });
  // sharp takes 16-bit colours with a profile through Display P3 and leaves them there unless told the way out.
  if (picture.deepWithProfile) pipeline.withIccProfile("srgb");
  const release = await decodeBudget.take(decodeMemory(picture.format, picture.header));
  const decoding = pipeline.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  // The memory is free when libvips has ended, which may be after the time is up.
  decoding.then(release, release);
  const { data, info } = await withinTime(
    decoding,
    limits,
    `The pixels of this ${picture.format} file cannot be decoded.`,
  );
  if (info.channels !== 3) {
    throw new CoreError("picture-broken", `The picture has ${info.channels} channels instead of 3 as sRGB.`);
  }
  return { data, width: info.width, height: info.height };
}

/**
 * The result of a libvips call, or `picture-timeout` after the time of the limits, or `picture-broken` with `sentence`. A
 * call that runs out of time cannot be taken back: it ends by itself, and only then is its thread free again.
 */
async function withinTime<T>(work: Promise<T>, limits: PictureLimits, sentence: string): Promise<T> {
  const start = performance.now();
  const milliseconds = limits.timeoutSeconds * 1000;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // A thread that was blocked sees its timers first and results after them. A result that was there counts.
    timer = setTimeout(() => setImmediate(() => reject(timeout(limits))), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } catch (thrown) {
    if (thrown instanceof CoreError) throw thrown;
    if (performance.now() - start >= milliseconds) throw timeout(limits);
    // What libvips says stays in the log: it keeps one text for all threads, so the words may be about another picture.
    throw new CoreError("picture-broken", sentence, {
      hint: "The file is damaged, cut short, or of a rare kind. Copy it again from where it came from, or save it anew.",
      cause: thrown,
    });
  } finally {
    clearTimeout(timer);
  }
}

function timeout(limits: PictureLimits): CoreError {
  return new CoreError("picture-timeout", `The picture was not decoded within ${limits.timeoutSeconds} seconds.`, {
    hint: "Save a smaller copy of it.",
  });
}
