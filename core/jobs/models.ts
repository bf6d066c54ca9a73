import { basename, extname, join, relative, resolve, sep } from "node:path";
import type { ArchitectureName, ImportedModel } from "../engine/protocol.ts";
import { insertModel, listModels, modelByName } from "../library/models.ts";
import type { Reader } from "../library/database.ts";
import type { Model } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import type { Workplace } from "./run.ts";

/** What the user may say about a checkpoint beyond what is in it. */
export interface ImportOptions {
  readonly name?: string | undefined;
  readonly heads?: number | undefined;
  readonly part?: "teacher" | "student" | undefined;
}

/** A name that is a file name everywhere: letters, digits, dot, dash, underscore. */
function cleanName(name: string): string {
  const clean = name
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 80);
  if (clean === "") throw new CoreError("model-name", `"${name}" cannot be a model's name; use letters and digits.`);
  return clean;
}

/** `name`, or with a number behind it where the library has it already. */
function freeName(db: Reader, name: string): string {
  if (modelByName(db, name) === null) return name;
  for (let i = 2; ; i++) if (modelByName(db, `${name}-${i}`) === null) return `${name}-${i}`;
}

/** Copies a checkpoint into the library under its own format, with its hash and where it came from. */
export async function importModel(
  { library, engine }: Workplace,
  path: string,
  options: ImportOptions,
  source?: string,
): Promise<Model> {
  const wanted = options.name ?? basename(path, extname(path));
  const name =
    options.name === undefined ? freeName(library.db, cleanName(wanted)) : takenName(library.db, cleanName(wanted));
  const imported = await engine.call("importModel", {
    path: resolve(path),
    destination: join(library.folder, "models", name),
    ...(options.heads === undefined ? {} : { heads: options.heads }),
    ...(options.part === undefined ? {} : { part: options.part }),
  });
  const provenance = source === undefined ? imported.provenance : { ...imported.provenance, source };
  return keep({ library, engine }, name, { ...imported, provenance }, imported.file);
}

/** A name that the user gave. Throws `model-exists` where the library has it. */
export function takenName(db: Reader, name: string): string {
  if (modelByName(db, name) === null) return name;
  throw new CoreError("model-exists", `There is a model named "${name}" already.`, { hint: "Choose another --name." });
}

/** What a model with random weights is made of. */
export interface NewModel {
  readonly arch: ArchitectureName;
  readonly patch: number;
  /** Side of the input in pixels, a multiple of the patch. */
  readonly size: number;
  readonly seed: number;
}

/** Makes a model with random weights: a baseline, and where pretraining starts. */
export async function createModel(
  workplace: Workplace,
  wanted: string,
  { arch, patch, size, seed }: NewModel,
): Promise<Model> {
  const { library, engine } = workplace;
  const name = takenName(library.db, cleanName(wanted));
  const destination = join(library.folder, "models", name);
  const created = await engine.call("createModel", { name: arch, patch, imageSize: size, seed, destination });
  return keep(workplace, name, created, created.file);
}

function keep({ library }: Workplace, name: string, model: ImportedModel, file: string): Model {
  return insertModel(library.db, {
    name,
    kind: model.kind,
    file: relative(library.folder, file).split(sep).join("/"),
    hash: model.hash,
    architecture: model.architecture === null ? null : { ...model.architecture },
    imageSize: model.imageSize,
    width: model.width,
    trained: model.provenance.format !== "random",
    provenance: model.provenance,
    createdAt: Date.now(),
  });
}

/**
 * The same weights at another input size, as a model of its own: embeddings of different sizes are not comparable.
 * Returns the model itself for its own size. Throws `option-invalid` for a size its patches do not divide.
 */
export function modelAtSize({ library }: Workplace, model: Model, imageSize: number): Model {
  if (imageSize === model.imageSize) return model;
  const patch = model.architecture?.["patch"];
  if (typeof patch !== "number") {
    throw new CoreError(
      "option-invalid",
      `${model.name} came as ONNX and takes pictures of ${model.imageSize} px only.`,
    );
  }
  if (!Number.isInteger(imageSize) || imageSize < patch || imageSize > 2048 || imageSize % patch !== 0) {
    throw new CoreError(
      "option-invalid",
      `The size must be a multiple of ${patch} from ${patch} to 2048 px, not ${imageSize}.`,
    );
  }
  const name = `${model.name}@${imageSize}`;
  return modelByName(library.db, name) ?? insertModel(library.db, { ...model, name, imageSize, createdAt: Date.now() });
}

/** The model of that name; without a name the newest, trained ones first. Throws `model-unknown`, `model-missing`. */
export function findModel(db: Reader, name: string | undefined): Model {
  const models = listModels(db);
  if (name !== undefined) {
    const model = models.find((candidate) => candidate.name === name);
    if (model !== undefined) return model;
    const known = models.length === 0 ? "none" : models.map((candidate) => candidate.name).join(", ");
    throw new CoreError("model-unknown", `There is no model named ${name}; the library has ${known}.`);
  }
  const model = models.findLast(({ trained }) => trained) ?? models.at(-1);
  if (model === undefined) {
    throw new CoreError("model-missing", "The library has no model yet.", {
      hint: "Import DINO weights with `dinoscope models import FILE`, or fetch them with `dinoscope models download dino-vits16`.",
    });
  }
  return model;
}
