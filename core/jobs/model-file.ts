import { join } from "node:path";
import type { ModelFile } from "../engine/protocol.ts";
import type { Model } from "../rpc/records.ts";

/** The model as the engine needs it. */
export function modelFile(libraryFolder: string, model: Model): ModelFile {
  return { kind: model.kind, file: join(libraryFolder, model.file), imageSize: model.imageSize };
}

/**
 * Shorter side before the centre crop, as in DINO's evaluation: 256 for a crop of 224 (eval_knn.py), and the same
 * proportion for other sizes.
 */
export function resizeFor(imageSize: number): number {
  return Math.round((imageSize * 256) / 224);
}
