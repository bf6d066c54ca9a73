import type { Image, Mask, MaskMethod, MaskRecipe, Operation } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { allIn, places } from "./chunked.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { unknownImage } from "./image-changes.ts";
import { imagesByIds, pageSize } from "./images.ts";
import type { Page } from "./images.ts";
import { recordOperation } from "./operations.ts";
import { blob, corruptRow, count, flag, hex, integer, isObject, json, oneOf, orNull, text } from "./rows.ts";
import type { MaskRow } from "./undoable.ts";
import { bytesOf, float32Of, isFiniteVector } from "./vectors.ts";

// What a job has still to do: neither corrected by hand nor made by just this model and recipe.
const unmade = `state = 'ready' AND NOT EXISTS (
      SELECT 1 FROM masks WHERE masks.image_id = images.id AND (edited = 1 OR (model_hash = :modelHash AND recipe = :recipe))
    )`;

export const maskStatements = {
  ofImages: `SELECT * FROM masks WHERE image_id IN (${places})`,
  edited: "SELECT * FROM masks WHERE edited = 1 AND image_id > :after ORDER BY image_id LIMIT :limit",
  countEdited: "SELECT count(*) AS count FROM masks WHERE edited = 1",
  unmade: `SELECT id FROM images WHERE id > :after AND ${unmade} ORDER BY id LIMIT :limit`,
  countUnmade: `SELECT count(*) AS count FROM images WHERE ${unmade}`,
  put: `INSERT INTO masks (image_id, width, height, runs, model_hash, recipe, edited, created_at)
    VALUES (:imageId, :width, :height, :runs, :modelHash, :recipe, 0, :createdAt)
    ON CONFLICT (image_id) DO UPDATE SET width = excluded.width, height = excluded.height, runs = excluded.runs,
      model_hash = excluded.model_hash, recipe = excluded.recipe, created_at = excluded.created_at
    WHERE edited = 0`,
  putScore: `INSERT INTO mask_scores (image_id, "rows", columns, data) VALUES (:imageId, :rows, :columns, :data)
    ON CONFLICT (image_id) DO UPDATE SET "rows" = excluded."rows", columns = excluded.columns, data = excluded.data`,
  scoreOf: `SELECT image_id, "rows", columns, data FROM mask_scores WHERE image_id = ?`,
  dropScore: "DELETE FROM mask_scores WHERE image_id = ?",
  head: "SELECT * FROM foreground_heads WHERE model_hash = ? AND size = ?",
  putHead: `INSERT INTO foreground_heads (model_hash, size, hash, weights, image_count, created_at)
    VALUES (:modelHash, :size, :hash, :weights, :imageCount, :createdAt)
    ON CONFLICT (model_hash, size) DO UPDATE SET hash = excluded.hash, weights = excluded.weights,
      image_count = excluded.image_count, created_at = excluded.created_at`,
} as const;

const sql = maskStatements;
const hashCell = hex(64);
const nullableHash = orNull(hashCell);
const methods: readonly MaskMethod[] = ["attention", "tokencut", "foreground"];
const methodCell = oneOf<MaskMethod>(methods);
const componentsCell = oneOf<MaskRecipe["components"]>(["largest", "all"]);

/** A recipe as text, the same for the same recipe: masks are found again by it. */
function recipeText({ method, heads, mass, refined, components, size, headHash }: MaskRecipe): string {
  return JSON.stringify({ method, heads, mass, refined, components, size, headHash });
}

function recipeOf(row: Row): MaskRecipe | null {
  if (row["recipe"] === null) return null;
  const recipe = json("masks", row, "recipe");
  if (!isObject(recipe)) throw corruptRow("masks", row, "its recipe should be a JSON object");
  const { heads, mass, refined, size, headHash } = recipe;
  const wholeHeads = heads === null || (Array.isArray(heads) && heads.every((head) => Number.isInteger(head)));
  const wholeMass = mass === null || (typeof mass === "number" && mass > 0 && mass <= 1);
  if (!wholeHeads || !wholeMass || typeof refined !== "boolean" || typeof size !== "number") {
    throw corruptRow("masks", row, "its recipe lacks a part or has a wrong one");
  }
  return {
    method: methodCell("masks", recipe, "method"),
    heads: heads as readonly number[] | null,
    mass,
    refined,
    components: componentsCell("masks", recipe, "components"),
    size,
    headHash: headHash === null ? null : hashCell("masks", recipe, "headHash"),
  };
}

function maskOf(row: Row): Mask {
  return {
    imageId: integer("masks", row, "image_id"),
    width: count("masks", row, "width"),
    height: count("masks", row, "height"),
    runs: text("masks", row, "runs"),
    modelHash: nullableHash("masks", row, "model_hash"),
    recipe: recipeOf(row),
    edited: flag("masks", row, "edited"),
    createdAt: integer("masks", row, "created_at"),
  };
}

function rowOf(mask: Mask): MaskRow {
  return {
    image_id: mask.imageId,
    width: mask.width,
    height: mask.height,
    runs: mask.runs,
    model_hash: mask.modelHash,
    recipe: mask.recipe === null ? null : recipeText(mask.recipe),
    edited: mask.edited ? 1 : 0,
    created_at: mask.createdAt,
  };
}

/** The masks of these images, by image id. Their run lengths have not been read: `decompressRuns` checks them. */
export function masksOfImages(db: Reader, imageIds: readonly number[]): Map<number, Mask> {
  return new Map(
    allIn(db, sql.ofImages, imageIds)
      .map(maskOf)
      .map((mask) => [mask.imageId, mask]),
  );
}

/** Masks that somebody corrected or brought along, in image order, a page at a time. */
export function editedMasks(db: Reader, { limit = pageSize, after = 0 }: Page = {}): Mask[] {
  return all(db, sql.edited, { limit, after }).map(maskOf);
}

/** How many masks somebody corrected or brought along. */
export function countEditedMasks(db: Reader): number {
  return count("masks", get(db, sql.countEdited) ?? {}, "count");
}

/** Ready images without a mask of this model and recipe, and without one by hand: what a job has still to do. */
export function imagesWithoutMask(
  db: Reader,
  modelHash: string,
  recipe: MaskRecipe,
  { limit = pageSize, after = 0 }: Page = {},
): Image[] {
  const rows = all(db, sql.unmade, { modelHash, recipe: recipeText(recipe), limit, after });
  return imagesByIds(
    db,
    rows.map((row) => integer("images", row, "id")),
  );
}

/** How many those are. */
export function countImagesWithoutMask(db: Reader, modelHash: string, recipe: MaskRecipe): number {
  const row = get(db, sql.countUnmade, { modelHash, recipe: recipeText(recipe) });
  return count("images", row ?? {}, "count");
}

/** How sure each patch of a mask is foreground, a byte a patch; from 128 on it is. */
export interface MaskScore {
  readonly rows: number;
  readonly columns: number;
  readonly data: Uint8Array;
}

/** A mask that a job made. */
export interface NewMask extends Pick<Mask, "imageId" | "width" | "height" | "runs"> {
  readonly score: MaskScore;
}

/**
 * Stores what a model made, in the place of what models made before. Masks that somebody corrected stay. Not an
 * operation of the user, and not in the log.
 */
export function putMasks(db: Writer, modelHash: string, recipe: MaskRecipe, masks: readonly NewMask[]): void {
  const createdAt = Date.now();
  transaction(db, () => {
    for (const { imageId, width, height, runs, score } of masks) {
      run(db, sql.put, { imageId, width, height, runs, modelHash, recipe: recipeText(recipe), createdAt });
      run(db, sql.putScore, { imageId, ...score });
    }
  });
}

/** The scores behind an image's mask, or null where no model made one. */
export function maskScoreOf(db: Reader, imageId: number): MaskScore | null {
  const row = get(db, sql.scoreOf, [imageId]);
  if (row === undefined) return null;
  const rows = integer("mask_scores", row, "rows");
  const columns = integer("mask_scores", row, "columns");
  const data = blob("mask_scores", row, "data");
  if (data.length !== rows * columns) {
    throw corruptRow("mask_scores", row, `${data.length} bytes do not fit ${rows} x ${columns} patches`);
  }
  return { rows, columns, data };
}

/** A mask that a person drew or a file brought. */
export type CorrectedMask = Pick<Mask, "imageId" | "width" | "height" | "runs">;

/**
 * Puts corrected masks in the place of what images had, as one operation that can be undone. A mask that was made by a
 * model keeps its provenance beside the word that it was corrected. Returns null where nothing changed. Throws
 * `image-unknown`, or `mask-size` for a mask that does not have the size of its image.
 */
export function correctMasks(
  db: Writer,
  masks: readonly CorrectedMask[],
  operation: Pick<Operation, "kind" | "summary">,
): Operation | null {
  const ids = masks.map(({ imageId }) => imageId);
  return recordOperation(db, operation, (change) => {
    const images = new Map(imagesByIds(db, ids).map((image) => [image.id, image]));
    const before = masksOfImages(db, ids);
    for (const { imageId, width, height, runs } of masks) {
      const image = images.get(imageId);
      if (image === undefined) throw unknownImage(imageId);
      requireSize(image, width, height);
      const known = before.get(imageId);
      if (known?.edited === true && known.runs === runs) continue;
      const { modelHash, recipe } = known ?? { modelHash: null, recipe: null };
      const row = rowOf({ imageId, width, height, runs, modelHash, recipe, edited: true, createdAt: change.at });
      if (known === undefined) change.insert("masks", row);
      else change.update("masks", row);
    }
  }).operation;
}

/**
 * Puts a mask that a model made for a person in the place of what the image had, as one operation. The scores that a job
 * stored go: they say nothing of this mask, nor of the one that an undo brings back. Returns null where nothing changed.
 * Throws as `correctMasks` does.
 */
export function replaceMask(
  db: Writer,
  mask: Omit<Mask, "edited" | "createdAt">,
  operation: Pick<Operation, "kind" | "summary">,
): Operation | null {
  const { imageId, width, height, runs, recipe } = mask;
  return recordOperation(db, operation, (change) => {
    const [image] = imagesByIds(db, [imageId]);
    if (image === undefined) throw unknownImage(imageId);
    requireSize(image, width, height);
    const known = masksOfImages(db, [imageId]).get(imageId);
    const alike = known?.modelHash === mask.modelHash && known.recipe !== null && recipe !== null;
    if (alike && !known.edited && known.runs === runs && recipeText(known.recipe) === recipeText(recipe)) return;
    const row = rowOf({ ...mask, edited: false, createdAt: change.at });
    if (known === undefined) change.insert("masks", row);
    else change.update("masks", row);
    run(db, sql.dropScore, [imageId]);
  }).operation;
}

function requireSize(image: Image, width: number, height: number): void {
  if (image.width === width && image.height === height) return;
  throw new CoreError(
    "mask-size",
    `The mask of ${image.path} has ${width} x ${height} pixels, the picture ${image.width} x ${image.height}.`,
    { hint: "Save the mask at the size of the picture as it is shown, after its EXIF orientation." },
  );
}

/** Takes the masks off images as one operation. Returns it, or null where none had one. */
export function removeMasks(
  db: Writer,
  imageIds: readonly number[],
  operation: Pick<Operation, "kind" | "summary">,
): Operation | null {
  return recordOperation(db, operation, (change) => {
    for (const imageId of masksOfImages(db, imageIds).keys()) change.delete("masks", imageId);
  }).operation;
}

/** A head that was trained on this library's pictures, for one model at one size. */
export interface StoredHead {
  readonly hash: string;
  /** Weights of the token's features, then the bias. */
  readonly weights: Float32Array;
  readonly imageCount: number;
}

/** The trained head of a model at a size, or null. */
export function foregroundHeadOf(db: Reader, modelHash: string, size: number): StoredHead | null {
  const row = get(db, sql.head, [modelHash, size]);
  if (row === undefined) return null;
  const bytes = blob("foreground_heads", row, "weights");
  const weights = float32Of(bytes.subarray(0, bytes.length - (bytes.length % 4)));
  if (bytes.length % 4 !== 0 || weights.length < 2 || !isFiniteVector(weights)) {
    throw corruptRow("foreground_heads", row, "a weight is missing or not a finite number");
  }
  return {
    hash: hashCell("foreground_heads", row, "hash"),
    weights,
    imageCount: count("foreground_heads", row, "image_count"),
  };
}

/** Stores a trained head in the place of the one before. */
export function putForegroundHead(db: Writer, modelHash: string, size: number, head: StoredHead): void {
  const { hash, weights, imageCount } = head;
  run(db, sql.putHead, { modelHash, size, hash, weights: bytesOf(weights), imageCount, createdAt: Date.now() });
}
