import { writeFile } from "node:fs/promises";
import type { Sharp } from "sharp";
import { CoreError } from "../util/errors.ts";
import { createBudget } from "./budget.ts";
import { openPicture, type OpenPicture } from "./decode.ts";
import { readPictureFile } from "./file.ts";
import { decodeMemory, decodeMemoryLimit, defaultLimits } from "./limits.ts";
import { sharp } from "./setup.ts";
import type { PictureFormat } from "./format.ts";

/** Encoders by format. JPEG at 95 without thinned-out colours: turning is no reason to lose anything one could see. */
const encoders: Readonly<Record<PictureFormat, (picture: Sharp) => Sharp>> = {
  jpeg: (picture) => picture.jpeg({ quality: 95, chromaSubsampling: "4:4:4" }),
  png: (picture) => picture.png(),
  webp: (picture) => picture.webp({ lossless: true }),
  tiff: (picture) => picture.tiff({ compression: "lzw" }),
  avif: (picture) => picture.avif({ quality: 90 }),
  gif: (picture) => picture.gif(),
};

const budget = createBudget(decodeMemoryLimit);

/**
 * Writes a picture as it is to be looked at, in its own format and with its colour profile but without the orientation
 * that its file asks for, so that programs that pass over EXIF see what Dinoscope sees. Returns false, and writes nothing,
 * for a picture that is stored upright. Throws as `openPicture` and `readPictureFile` do, and what writing throws.
 */
export async function writeUpright(from: string, to: string): Promise<boolean> {
  const picture = await openPicture(await readPictureFile(from, defaultLimits), defaultLimits);
  const { orientation = 1 } = await sharp(picture.bytes, { limitInputPixels: false }).metadata();
  if (orientation === 1) return false;
  const release = await budget.take(decodeMemory(picture.format, picture.header));
  try {
    await writeFile(to, await turn(picture), { flag: "wx" });
  } finally {
    release();
  }
  return true;
}

async function turn({ bytes, format }: OpenPicture): Promise<Uint8Array> {
  const options = { failOn: "error", limitInputPixels: defaultLimits.maxPixels } as const;
  try {
    return await encoders[format](sharp(bytes, options).autoOrient().keepIccProfile()).toBuffer();
  } catch (cause) {
    throw new CoreError("picture-broken", `The pixels of this ${format} file cannot be decoded.`, { cause });
  }
}
