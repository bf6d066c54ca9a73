import type { Model, ModelProvenance } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { forgetClusterOperations } from "./clusters.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { corruptRow, flag, hex, integer, isObject, jsonObject, modelPath, oneOf, orNull, share, text } from "./rows.ts";

export const modelStatements = {
  list: "SELECT * FROM models ORDER BY id",
  byId: "SELECT * FROM models WHERE id = ?",
  byName: "SELECT * FROM models WHERE name = ?",
  insert: `INSERT INTO models (name, kind, file, hash, architecture, image_size, width, trained, foreground_blend,
      provenance, created_at)
    VALUES (:name, :kind, :file, :hash, :architecture, :imageSize, :width, :trained, :foregroundBlend,
      :provenance, :createdAt)`,
  rename: "UPDATE models SET name = ? WHERE id = ?",
  delete: "DELETE FROM models WHERE id = ?",
} as const;

const sql = modelStatements;

/**
 * Features that an embedding may have. Well above any published vision transformer (ViT-g has 1,536), and small enough
 * that a row of a damaged file cannot ask for much memory.
 */
export const maximalWidth = 65_536;

const kind = oneOf(["vit", "onnx"]);
const hash = hex(64);
const nullableHash = orNull(hash);
const nullableObject = orNull(jsonObject);
const nullableShare = orNull(share);

function modelOf(row: Row): Model {
  const width = integer("models", row, "width");
  if (width < 1 || width > maximalWidth) throw corruptRow("models", row, `width is ${width}`);
  const imageSize = integer("models", row, "image_size");
  if (imageSize < 1) throw corruptRow("models", row, `image_size is ${imageSize}`);
  const blend = nullableShare("models", row, "foreground_blend");
  return {
    id: integer("models", row, "id"),
    name: text("models", row, "name"),
    kind: kind("models", row, "kind"),
    file: modelPath("models", row, "file"),
    hash: hash("models", row, "hash"),
    architecture: architectureOf(row),
    imageSize,
    width,
    trained: flag("models", row, "trained"),
    foreground: blend === null ? null : { blend },
    provenance: provenanceOf(row),
    createdAt: integer("models", row, "created_at"),
  };
}

function architectureOf(row: Row): Model["architecture"] {
  const data = nullableObject("models", row, "architecture");
  if (data === null) return null;
  const architecture: Record<string, number | boolean> = {};
  for (const [name, value] of Object.entries(data)) {
    if (typeof value !== "number" && typeof value !== "boolean") {
      throw corruptRow("models", row, `architecture.${name} should be a number or a boolean`);
    }
    architecture[name] = value;
  }
  return architecture;
}

function provenanceOf(row: Row): ModelProvenance {
  const { source, format, sourceHash, notes } = jsonObject("models", row, "provenance");
  if (typeof source !== "string" || typeof format !== "string" || !isObject(notes)) {
    throw corruptRow("models", row, "provenance should have source, format and notes");
  }
  const checkedNotes: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(notes)) {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
      throw corruptRow("models", row, `provenance.notes.${name} should be text, a number or a boolean`);
    }
    checkedNotes[name] = value;
  }
  return {
    source,
    format,
    sourceHash: nullableHash("models", { ...row, sourceHash }, "sourceHash"),
    notes: checkedNotes,
  };
}

/** All models in the order they were added. */
export function listModels(db: Reader): Model[] {
  return all(db, sql.list).map(modelOf);
}

/** One model, or null. */
export function modelById(db: Reader, id: number): Model | null {
  const row = get(db, sql.byId, [id]);
  return row === undefined ? null : modelOf(row);
}

/** The model of that name, or null. */
export function modelByName(db: Reader, name: string): Model | null {
  const row = get(db, sql.byName, [name]);
  return row === undefined ? null : modelOf(row);
}

/** Adds a model, of whole pictures unless it says otherwise. Throws `model-exists` for a name that is taken, `option-invalid` for sizes out of bounds. */
export function insertModel(
  db: Writer,
  model: Omit<Model, "id" | "foreground"> & Partial<Pick<Model, "foreground">>,
): Model {
  const { foreground = null } = model;
  if (!Number.isInteger(model.width) || model.width < 1 || model.width > maximalWidth) {
    throw new CoreError("option-invalid", `A model's width must be 1 to ${maximalWidth}, found ${model.width}.`);
  }
  return transaction(db, () => {
    refuseTakenName(db, model.name);
    const { rowId } = run(db, sql.insert, {
      name: model.name,
      kind: model.kind,
      file: model.file,
      hash: model.hash,
      architecture: model.architecture === null ? null : JSON.stringify(model.architecture),
      imageSize: model.imageSize,
      width: model.width,
      trained: model.trained ? 1 : 0,
      foregroundBlend: foreground?.blend ?? null,
      provenance: JSON.stringify(model.provenance),
      createdAt: model.createdAt,
    });
    return { ...model, foreground, id: rowId };
  });
}

/** Gives a model another name. Throws `model-exists` or `model-unknown`. */
export function renameModel(db: Writer, id: number, name: string): void {
  transaction(db, () => {
    if (modelByName(db, name)?.id === id) return;
    refuseTakenName(db, name);
    if (run(db, sql.rename, [name, id]).changes === 0) throw unknownModel(id);
  });
}

/** Takes a model out of the library, with its embeddings, attention and suggestions; its file is the caller's to delete. */
export function deleteModel(db: Writer, id: number): void {
  transaction(db, () => {
    forgetClusterOperations(db, id);
    if (run(db, sql.delete, [id]).changes === 0) throw unknownModel(id);
  });
}

function refuseTakenName(db: Reader, name: string): void {
  if (modelByName(db, name) === null) return;
  throw new CoreError("model-exists", `There is a model named "${name}" already.`, { hint: "Choose another name." });
}

/** The error for an id that no model has. */
export function unknownModel(id: number): CoreError {
  return new CoreError("model-unknown", `There is no model ${id} in this library.`);
}
