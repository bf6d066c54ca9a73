import { CoreError } from "../util/errors.ts";
import { sharp } from "./setup.ts";

/** Bins per channel. */
const bins = 8;

/**
 * 8 x 8 x 8 RGB histogram of an encoded upright sRGB picture (a thumbnail), as 512 values: the square root of each bin's
 * share. Squared they sum to 1, so the dot product of two is their Bhattacharyya coefficient, 0 to 1. The baseline that
 * embeddings have to beat. Throws `picture-broken` for bytes that are no whole picture.
 */
export async function colourHistogram(encoded: Uint8Array): Promise<Float32Array> {
  const data = await sharp(encoded)
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer()
    .catch((cause: unknown) => {
      throw new CoreError(
        "picture-broken",
        "A colour histogram needs a whole thumbnail; these bytes cannot be decoded.",
        {
          hint: "Delete the thumbnail cache of the library; it is made again.",
          cause,
        },
      );
    });
  const histogram = new Float32Array(bins ** 3);
  for (let at = 0; at < data.length; at += 3) {
    // The upper three bits of a byte are its bin.
    const bin = (((data[at] ?? 0) >> 5) * bins + ((data[at + 1] ?? 0) >> 5)) * bins + ((data[at + 2] ?? 0) >> 5);
    histogram[bin] = (histogram[bin] ?? 0) + 1;
  }
  const pixels = data.length / 3;
  return histogram.map((count) => Math.sqrt(count / pixels));
}
