import type { ErrorRecord } from "../util/errors.ts";

/** Bounds that are checked before anything is allocated for a picture. */
export interface PictureLimits {
  /** Size of the file. */
  readonly maxBytes: number;
  /** Width times height, as the header declares them. */
  readonly maxPixels: number;
  /** Time for reading the header and decoding. */
  readonly timeoutSeconds: number;
}

/** What ingest keeps of one picture. */
export interface PreparedPicture {
  /** SHA-256 of the file, in hex. */
  readonly contentHash: string;
  readonly byteSize: number;
  /** Format found in the bytes: `jpeg`, `png`, `webp`, `avif`, `gif` or `tiff`. */
  readonly format: string;
  /** Of the upright picture at full size, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Upright sRGB WebP whose longer side is at most the size asked for. */
  readonly thumbnail: Uint8Array;
  /** 64-bit difference hash of the upright picture, 16 hex digits. */
  readonly perceptualHash: string;
}

/** Why a picture was not taken in. `contentHash` is there where the file could at least be read. */
export interface PictureProblem extends ErrorRecord {
  readonly contentHash?: string;
}

/** Answer for one file: its own error never fails its batch. */
export type PictureOutcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: PictureProblem };
