import { decodePixels, openPicture } from "./decode.ts";
import { readPictureFile } from "./file.ts";
import { defaultLimits } from "./limits.ts";
import { sharp } from "./setup.ts";

/**
 * A picture as an upright JPEG whose longer side has `size` pixels at most: for formats that browsers do not show. Throws a
 * `CoreError` for a bad file.
 */
export async function viewCopy(path: string, size: number): Promise<Uint8Array> {
  const picture = await openPicture(await readPictureFile(path, defaultLimits), defaultLimits);
  const { data, width, height } = await decodePixels(picture, defaultLimits, (pipeline) =>
    pipeline.resize({ width: size, height: size, fit: "inside", withoutEnlargement: true }),
  );
  const encoded = await sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .jpeg({ quality: 90 })
    .toBuffer();
  return new Uint8Array(encoded);
}
