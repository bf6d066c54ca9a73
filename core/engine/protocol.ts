/**
 * What the core asks of the engine, the child process that holds onnxruntime and sharp. Requests and answers are plain
 * data that structured clone can copy; pictures stay on disk and travel by path.
 */
import type { ErrorRecord } from "../util/errors.ts";

/** Bounds that are checked before anything is allocated for a picture. */
export interface PictureLimits {
  readonly maxBytes: number;
  readonly maxPixels: number;
  readonly timeoutSeconds: number;
}

/** What ingest keeps of one picture. */
export interface PreparedPicture {
  readonly contentHash: string;
  readonly byteSize: number;
  readonly format: string;
  readonly width: number;
  readonly height: number;
  /** Upright sRGB WebP whose longer side is at most the size asked for. */
  readonly thumbnail: Uint8Array;
  readonly perceptualHash: string;
}

/** Answer per file: the file's own error never fails its batch. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: ErrorRecord & { readonly contentHash?: string } };
