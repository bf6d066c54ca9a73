import { createHash } from "node:crypto";
import { errorRecord } from "../util/errors.ts";
import { createBudget } from "./budget.ts";
import { decodePixels, openPicture } from "./decode.ts";
import type { Pixels } from "./decode.ts";
import { readPictureFile } from "./file.ts";
import { defaultLimits } from "./limits.ts";
import { perceptualHash } from "./perceptual-hash.ts";
import { defaultParallelism, sharp } from "./setup.ts";
import type { PictureLimits, PictureOutcome, PreparedPicture } from "./types.ts";

export interface PrepareOptions {
  /** Longer side of the thumbnail in pixels, at most; smaller pictures are not enlarged. 256 unless given. */
  readonly thumbnailSize?: number;
  readonly limits?: PictureLimits;
}

/**
 * Everything that ingest keeps of one picture file: the bytes are read once, hashed, checked and decoded once. Never
 * throws for a bad file: the outcome says what is wrong, with one of the codes `file-not-regular`, `picture-too-large`,
 * `picture-format`, `picture-broken`, `picture-timeout` or the operating system's own (`enoent`, `eacces`, ...).
 */
export async function preparePicture(
  path: string,
  { thumbnailSize = 256, limits = defaultLimits }: PrepareOptions = {},
): Promise<PictureOutcome<PreparedPicture>> {
  let contentHash: string | undefined;
  try {
    const bytes = await readPictureFile(path, limits);
    contentHash = createHash("sha256").update(bytes).digest("hex");
    const picture = await openPicture(bytes, limits);
    const pixels = await decodePixels(picture, limits, (pipeline) =>
      pipeline.resize({ width: thumbnailSize, height: thumbnailSize, fit: "inside", withoutEnlargement: true }),
    );
    // The thread pool encodes while this thread hashes.
    const encoding = encodeThumbnail(pixels);
    const hash = perceptualHash(pixels.data, pixels.width, pixels.height);
    return {
      ok: true,
      value: {
        contentHash,
        byteSize: bytes.length,
        format: picture.format,
        width: picture.width,
        height: picture.height,
        thumbnail: await encoding,
        perceptualHash: hash,
      },
    };
  } catch (thrown) {
    return {
      ok: false,
      problem: { ...errorRecord(thrown), ...(contentHash === undefined ? {} : { contentHash }) },
    };
  }
}

export interface BatchOptions extends PrepareOptions {
  /** Pictures in flight at once; what suits the machine unless given. */
  readonly parallelism?: number;
}

/** `preparePicture` for many files, several at a time. The outcomes come in the order of `paths`. */
export async function preparePictures(
  paths: readonly string[],
  { parallelism = defaultParallelism(), ...options }: BatchOptions = {},
): Promise<PictureOutcome<PreparedPicture>[]> {
  const slots = createBudget(parallelism);
  const one = async (path: string): Promise<PictureOutcome<PreparedPicture>> => {
    const release = await slots.take(1);
    return preparePicture(path, options).finally(release);
  };
  return Promise.all(paths.map(one));
}

/**
 * WebP at quality 80 and effort 2: a photo's thumbnail takes half the time of the usual effort 4 (4.6 against 8 ms with
 * decoding) and 4 % more space.
 */
async function encodeThumbnail({ data, width, height }: Pixels): Promise<Uint8Array> {
  const encoded = await sharp(data, { raw: { width, height, channels: 3 } })
    .webp({ quality: 80, effort: 2 })
    .toBuffer();
  // A copy of its own, which can be moved to another thread. sharp's toUint8Array would give one too, but in 0.35.5 every
  // call leaves the process some 25 KB larger.
  return new Uint8Array(encoded);
}
