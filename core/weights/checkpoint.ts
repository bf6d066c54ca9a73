/**
 * Reads the weights of a vision transformer from whatever file people have: the official DINO and DINOv2 files, full
 * training checkpoints, Hugging Face's and timm's safetensors, and our own. The format is told by the bytes of the file.
 */
import type { Architecture, WeightTensor, Weights } from "../nn/architecture.ts";
import { CoreError } from "../util/errors.ts";
import { withFile, type OpenFile } from "./files.ts";
import { findHuggingFaceConfig, headsOfConfig } from "./huggingface-config.ts";
import { recogniseLayout, type Layout } from "./layout.ts";
import { storedArchitecture, storedProvenance } from "./metadata.ts";
import { stackRows } from "./names.ts";
import type { PickleTensor } from "./pickle-values.ts";
import { openTorch } from "./pth.ts";
import { headerOf, readWeights } from "./safetensors.ts";
import { selectPart, type CheckpointPart } from "./torch-parts.ts";
import { checkArchitecture, checkFinite, checkWeights } from "./verify.ts";

/** What a file does not always say. */
export interface CheckpointOptions {
  /** Attention heads, where neither the file nor a width of 64 per head tells them. */
  readonly heads?: number;
  /** Which network of a full training checkpoint: the teacher by default, as the paper evaluates it. */
  readonly part?: CheckpointPart;
}

/** A backbone read from a file. */
export interface Checkpoint {
  readonly architecture: Architecture;
  /** Every tensor of the architecture, in the official order, finite and in its shape. */
  readonly weights: Weights;
  readonly provenance: CheckpointProvenance;
  /** Tensors of the file that are no part of a backbone, such as projection heads, by their names in the file. */
  readonly leftOut: readonly string[];
}

export type CheckpointFormat = "dino-pth" | "dino-checkpoint" | "huggingface" | "timm" | "dinoscope" | "random";

export interface CheckpointProvenance {
  readonly format: CheckpointFormat;
  /** What the file says about its training: part, epoch, architecture name. */
  readonly notes: Readonly<Record<string, string | number | boolean>>;
}

/** The tensors of an open file, whatever its format: shapes first, values on request. */
interface TensorSource {
  /** By names without wrappers such as `module.` and `vit.`. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The file's own name for each. */
  readonly names: ReadonlyMap<string, string>;
  readonly provenance: (layout: Layout) => CheckpointProvenance;
  /** Heads as the file gives them, and who says so. */
  readonly heads: (layout: Layout) => Promise<readonly HeadsClaim[]>;
  /** The architecture that our own files carry. */
  readonly stored?: Architecture;
  read(names: readonly string[]): Promise<Map<string, WeightTensor>>;
}

interface HeadsClaim {
  readonly by: string;
  readonly heads: number;
}

/**
 * Reads a backbone. Throws a CoreError with a sentence for the user: `checkpoint-unknown` and `checkpoint-legacy` for other
 * files, `checkpoint-mismatch` and `model-unsupported` for other models, `heads-unknown` and `heads-conflict`,
 * `weights-not-finite`, and the errors of the formats (`safetensors-…`, `pickle-…`, `torch-…`, `archive-…`).
 */
export function readCheckpoint(path: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  return withFile(path, async (file) => {
    const source = await openSource(file, options);
    const layout = recogniseLayout(path, source.shapes);
    const architecture = await completeArchitecture(path, layout, source, options);
    const weights = await assemble(layout, source);
    checkWeights(weights, architecture);
    checkFinite(weights);
    const leftOut = layout.leftOut.map((name) => source.names.get(name) ?? name);
    return { architecture, weights, provenance: source.provenance(layout), leftOut };
  });
}

/** Tells the format by the first bytes. */
async function openSource(file: OpenFile, options: CheckpointOptions): Promise<TensorSource> {
  const first = new Uint8Array(Math.min(16, file.byteSize));
  await file.read(first, 0);
  const starts = (...bytes: number[]): boolean => bytes.every((byte, index) => first[index] === byte);
  if (starts(0x50, 0x4b, 0x03, 0x04)) return torchSource(file, options);
  // A JSON object after 8 bytes of length, the upper four of which are 0: headers have a limit far below 4 GB.
  if (first[8] === 0x7b && first.subarray(4, 8).every((byte) => byte === 0)) return safetensorsSource(file, options);
  if (starts(0x80) && (first[1] ?? 0) >= 2 && (first[1] ?? 0) <= 5) {
    throw new CoreError("checkpoint-legacy", `${file.path} is a PyTorch file of the old kind (before version 1.6).`, {
      hint:
        "Convert it once in Python: " +
        'import torch; torch.save(torch.load("old.pth", map_location="cpu", weights_only=True), "new.pth")',
    });
  }
  // ONNX is a protocol buffer whose first field is the version of its format.
  const what = starts(0x08) ? "an ONNX file" : "a file of another kind";
  throw new CoreError(
    "checkpoint-unknown",
    `Expected PyTorch (.pth) or safetensors weights, found ${what}: ${file.path}.`,
    {
      hint: starts(0x08) ? "Import it as an ONNX model." : "Choose a .pth or .safetensors file.",
    },
  );
}

async function torchSource(file: OpenFile, options: CheckpointOptions): Promise<TensorSource> {
  const torch = await openTorch(file);
  const part = selectPart(file.path, torch.root, options.part);
  const names = plainNames(file.path, part.tensors.keys());
  const tensors = new Map([...names].map(([name, own]) => [name, part.tensors.get(own) as PickleTensor]));
  const claims = part.heads === undefined ? [] : [{ by: "the checkpoint's arguments", heads: part.heads }];
  return {
    shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    names,
    provenance: () => ({ format: part.wrapped ? "dino-checkpoint" : "dino-pth", notes: part.notes }),
    heads: () => Promise.resolve(claims),
    read: (wanted) => torch.readTensors(new Map(wanted.map((name) => [name, tensors.get(name) as PickleTensor]))),
  };
}

async function safetensorsSource(file: OpenFile, options: CheckpointOptions): Promise<TensorSource> {
  if (options.part === "student") {
    throw new CoreError("checkpoint-part", `${file.path} holds one network only, no separate student.`);
  }
  const header = await headerOf(file);
  const names = plainNames(file.path, header.tensors.keys());
  const stored = storedArchitecture(file.path, header.metadata);
  const shapes = new Map([...names].map(([name, own]) => [name, header.tensors.get(own)?.shape ?? []] as const));
  return {
    shapes,
    names,
    provenance: ({ family }) => {
      const origin = storedProvenance(file.path, header.metadata);
      if (origin !== undefined)
        return { format: origin.format === "random" ? "random" : "dinoscope", notes: origin.notes };
      return { format: stored === undefined ? family : "dinoscope", notes: {} };
    },
    heads: async ({ family, architecture }) => {
      const config = family === "huggingface" ? await findHuggingFaceConfig(file.path) : undefined;
      const heads = config === undefined ? undefined : headsOfConfig(config, architecture);
      return config === undefined || heads === undefined ? [] : [{ by: config.path, heads }];
    },
    ...(stored === undefined ? {} : { stored }),
    read: async (wanted) => {
      const own = wanted.map((name) => names.get(name) ?? name);
      const tensors = await readWeights(file, header.tensors, own);
      return new Map([...tensors.values()].map((tensor, index) => [wanted[index] as string, tensor]));
    },
  };
}

/**
 * Names without what training wrappers and model classes put before them. In the official loop's checkpoints everything
 * lies below `backbone.` or `head.`.
 */
function plainNames(path: string, names: Iterable<string>): Map<string, string> {
  const plain = new Map<string, string>();
  for (const own of names) {
    const name = own
      .replaceAll("_orig_mod.", "")
      .replace(/^module\./, "")
      .replace(/^(backbone|vit|dinov2|dinov2_with_registers)\./, "");
    if (plain.has(name)) {
      throw new CoreError("checkpoint-mismatch", `${path} has two tensors for ${name}: ${plain.get(name)} and ${own}.`);
    }
    plain.set(name, own);
  }
  return plain;
}

/** Finds the heads, and takes what our own files say about the rest. */
async function completeArchitecture(
  path: string,
  layout: Layout,
  source: TensorSource,
  options: CheckpointOptions,
): Promise<Architecture> {
  const { stored } = source;
  if (stored !== undefined) {
    const { positionOffset, positionAntialias } = stored;
    const found = { ...layout.architecture, heads: stored.heads, positionOffset, positionAntialias };
    if ((Object.keys(found) as (keyof Architecture)[]).some((field) => found[field] !== stored[field])) {
      throw new CoreError("checkpoint-mismatch", `The architecture stored in ${path} is not that of its weights.`);
    }
  }
  const claims: HeadsClaim[] = [];
  if (options.heads !== undefined) claims.push({ by: "the option for heads", heads: options.heads });
  if (stored !== undefined) claims.push({ by: "the file", heads: stored.heads });
  claims.push(...(await source.heads(layout)));
  const heads = agreedHeads(path, claims, layout.architecture.width);
  return checkArchitecture({ ...(stored ?? layout.architecture), heads });
}

function agreedHeads(path: string, claims: readonly HeadsClaim[], width: number): number {
  const [first, ...others] = claims;
  if (first === undefined) {
    // All of DINO's and DINOv2's models have 64 features a head.
    if (width % 64 === 0) return width / 64;
    throw new CoreError(
      "heads-unknown",
      `${path} does not say how many attention heads its ${width} features are split into.`,
      {
        hint: "Pass --heads with their number.",
      },
    );
  }
  const other = others.find(({ heads }) => heads !== first.heads);
  if (other !== undefined) {
    throw new CoreError(
      "heads-conflict",
      `${first.by} gives ${first.heads} attention heads for ${path}, ${other.by} gives ${other.heads}.`,
      { hint: "Leave --heads out, or correct the configuration beside the weights." },
    );
  }
  return first.heads;
}

async function assemble({ plan }: Layout, source: TensorSource): Promise<Map<string, WeightTensor>> {
  const tensors = await source.read(plan.flatMap(({ parts }) => parts));
  const weights = new Map<string, WeightTensor>();
  for (const { name, parts, zeroRow } of plan) {
    const pieces = parts.map((part) => tensors.get(part) as WeightTensor);
    for (const part of parts) tensors.delete(part);
    const tensor = pieces.length === 1 ? (pieces[0] as WeightTensor) : stackRows(pieces);
    weights.set(name, zeroRow ? withZeroRow(tensor) : tensor);
  }
  return weights;
}

/** Positions with a row of zeros for CLS before them: adding nothing is right, as its token has its position already. */
function withZeroRow({ shape, data }: WeightTensor): WeightTensor {
  const [, rows, width] = shape as [number, number, number];
  const padded = new Float32Array((rows + 1) * width);
  padded.set(data, width);
  return { shape: [1, rows + 1, width], data: padded };
}
