import { CoreError } from "../util/errors.ts";
import { putAttention } from "./attention.ts";
import type { Attention } from "./attention.ts";
import { chunked, places } from "./chunked.ts";
import { all, forEachRow, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { modelById, unknownModel } from "./models.ts";
import { blob, corruptRow, count, integer } from "./rows.ts";
import { bytesOf, isFiniteVector } from "./vectors.ts";

const labelled = "EXISTS (SELECT 1 FROM annotations WHERE annotations.image_id = embeddings.image_id)";

export const embeddingStatements = {
  all: "SELECT image_id, vector FROM embeddings WHERE model_id = ? ORDER BY image_id",
  labelled: `SELECT image_id, vector FROM embeddings WHERE model_id = ? AND ${labelled} ORDER BY image_id`,
  unlabelled: `SELECT image_id, vector FROM embeddings WHERE model_id = ? AND NOT ${labelled} ORDER BY image_id`,
  ofImages: `SELECT image_id, vector FROM embeddings WHERE model_id = ? AND image_id IN (${places}) ORDER BY image_id`,
  any: "SELECT 1 AS found FROM embeddings WHERE model_id = ? LIMIT 1",
  countAll: "SELECT count(*) AS count FROM embeddings WHERE model_id = ?",
  countLabelled: `SELECT count(*) AS count FROM embeddings WHERE model_id = ? AND ${labelled}`,
  countUnlabelled: `SELECT count(*) AS count FROM embeddings WHERE model_id = ? AND NOT ${labelled}`,
  modelsOfImage: "SELECT model_id FROM embeddings WHERE image_id = ?",
  upsert: `INSERT INTO embeddings (model_id, image_id, vector) VALUES (?, ?, ?)
    ON CONFLICT (model_id, image_id) DO UPDATE SET vector = excluded.vector`,
} as const;

const sql = embeddingStatements;

/** What a model saw in one image. */
export interface NewEmbedding {
  readonly imageId: number;
  /** As many features as the model is wide. */
  readonly vector: Float32Array;
  readonly attention?: Attention;
}

/** Which embeddings of a model: all, those of images with (or without) an annotation, or those of the images named. */
export type EmbeddingFilter = { readonly labelled?: boolean } | { readonly imageIds: readonly number[] };

/** Embeddings in one block of memory. */
export interface EmbeddingMatrix {
  /** Increasing. */
  readonly imageIds: number[];
  /** [imageIds.length, width], row-major. */
  readonly matrix: Float32Array;
  /** Features of an embedding. */
  readonly width: number;
}

/**
 * Stores embeddings with their attention, all or none; those of the same model and image are replaced. Throws
 * `model-unknown`; `embedding-invalid` for a vector that is not as wide as the model or not finite; `attention-invalid`.
 */
export function insertEmbeddings(db: Writer, modelId: number, embeddings: readonly NewEmbedding[]): void {
  transaction(db, () => {
    const width = widthOf(db, modelId);
    for (const { imageId, vector, attention } of embeddings) {
      if (vector.length !== width || !isFiniteVector(vector)) {
        const found = vector.length === width ? "some that are not finite" : `${vector.length}`;
        throw new CoreError(
          "embedding-invalid",
          `The embedding of image ${imageId} must be ${width} finite numbers, found ${found}.`,
        );
      }
      run(db, sql.upsert, [modelId, imageId, bytesOf(vector)]);
      putAttention(db, modelId, imageId, attention);
    }
  });
}

/** How many images a model has embedded; with `labelled`, only those with (or without) an annotation. */
export function countEmbeddings(db: Reader, modelId: number, filter: { readonly labelled?: boolean } = {}): number {
  const byLabel = filter.labelled === true ? sql.countLabelled : sql.countUnlabelled;
  const row = get(db, filter.labelled === undefined ? sql.countAll : byLabel, [modelId]);
  return count("embeddings", row ?? {}, "count");
}

/** Whether a model has looked at any image. */
export function hasEmbeddings(db: Reader, modelId: number): boolean {
  return get(db, sql.any, [modelId]) !== undefined;
}

/** The models that have embedded an image. */
export function modelsWithEmbedding(db: Reader, imageId: number): number[] {
  return all(db, sql.modelsOfImage, [imageId]).map((row) => integer("embeddings", row, "model_id"));
}

/**
 * Calls `visit` for each embedding in the order of image ids. `vector` is overwritten by the next one, and nothing may
 * be written to the library meanwhile. Throws `model-unknown`, or `library-corrupt` for a vector of another width than
 * the model's or with values that are not finite.
 */
export function forEachEmbedding(
  db: Reader,
  modelId: number,
  filter: EmbeddingFilter,
  visit: (imageId: number, vector: Float32Array) => void,
): void {
  const vector = new Float32Array(widthOf(db, modelId));
  const bytes = bytesOf(vector);
  const visitRow = (row: Row): void => {
    const stored = blob("embeddings", row, "vector");
    if (stored.byteLength !== bytes.byteLength) {
      throw corruptRow(
        "embeddings",
        row,
        `the vector should have ${bytes.byteLength} bytes, found ${stored.byteLength}`,
      );
    }
    bytes.set(stored);
    if (!isFiniteVector(vector)) throw corruptRow("embeddings", row, "the vector has a value that is not finite");
    visit(integer("embeddings", row, "image_id"), vector);
  };
  if ("imageIds" in filter) {
    // Sorted, so that one list after the other gives all of them in order.
    const imageIds = [...new Set(filter.imageIds)].sort((a, b) => a - b);
    for (const chunk of chunked(imageIds)) forEachRow(db, sql.ofImages, [modelId, ...chunk], visitRow);
  } else {
    const byLabel = filter.labelled === true ? sql.labelled : sql.unlabelled;
    forEachRow(db, filter.labelled === undefined ? sql.all : byLabel, [modelId], visitRow);
  }
}

/**
 * Reads embeddings into one matrix in the order of image ids; images without an embedding are left out. Throws as
 * `forEachEmbedding` does, or `library-too-large` where they do not fit in memory.
 */
export function readEmbeddings(db: Reader, modelId: number, filter: EmbeddingFilter = {}): EmbeddingMatrix {
  const width = widthOf(db, modelId);
  const capacity = "imageIds" in filter ? filter.imageIds.length : countEmbeddings(db, modelId, filter);
  const matrix = allocate(capacity, width);
  const imageIds: number[] = [];
  forEachEmbedding(db, modelId, filter, (imageId, vector) => {
    matrix.set(vector, imageIds.length * width);
    imageIds.push(imageId);
  });
  return { imageIds, matrix: imageIds.length === capacity ? matrix : matrix.slice(0, imageIds.length * width), width };
}

function allocate(rows: number, width: number): Float32Array {
  try {
    return new Float32Array(rows * width);
  } catch (error) {
    throw new CoreError("library-too-large", `${rows} embeddings of ${width} features do not fit in memory.`, {
      hint: "Use a model with fewer features, or split the library.",
      cause: error,
    });
  }
}

function widthOf(db: Reader, modelId: number): number {
  const model = modelById(db, modelId);
  if (model === null) throw unknownModel(modelId);
  return model.width;
}
