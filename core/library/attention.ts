import { CoreError } from "../util/errors.ts";
import { get, run } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { blob, corruptRow, integer } from "./rows.ts";
import { float32Of, bytesOf, isFiniteVector } from "./vectors.ts";

export const attentionStatements = {
  ofImage: `SELECT image_id, heads, "rows", columns, scales, data FROM attention WHERE model_id = ? AND image_id = ?`,
  delete: "DELETE FROM attention WHERE model_id = ? AND image_id = ?",
  insert: `INSERT INTO attention (model_id, image_id, heads, "rows", columns, scales, data)
    VALUES (:modelId, :imageId, :heads, :rows, :columns, :scales, :data)`,
} as const;

const sql = attentionStatements;

/** The last block's attention from CLS to the patches of one image, quantised to bytes for each head. */
export interface Attention {
  readonly heads: number;
  /** Patches from top to bottom. */
  readonly rows: number;
  /** Patches from left to right. */
  readonly columns: number;
  /** [heads]: what a byte of 1 stands for in that head. */
  readonly scales: Float32Array;
  /** [heads, rows, columns], row-major. */
  readonly data: Uint8Array;
}

/** Replaces the attention of one image, or deletes it; the embedding must be there. Part of `insertEmbeddings`. */
export function putAttention(db: Writer, modelId: number, imageId: number, attention: Attention | undefined): void {
  run(db, sql.delete, [modelId, imageId]);
  if (attention === undefined) return;
  const { heads, rows, columns, scales, data } = attention;
  if (scales.length !== heads || data.length !== heads * rows * columns || !isFiniteVector(scales)) {
    throw new CoreError(
      "attention-invalid",
      `The attention of image ${imageId} must have ${heads} finite scales and ${heads} x ${rows} x ${columns} bytes, ` +
        `found ${scales.length} and ${data.length}.`,
    );
  }
  run(db, sql.insert, { modelId, imageId, heads, rows, columns, scales: bytesOf(scales), data });
}

/** The attention of a model on an image, or null where there is none. */
export function attentionOf(db: Reader, modelId: number, imageId: number): Attention | null {
  const row = get(db, sql.ofImage, [modelId, imageId]);
  return row === undefined ? null : attentionOfRow("attention", row);
}

/** Attention from a row of `table` with its columns. Throws `library-corrupt`. */
export function attentionOfRow(table: string, row: Row): Attention {
  const heads = integer(table, row, "heads");
  const rows = integer(table, row, "rows");
  const columns = integer(table, row, "columns");
  const scales = blob(table, row, "scales");
  const data = blob(table, row, "data");
  const positive = heads > 0 && rows > 0 && columns > 0;
  if (!positive || scales.byteLength !== 4 * heads || data.byteLength !== heads * rows * columns) {
    const found = `${scales.byteLength} bytes of scales and ${data.byteLength} of data`;
    throw corruptRow(table, row, `${found} do not fit ${heads} heads of ${rows} x ${columns} patches`);
  }
  const values = float32Of(scales);
  if (!isFiniteVector(values)) throw corruptRow(table, row, "a scale is not a finite number");
  return { heads, rows, columns, scales: values, data };
}
