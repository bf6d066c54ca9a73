/**
 * Checkpoints of a pretraining: one safetensors file with every tensor of student, teacher, optimiser and centre, and the
 * settings and position in its metadata. Order, crops and drop path are drawn from seed and iteration, so the number of
 * the iteration is all that the generators need.
 */
import type { WeightTensor, Weights } from "../nn/architecture.ts";
import { networkShapes, trainedShapes } from "../nn/dino/parameters.ts";
import type { TrainingSettings } from "../nn/dino/settings.ts";
import { CoreError } from "../util/errors.ts";
import { withFile, type OpenFile, type WrittenFile } from "./files.ts";
import { sameShape, shapeText } from "./numbers.ts";
import { headerOf, readWeights, writeSafetensors } from "./safetensors.ts";
import { checkSettings } from "./training-settings.ts";
import { checkFinite } from "./verify.ts";

const metadataKey = "dinoscope.training";

/** Of the format, so that a newer program can change it. */
const version = 1;

/** What a checkpoint holds. */
export interface TrainingFile {
  readonly settings: TrainingSettings;
  /** Iterations that were taken. */
  readonly iteration: number;
  /** `student.…`, `teacher.…`, `first.…`, `second.…` and `centre`; see core/engine/training/types.ts. */
  readonly tensors: Weights;
}

/** Name and shape of every tensor of a checkpoint. */
export function trainingShapes(settings: TrainingSettings): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const [name, shape] of networkShapes(settings)) {
    shapes.set(`student.${name}`, shape);
    shapes.set(`teacher.${name}`, shape);
  }
  for (const [name, shape] of trainedShapes(settings)) {
    shapes.set(`first.${name}`, shape);
    shapes.set(`second.${name}`, shape);
  }
  shapes.set("centre", [1, settings.head.prototypes]);
  return shapes;
}

/**
 * Writes a checkpoint whole, or not at all: the one that `path` held stays until the new one is on the disk. Throws
 * `weights-not-finite` for weights of a run that diverged, and what the disk says.
 */
export function writeTrainingFile(path: string, { settings, iteration, tensors }: TrainingFile): Promise<WrittenFile> {
  checkFinite(tensors);
  const metadata = new Map([
    ["format", "pt"],
    [metadataKey, JSON.stringify({ version, iteration, settings })],
  ]);
  return writeSafetensors(path, tensors, metadata);
}

/** Whether a file is a checkpoint of a pretraining by Dinoscope, by its metadata. */
export function isTrainingFile(metadata: ReadonlyMap<string, string>): boolean {
  return metadata.has(metadataKey);
}

/**
 * Reads a checkpoint; names and shapes must be exactly those of its settings. Throws `training-file-invalid`,
 * `training-settings-invalid`, `safetensors-invalid`, `weights-not-finite`.
 */
export function readTrainingFile(path: string, wanted?: (name: string) => boolean): Promise<TrainingFile> {
  return withFile(path, (file) => readOpen(file, wanted));
}

async function readOpen(file: OpenFile, wanted: (name: string) => boolean = () => true): Promise<TrainingFile> {
  const { path } = file;
  const { metadata, tensors: entries } = await headerOf(file);
  const { settings, iteration } = parseMetadata(path, metadata);
  const shapes = trainingShapes(settings);
  for (const [name, shape] of shapes) {
    const entry = entries.get(name);
    if (entry === undefined) throw invalid(path, `the tensor ${name} is missing`);
    if (!sameShape(entry.shape, shape)) {
      throw invalid(path, `${name} has the shape ${shapeText(entry.shape)}, expected ${shapeText(shape)}`);
    }
  }
  for (const name of entries.keys()) if (!shapes.has(name)) throw invalid(path, `it has a tensor ${name.slice(0, 80)}`);
  const tensors: Map<string, WeightTensor> = await readWeights(file, entries, [...shapes.keys()].filter(wanted));
  checkFinite(tensors);
  return { settings, iteration, tensors };
}

function parseMetadata(
  path: string,
  metadata: ReadonlyMap<string, string>,
): { settings: TrainingSettings; iteration: number } {
  const text = metadata.get(metadataKey);
  if (text === undefined) throw invalid(path, "it does not say so in its metadata");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, "its metadata is damaged", cause);
  }
  const fields = typeof parsed === "object" && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : {};
  const { iteration } = fields;
  if (fields["version"] !== version)
    throw invalid(path, `its version is ${JSON.stringify(fields["version"])}, not ${version}`);
  if (typeof iteration !== "number" || !Number.isInteger(iteration) || iteration < 0) {
    throw invalid(path, `its iteration is ${JSON.stringify(iteration)}`);
  }
  return { settings: checkSettings(fields["settings"]), iteration };
}

function invalid(path: string, what: string, cause?: unknown): CoreError {
  return new CoreError("training-file-invalid", `${path} is not a checkpoint of a pretraining: ${what}.`, {
    hint: "Use a file that `dinoscope pretrain` wrote.",
    ...(cause === undefined ? {} : { cause }),
  });
}
