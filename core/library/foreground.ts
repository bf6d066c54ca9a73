/** Embeddings that look at the foreground: what each was made from, and which are to be made anew. */
import type { Image, Mask, Model } from "../rpc/records.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Writer } from "./database.ts";
import { insertEmbeddings } from "./embeddings.ts";
import { imagesByIds, pageSize } from "./images.ts";
import type { Page } from "./images.ts";
import { foregroundHeadOf } from "./masks.ts";
import { count, integer } from "./rows.ts";

// A mask gets a new time whenever its content changes, and undoing the change brings the old one back with it.
const maskVersion = "'mask ' || masks.created_at";
const madeNow = (image: string): string =>
  `ifnull((SELECT ${maskVersion} FROM masks WHERE masks.image_id = ${image}), :unmasked)`;

// What a job has still to do: no embedding yet, or one that was made from something else.
const unmade = `state = 'ready' AND NOT EXISTS (
      SELECT 1 FROM foreground_embeddings AS known
      WHERE known.model_id = :modelId AND known.image_id = images.id AND known.made_from = ${madeNow("images.id")}
    )`;

export const foregroundStatements = {
  unmade: `SELECT id FROM images WHERE id > :after AND ${unmade} ORDER BY id LIMIT :limit`,
  countUnmade: `SELECT count(*) AS count FROM images WHERE ${unmade}`,
  countStale: `SELECT count(*) AS count FROM foreground_embeddings AS known
    JOIN images ON images.id = known.image_id AND images.state = 'ready'
    WHERE known.model_id = :modelId AND known.made_from <> ${madeNow("known.image_id")}`,
  put: `INSERT INTO foreground_embeddings (model_id, image_id, made_from, usable)
    VALUES (:modelId, :imageId, :madeFrom, :usable)
    ON CONFLICT (model_id, image_id) DO UPDATE SET made_from = excluded.made_from, usable = excluded.usable`,
} as const;

const sql = foregroundStatements;

/** A foreground embedding, and what it was made from: `foregroundSource` of that time. */
export interface NewForegroundEmbedding {
  readonly imageId: number;
  readonly vector: Float32Array;
  readonly madeFrom: string;
  /** False where there was no foreground to pool, and the whole picture was taken for it. */
  readonly usable: boolean;
}

/** What a foreground embedding is made from, as text that changes with it: a stored mask, the trained head, or neither. */
export function foregroundSource(mask: Pick<Mask, "createdAt"> | undefined, headHash: string | null): string {
  if (mask !== undefined) return `mask ${mask.createdAt}`;
  return headHash === null ? "nothing" : `head ${headHash}`;
}

function parametersOf(db: Reader, { id, hash, imageSize }: Model): { modelId: number; unmasked: string } {
  return { modelId: id, unmasked: foregroundSource(undefined, foregroundHeadOf(db, hash, imageSize)?.hash ?? null) };
}

/** Ready images without an embedding of this view, and those whose mask is another one since, in id order. */
export function imagesWithoutForeground(db: Reader, model: Model, { limit = pageSize, after = 0 }: Page = {}): Image[] {
  const rows = all(db, sql.unmade, { ...parametersOf(db, model), limit, after });
  return imagesByIds(
    db,
    rows.map((row) => integer("images", row, "id")),
  );
}

/** How many those are. */
export function countImagesWithoutForeground(db: Reader, model: Model): number {
  return count("images", get(db, sql.countUnmade, parametersOf(db, model)) ?? {}, "count");
}

/** How many embeddings of a view were made from another mask than their image has now. */
export function countStaleForegrounds(db: Reader, model: Model): number {
  return count("foreground_embeddings", get(db, sql.countStale, parametersOf(db, model)) ?? {}, "count");
}

/** Stores foreground embeddings in the place of earlier ones, all or none. Throws as `insertEmbeddings` does. */
export function insertForegroundEmbeddings(
  db: Writer,
  modelId: number,
  embeddings: readonly NewForegroundEmbedding[],
): void {
  transaction(db, () => {
    insertEmbeddings(db, modelId, embeddings);
    for (const { imageId, madeFrom, usable } of embeddings) {
      run(db, sql.put, { modelId, imageId, madeFrom, usable: usable ? 1 : 0 });
    }
  });
}
