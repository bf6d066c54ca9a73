import { existsSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import type { ArchitectureName, ImportedModel } from "../engine/protocol.ts";
import { hasEmbeddings } from "../library/embeddings.ts";
import { insertModel, listModels } from "../library/models.ts";
import { listSettings } from "../library/settings.ts";
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

/** Names that Windows keeps for devices, whatever their ending. */
const reservedName = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** Bytes of a file name, with room for the endings: file systems allow 255. */
const longestName = 200;

/** A name that is a file name everywhere: letters, digits, dot, dash, underscore. Throws `model-name`. */
export function cleanName(name: string): string {
  let clean = name
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
  while (Buffer.byteLength(clean) > longestName) clean = [...clean].slice(0, -1).join("");
  if (clean !== "" && !reservedName.test(clean)) return clean;
  throw new CoreError("model-name", `"${name}" cannot be a model's name.`, {
    hint: "Choose one of letters and digits with --name.",
  });
}

/** What to call a model after its file; Hugging Face calls every file `model`, and tells models apart by their folder. */
function nameOfFile(path: string): string {
  const stem = basename(path, extname(path));
  return stem === "model" && existsSync(join(dirname(path), "config.json")) ? basename(dirname(path)) : stem;
}

/** Whether a name is taken: models are files too, and many disks take `A` and `a` for one. */
function isTaken(db: Reader, name: string): boolean {
  return listModels(db).some((model) => model.name.toLowerCase() === name.toLowerCase());
}

/** `name`, or with a number behind it where the library has it already. */
export function freeName(db: Reader, name: string): string {
  if (!isTaken(db, name)) return name;
  for (let i = 2; ; i++) if (!isTaken(db, `${name}-${i}`)) return `${name}-${i}`;
}

/** Copies a checkpoint into the library under its own format, with its hash and where it came from. */
export async function importModel(
  { library, engine }: Workplace,
  path: string,
  options: ImportOptions,
  source?: string,
): Promise<Model> {
  const wanted = options.name ?? nameOfFile(resolve(path));
  const name =
    options.name === undefined ? freeName(library.db, cleanName(wanted)) : takenName(library.db, cleanName(wanted));
  const imported = await engine.call("importModel", {
    path: resolve(path),
    destination: join(library.folder, "models", name),
    ...(options.heads === undefined ? {} : { heads: options.heads }),
    ...(options.part === undefined ? {} : { part: options.part }),
  });
  const provenance = source === undefined ? imported.provenance : { ...imported.provenance, source };
  return keepModel({ library }, name, { ...imported, provenance }, imported.file);
}

/** A name that the user gave. Throws `model-exists` where the library has it. */
export function takenName(db: Reader, name: string): string {
  if (!isTaken(db, name)) return name;
  throw new CoreError("model-exists", `The library has a model named ${name} already.`, {
    hint: "`dinoscope models list` shows it. Choose another name.",
  });
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
  return keepModel(workplace, name, created, created.file);
}

/** Adds a model that the engine wrote to `file`. */
export function keepModel(
  { library }: Pick<Workplace, "library">,
  name: string,
  model: ImportedModel,
  file: string,
): Model {
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
 * The same weights at another input size, as a model of its own (`NAME@SIZE`): embeddings of different sizes are not
 * comparable. Returns the model that has this size where there is one. Throws `option-invalid` for a size that its
 * patches do not divide, or that an ONNX file does not take.
 */
export function modelAtSize({ library }: Pick<Workplace, "library">, model: Model, imageSize: number): Model {
  const sizes = listModels(library.db).filter(({ file, foreground }) => file === model.file && foreground === null);
  const known = sizes.find((candidate) => candidate.imageSize === imageSize);
  if (known !== undefined) return known;
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
  const [first = model] = sizes;
  const name = `${first.name}@${imageSize}`;
  return insertModel(library.db, { ...first, name, imageSize, foreground: null, createdAt: Date.now() });
}

/** Everything that sees pictures as `model` does, itself among them: whole, and with more or less of the foreground. */
export function viewsOf(db: Reader, model: Model): Model[] {
  return listModels(db).filter(({ file, imageSize }) => file === model.file && imageSize === model.imageSize);
}

/** The name of a view: `NAME+foreground`, with its blend behind it where that is not the usual one. */
function foregroundName(name: string, blend: number): string {
  return `${name}+foreground${blend === usualBlend ? "" : `-${blend}`}`;
}

/**
 * Share of the foreground unless the user says otherwise. With true masks the accuracy of the vote has risen by then as
 * far as it does; with wrong ones the CLS token, which knows of no mask, keeps most of what it had.
 */
export const usualBlend = 0.5;

/**
 * The same weights looking at the foreground, as a model of its own (`NAME+foreground`): its embeddings lie elsewhere
 * than those of whole pictures. Returns the one with this blend where there is one. Throws `foreground-unsupported` for
 * a model that came as ONNX.
 */
export function foregroundModel({ library }: Pick<Workplace, "library">, model: Model, blend: number): Model {
  const { db } = library;
  const views = viewsOf(db, model);
  const known = views.find(({ foreground }) => foreground?.blend === blend);
  if (known !== undefined) return known;
  if (model.kind === "onnx") {
    throw new CoreError("foreground-unsupported", `${model.name} came as ONNX: only whole pictures can be embedded.`, {
      hint: "Import the checkpoint itself (`dinoscope models import FILE.pth`).",
    });
  }
  const whole = views.find(({ foreground }) => foreground === null) ?? model;
  const name = foregroundName(whole.name, blend);
  return insertModel(db, { ...whole, name, foreground: { blend }, createdAt: Date.now() });
}

/**
 * The model of that name; without a name the newest, trained ones first and never one that looks at the foreground, which
 * is as good as its masks. Throws `model-unknown`, `model-missing`.
 */
export function findModel(db: Reader, name: string | undefined): Model {
  const models = listModels(db);
  if (name !== undefined) {
    const model = models.find((candidate) => candidate.name === name);
    if (model !== undefined) return model;
    const known = models.length === 0 ? "none" : models.map((candidate) => candidate.name).join(", ");
    throw new CoreError("model-unknown", `There is no model named ${name}; the library has ${known}.`);
  }
  const whole = models.filter(({ foreground }) => foreground === null);
  const model = whole.findLast(({ trained }) => trained) ?? whole.at(-1);
  if (model === undefined) {
    throw new CoreError("model-missing", "The library has no model yet.", {
      hint: "Import DINO weights with `dinoscope models import FILE`, or fetch them with `dinoscope models download dino-vits16`.",
    });
  }
  return model;
}

/**
 * The model of that name; without a name the one that was chosen in the app, or else the newest trained one that has looked
 * at pictures: one that was just trained or imported takes over when it has. Throws as `findModel` does.
 */
export function modelInUse(db: Reader, name: string | undefined): Model {
  if (name !== undefined) return findModel(db, name);
  const models = listModels(db);
  const chosen = listSettings(db)["currentModelId"];
  return (
    models.find(({ id }) => id === chosen) ??
    models.findLast(({ id, trained, foreground }) => trained && foreground === null && hasEmbeddings(db, id)) ??
    findModel(db, undefined)
  );
}
