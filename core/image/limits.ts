import type { Metadata } from "sharp";
import { CoreError } from "../util/errors.ts";
import type { PictureFormat } from "./format.ts";
import type { PictureLimits } from "./types.ts";

/** Bounds for pictures of a user's own folders. */
export const defaultLimits: PictureLimits = {
  // A file is read whole, so this bounds memory; 16-bit scans and camera TIFFs stay below it.
  maxBytes: 256 * 2 ** 20,
  // The largest sensors in phones: 16,384 x 12,288, sold as "200 megapixels".
  maxPixels: 16_384 * 12_288,
  // A 200 megapixel PNG takes about 2 s; far beyond that only a file made to waste time is left.
  timeoutSeconds: 30,
};

/**
 * Memory for all pictures that are being decoded at one time, in bytes; one that needs more by itself is refused. 48
 * megapixels of 8-bit AVIF, the hungriest decoder, still pass.
 */
export const decodeMemoryLimit = 2 ** 30;

/** What of a picture's header the limits look at. Sizes are as stored, before orientation. */
export type PictureHeader = Pick<
  Metadata,
  "width" | "height" | "channels" | "depth" | "isProgressive" | "chromaSubsampling" | "bitsPerSample"
>;

/**
 * Throws `picture-too-large` for a header that declares more pixels than `limits` allow, or a picture that its decoder
 * could only hold in more memory than `decodeMemoryLimit`. Nothing has been allocated for the pixels by then.
 */
export function checkHeader(format: PictureFormat, header: PictureHeader, limits: PictureLimits): void {
  const { width, height } = header;
  if (width * height > limits.maxPixels) {
    throw new CoreError(
      "picture-too-large",
      `The picture declares ${width} x ${height} pixels (${megapixels(width * height)} megapixels); ` +
        `up to ${megapixels(limits.maxPixels)} megapixels are taken in.`,
      { hint: "Save a smaller copy of it." },
    );
  }
  const memory = decodeMemory(format, header);
  if (memory > decodeMemoryLimit) {
    throw new CoreError(
      "picture-too-large",
      `Decoding this ${format} of ${width} x ${height} pixels would take ${(memory / 2 ** 30).toFixed(1)} GB of memory; ` +
        `at most ${(decodeMemoryLimit / 2 ** 30).toFixed(0)} GB are used for it.`,
      { hint: "Save a smaller copy of it, or a copy as baseline JPEG, which is decoded row by row." },
    );
  }
}

/**
 * Upper estimate of the memory that decoding takes, in bytes, before the picture is reduced. Most formats stream: a few
 * rows at a time. The rest hold the whole picture; their bytes per pixel were measured as the growth of the process's
 * peak memory on pictures of 48 to 196 megapixels, and rounded up.
 */
export function decodeMemory(format: PictureFormat, header: PictureHeader): number {
  // Rows in flight, colour tables and the encoder's own buffers.
  const streaming = 24 * 2 ** 20;
  return streaming + Math.ceil(header.width * header.height * bytesPerPixel(format, header));
}

function bytesPerPixel(format: PictureFormat, header: PictureHeader): number {
  const sampleBytes = header.depth === "uchar" ? 1 : 2;
  switch (format) {
    case "jpeg":
      // A progressive JPEG keeps its DCT coefficients, 2 bytes each. Measured: 3.0 for 4:2:0, 5.9 for 4:4:4, 7.7 for CMYK.
      if (header.isProgressive !== true) return 0;
      return header.chromaSubsampling === "4:2:0" ? 3.2 : 2 * header.channels;
    case "png":
      // Interlaced rows come in seven passes. Measured: 3.1 for 8-bit RGB.
      return header.isProgressive === true ? 1.1 * header.channels * sampleBytes : 0;
    case "webp":
      // Decoded whole, then copied. Measured: 7.9, and half of that where the decoder shrinks.
      return 8;
    case "gif":
      // An RGBA canvas. Measured: 4.5.
      return 5;
    case "avif":
      // Decoder and converter hold several planar and packed copies. Measured: 17.5 for 8 bit, 23.6 for 10 bit, 4:4:4.
      return (header.bitsPerSample ?? 8) > 8 || header.channels > 3 ? 32 : 18;
    case "tiff":
      // Strips and tiles stream, and the loader refuses tiles of unreasonable size.
      return 0;
  }
}

function megapixels(pixels: number): string {
  return (pixels / 1e6).toFixed(pixels < 1e7 ? 1 : 0);
}
