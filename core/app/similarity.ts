/** Similarity with every image at once: one product with the embeddings, which are kept in memory for one model. */
import type { Reader } from "../library/database.ts";
import { readEmbeddings, type EmbeddingMatrix } from "../library/embeddings.ts";
import { CoreError } from "../util/errors.ts";
import type { ImageColumnStore } from "./image-columns.ts";
import type { Revisions } from "./revisions.ts";

export interface Similarities {
  /** Cosine of each image, row by row of the columns, with a vector of length 1; -2 without an embedding. */
  to(modelId: number, vector: Float32Array): Float32Array;
  /** The mean of some images' embeddings at length 1. Throws `embedding-missing` where the model has none of them. */
  meanOf(modelId: number, imageIds: readonly number[]): Float32Array;
}

/** A cosine that none has, for images without an embedding. */
const none = -2;

/** Embeddings that nobody has asked for so long leave the memory: 150 MB for 100,000 images of 384 features. */
const keptMs = 120_000;

export function createSimilarities(db: Reader, columns: ImageColumnStore, revisions: Revisions): Similarities {
  let kept: { readonly modelId: number; readonly revision: number; readonly all: EmbeddingMatrix } | null = null;
  let timer: NodeJS.Timeout | undefined;
  const forget = (): void => {
    const buffer = kept?.all.matrix.buffer;
    kept = null;
    // Nobody else has it. A process at rest collects no garbage, so it would stay for hours.
    if (buffer instanceof ArrayBuffer) buffer.transfer(0);
  };
  const embeddings = (modelId: number): EmbeddingMatrix => {
    clearTimeout(timer);
    timer = setTimeout(forget, keptMs).unref();
    const revision = revisions.of("embeddings", "images", "models");
    if (kept?.modelId === modelId && kept.revision === revision) return kept.all;
    forget();
    const all = readEmbeddings(db, modelId);
    kept = { modelId, revision, all };
    return all;
  };
  return {
    to: (modelId, vector) => {
      const { imageIds, matrix, width } = embeddings(modelId);
      const { ids } = columns.rows();
      const cosines = new Float32Array(ids.length).fill(none);
      let row = 0;
      for (let at = 0; at < imageIds.length; at++) {
        const id = imageIds[at] as number;
        while (row < ids.length && (ids[row] as number) < id) row++;
        if (ids[row] === id) cosines[row] = product(matrix, at * width, vector);
      }
      return cosines;
    },
    meanOf: (modelId, imageIds) => {
      const { matrix, width } = readEmbeddings(db, modelId, { imageIds });
      const mean = new Float32Array(width);
      for (let i = 0; i < matrix.length; i++) {
        mean[i % width] = (mean[i % width] as number) + (matrix[i] as number);
      }
      const length = Math.hypot(...mean);
      if (matrix.length === 0 || length === 0) {
        throw new CoreError("embedding-missing", "The model has embedded none of these images.", {
          hint: "Compute embeddings first.",
        });
      }
      return mean.map((value) => value / length);
    },
  };
}

/** The product of a row of a matrix, from `start` on, with a vector. Four sums at a time keep the processor busy. */
function product(matrix: Float32Array, start: number, vector: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = vector.length - (vector.length % 4);
  for (let i = 0; i < whole; i += 4) {
    const at = start + i;
    a += (matrix[at] as number) * (vector[i] as number);
    b += (matrix[at + 1] as number) * (vector[i + 1] as number);
    c += (matrix[at + 2] as number) * (vector[i + 2] as number);
    d += (matrix[at + 3] as number) * (vector[i + 3] as number);
  }
  for (let i = whole; i < vector.length; i++) a += (matrix[start + i] as number) * (vector[i] as number);
  return a + b + c + d;
}

/** The rows with the highest scores, best first; rows below `least` are left out. */
export function bestRows(scores: Float32Array, count: number, least: number, except: number): number[] {
  const best: number[] = [];
  scores.forEach((score, row) => {
    if (score < least || row === except) return;
    if (best.length === count && score <= (scores[best[count - 1] as number] as number)) return;
    let at = best.length;
    while (at > 0 && (scores[best[at - 1] as number] as number) < score) at--;
    best.splice(at, 0, row);
    best.length = Math.min(best.length, count);
  });
  return best;
}
