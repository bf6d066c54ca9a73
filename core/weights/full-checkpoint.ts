/**
 * Full checkpoints in the layout of the official code: student, teacher, heads and centre, in one safetensors file whose
 * names are the keys of that code's nested dictionary with dots between them. Its own .pth files are read too.
 */
import type { Architecture, WeightTensor, Weights } from "../nn/architecture.ts";
import type { HeadSettings, TrainingSettings } from "../nn/dino/settings.ts";
import { lastLayer, networkShapes } from "../nn/dino/parameters.ts";
import { CoreError } from "../util/errors.ts";
import { withFile, type OpenFile, type WrittenFile } from "./files.ts";
import { recogniseLayout } from "./layout.ts";
import { storedArchitecture, storedSettings, weightsMetadata } from "./metadata.ts";
import { sameShape, shapeText } from "./numbers.ts";
import { isKind, type PickleTensor, type PickleValue } from "./pickle-values.ts";
import { openTorch } from "./pth.ts";
import { headerOf, readWeights, writeSafetensors } from "./safetensors.ts";
import { isTrainingFile, readTrainingFile } from "./training-file.ts";
import { checkArchitecture, checkFinite } from "./verify.ts";

/** The names of the official code: the student is wrapped for several GPUs, the teacher is not. */
const prefixes = { student: "student.module.", teacher: "teacher." } as const;
const centreName = "dino_loss.center";

/** Networks, heads and centre, under the names of a trainer's state. */
export interface FullCheckpoint {
  readonly architecture: Architecture;
  readonly head: HeadSettings;
  /** What it was trained with; null for files that do not say, such as the official ones. */
  readonly settings: TrainingSettings | null;
  /** `student.…`, `teacher.…` and `centre`. */
  readonly tensors: Weights;
}

/** The tensors of a training state under the official names; moments are left out. */
export function officialNames(tensors: Weights): Map<string, WeightTensor> {
  const named = new Map<string, WeightTensor>();
  for (const part of ["student", "teacher"] as const) {
    for (const [name, tensor] of tensors) {
      if (name.startsWith(`${part}.`)) named.set(prefixes[part] + name.slice(part.length + 1), tensor);
    }
  }
  const centre = tensors.get("centre");
  if (centre !== undefined) named.set(centreName, centre);
  return named;
}

/** Writes a full checkpoint from what a run kept. */
export function writeFullCheckpoint(
  path: string,
  tensors: Weights,
  settings: TrainingSettings,
  notes: Readonly<Record<string, string | number | boolean>>,
): Promise<WrittenFile> {
  const provenance = { source: "pretraining", format: "dinoscope", sourceHash: null, notes };
  const metadata = weightsMetadata(settings.architecture, provenance, settings);
  return writeSafetensors(path, officialNames(tensors), metadata);
}

/**
 * Reads a full checkpoint: ours, a checkpoint of a run, or the official .pth. Throws `checkpoint-part` for files without
 * a student, a teacher, their heads and the centre, and the errors of the formats.
 */
export function readFullCheckpoint(path: string): Promise<FullCheckpoint> {
  return withFile(path, async (file) => {
    const first = new Uint8Array(Math.min(4, file.byteSize));
    await file.read(first, 0);
    // Zip archives are PyTorch's.
    return first[0] === 0x50 && first[1] === 0x4b ? readOfficial(file) : readNamed(file);
  });
}

async function readNamed(file: OpenFile): Promise<FullCheckpoint> {
  const { metadata, tensors: entries } = await headerOf(file);
  if (isTrainingFile(metadata)) {
    const { settings, tensors } = await readTrainingFile(file.path, (name) => !/^(first|second)\./.test(name));
    return { architecture: settings.architecture, head: settings.head, settings, tensors };
  }
  const names = ownNames(entries.keys());
  const read = await readWeights(file, entries, names.values());
  const tensors = new Map([...names].map(([own, official]) => [own, tensorOf(read, official)] as const));
  const checkpoint = checked(file.path, tensors, storedArchitecture(file.path, metadata));
  return { ...checkpoint, settings: storedSettings(file.path, metadata) };
}

async function readOfficial(file: OpenFile): Promise<FullCheckpoint> {
  const torch = await openTorch(file);
  const flat = new Map<string, PickleTensor>();
  for (const part of ["student", "teacher", "dino_loss"]) {
    const state: PickleValue | undefined = torch.root instanceof Map ? torch.root.get(part) : undefined;
    for (const [name, value] of state instanceof Map ? state : []) {
      if (typeof name === "string" && isKind(value, "tensor")) flat.set(`${part}.${name}`, value);
    }
  }
  const names = ownNames(flat.keys());
  const wanted = new Map<string, PickleTensor>();
  for (const [own, official] of names) {
    const tensor = flat.get(official);
    if (tensor !== undefined) wanted.set(own, tensor);
  }
  return { ...checked(file.path, await torch.readTensors(wanted)), settings: null };
}

/** Our name for each official one; `module.` may stand before both networks' names, or before none. */
function ownNames(official: Iterable<string>): Map<string, string> {
  const names = new Map<string, string>();
  for (const name of official) {
    const [, part, inner] = /^(student|teacher)\.(?:module\.)?((?:backbone|head)\..+)$/.exec(name) ?? [];
    if (part !== undefined && inner !== undefined) names.set(`${part}.${inner}`, name);
    else if (name === centreName) names.set("centre", name);
  }
  return names;
}

function tensorOf(tensors: ReadonlyMap<string, WeightTensor>, name: string): WeightTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new CoreError("safetensors-missing", `There is no tensor named ${name}.`);
  return tensor;
}

function checked(
  path: string,
  tensors: Map<string, WeightTensor>,
  stored?: Architecture,
): Omit<FullCheckpoint, "settings"> {
  const missing = (["student.backbone", "teacher.backbone", "student.head", "teacher.head", "centre"] as const).filter(
    (part) => ![...tensors.keys()].some((name) => name.startsWith(part)),
  );
  if (missing.length > 0) {
    throw new CoreError("checkpoint-part", `${path} is no full checkpoint: it has no ${missing.join(", no ")}.`, {
      hint: "To start from a backbone alone, import it (`dinoscope models import FILE`) and name the model.",
    });
  }
  const prefix = "student.backbone.";
  const shapes = new Map(
    [...tensors].flatMap(([name, { shape }]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), shape]] : [])),
  );
  const found = recogniseLayout(path, shapes).architecture;
  // All of DINO's models have 64 features a head; ours say how many heads they have.
  const heads = stored?.heads ?? Math.max(1, Math.floor(found.width / 64));
  const architecture = checkArchitecture({ ...found, heads });
  const head = headOf(path, tensors);
  for (const [name, shape] of networkShapes({ architecture, head } as TrainingSettings)) {
    for (const part of ["student", "teacher"]) {
      const tensor = tensors.get(`${part}.${name}`);
      if (tensor === undefined || !sameShape(tensor.shape, shape)) {
        const what = tensor === undefined ? "is missing" : `has the shape ${shapeText(tensor.shape)}`;
        throw new CoreError("checkpoint-mismatch", `${part}.${name} of ${path} ${what}, expected ${shapeText(shape)}.`);
      }
    }
  }
  if (!sameShape(tensors.get("centre")?.shape ?? [], [1, head.prototypes])) {
    throw new CoreError("checkpoint-mismatch", `The centre of ${path} does not fit its ${head.prototypes} prototypes.`);
  }
  const known = new Set([...networkShapes({ architecture, head } as TrainingSettings).keys()]);
  for (const name of tensors.keys()) {
    if (name !== "centre" && !known.has(name.replace(/^(student|teacher)\./, ""))) {
      throw new CoreError(
        "checkpoint-mismatch",
        `${path} has a tensor ${name.slice(0, 80)} that DINO's networks lack.`,
      );
    }
  }
  checkFinite(tensors);
  return { architecture, head, tensors };
}

function headOf(path: string, tensors: Weights): HeadSettings {
  const side = (name: string, axis: number): number => {
    const size = tensors.get(`student.${name}`)?.shape[axis];
    if (size !== undefined) return size;
    throw new CoreError("checkpoint-mismatch", `The head in ${path} has no ${name}.`, {
      hint: "Heads of three linear layers without batch norm are read, as DINO's vision transformers have them.",
    });
  };
  const scales = tensors.get(`student.${lastLayer.scales}`)?.data ?? new Float32Array(0);
  return {
    hidden: side("head.mlp.0.weight", 0),
    bottleneck: side("head.mlp.4.weight", 0),
    prototypes: side(lastLayer.directions, 0),
    // Rounding of a moving average of ones is no training.
    fixedScale: scales.every((scale) => Math.abs(scale - 1) < 1e-5),
  };
}
