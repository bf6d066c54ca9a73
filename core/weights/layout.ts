/**
 * Recognises a vision transformer by the names and shapes of its tensors, before any of them is read: which family named
 * them, its architecture but for the heads, and which of them make up each canonical tensor.
 */
import { weightShapes, type Architecture } from "../nn/architecture.ts";
import { CoreError } from "../util/errors.ts";
import { huggingFaceNames, type NamePair } from "./names.ts";
import { sameShape, shapeText } from "./numbers.ts";
import { checkArchitecture } from "./verify.ts";

/** Names and shapes of what a file holds. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** How one canonical tensor is put together. */
export interface TensorPlan extends NamePair {
  /** Put a row of zeros before the values: positions that were stored without one for CLS. */
  readonly zeroRow: boolean;
}

/** A recognised backbone. */
export interface Layout {
  readonly family: "timm" | "huggingface";
  /** An architecture whose `heads` are still to be found; 1 stands in, as no shape depends on it. */
  readonly architecture: Architecture;
  readonly plan: readonly TensorPlan[];
  /** Tensors that are no part of a backbone: heads, poolers, mask tokens. */
  readonly leftOut: readonly string[];
}

/** The names by which the families differ, of the tensors that tell an architecture. */
interface FamilyNames {
  readonly family: Layout["family"];
  readonly cls: string;
  readonly positions: string;
  readonly patches: string;
  readonly registers: readonly string[];
  /** Before the number of a block. */
  readonly block: string;
  readonly fc1: string;
  readonly scale: string;
}

const families: readonly FamilyNames[] = [
  {
    family: "timm",
    cls: "cls_token",
    positions: "pos_embed",
    patches: "patch_embed.proj.weight",
    registers: ["register_tokens", "reg_token"],
    block: "blocks.",
    fc1: "mlp.fc1.weight",
    scale: "ls1.gamma",
  },
  {
    family: "huggingface",
    cls: "embeddings.cls_token",
    positions: "embeddings.position_embeddings",
    patches: "embeddings.patch_embeddings.projection.weight",
    registers: ["embeddings.register_tokens"],
    block: "encoder.layer.",
    fc1: "intermediate.dense.weight",
    scale: "layer_scale1.lambda1",
  },
];

const leftOutNames =
  /^(head|dino_head|ibot_head|classifier|pooler)\.|^(embeddings\.)?mask_token$|^embeddings\.position_ids$/;

/** Tensors of models that resemble ours and work otherwise, with what to call them. */
const strangers: readonly (readonly [RegExp, string])[] = [
  [
    /(^|\.)(rope_embed|rope_embeddings)\.|(^|\.)storage_tokens$|^(model\.)?layer\.\d+\.attention\.q_proj\./,
    "DINOv3 (rotary positions)",
  ],
  [/\.mlp\.(w12|w3|w1|w2|weights_in|weights_out)\./, "a transformer with SwiGLU layers, such as DINOv2 ViT-g"],
  [/^layer[1-4]\.0\.conv1\./, "a ResNet"],
  [/(^|\.)relative_position_bias_table$/, "a Swin or BEiT transformer"],
  [/(^|\.)distillation_token$|^dist_token$/, "a distilled DeiT"],
  [/^decoder[._]/, "a masked autoencoder"],
];

const unsupported = (where: string, what: string): CoreError =>
  new CoreError("model-unsupported", `${where} holds ${what}, which is not read.`, {
    hint: "Use DINO ViT-Ti, S or B, or DINOv2 ViT-S, B or L; or an ONNX file of the model.",
  });

/**
 * Recognises a backbone among the tensors of `where` (a path or part of a file, for messages). Throws `model-unsupported`
 * for other models and `checkpoint-mismatch` or
 * `architecture-invalid` where tensors are missing, unexpected or of another shape.
 */
export function recogniseLayout(where: string, shapes: Shapes): Layout {
  for (const [pattern, what] of strangers) {
    if ([...shapes.keys()].some((name) => pattern.test(name))) throw unsupported(where, what);
  }
  const names = families.find(({ cls, patches }) => shapes.has(cls) || shapes.has(patches));
  if (names === undefined) {
    const found = [...shapes.keys()].slice(0, 4).map((name) => name.slice(0, 80));
    throw unsupported(where, found.length === 0 ? "no tensors" : `tensors such as ${found.join(", ")}`);
  }
  const { architecture, zeroRow } = architectureOf(where, shapes, names);
  checkArchitecture(architecture);
  const plan = planOf(shapes, names, architecture).map((pair) => ({
    ...pair,
    zeroRow: zeroRow && pair.name === "pos_embed",
  }));
  const leftOut = checkTensors(where, shapes, architecture, plan);
  return { family: names.family, architecture, plan, leftOut };
}

function architectureOf(
  where: string,
  shapes: Shapes,
  names: FamilyNames,
): { architecture: Architecture; zeroRow: boolean } {
  const side = (name: string, axis: number, sides: number): number => {
    const shape = shapes.get(name);
    if (shape === undefined) throw mismatch(where, `The tensor ${name} is missing.`);
    if (shape.length !== sides)
      throw mismatch(where, `${name} has the shape ${shapeText(shape)}, expected ${sides} sides.`);
    return shape[axis] as number;
  };
  const width = side(names.cls, 2, 3);
  const blocks = [...shapes.keys()].flatMap((name) => blockIndex(names, name));
  const first = (inner: readonly string[]): string | undefined =>
    inner.map((name) => `${names.block}0.${name}`).find((name) => shapes.has(name));
  const fc1 = first([names.fc1, "mlp.fc1.weight"]) ?? `${names.block}0.${names.fc1}`;
  const register = names.registers.find((name) => shapes.has(name));
  const layerScale = first([names.scale]) !== undefined;

  // CLS has a position of its own in every format but timm's for register models, where the rows are a whole square.
  const rows = side(names.positions, 1, 3);
  const zeroRow = !isSquare(rows - 1) && isSquare(rows);
  if (!zeroRow && !isSquare(rows - 1)) {
    throw mismatch(where, `${names.positions} has ${rows} rows, expected one for CLS and a square grid.`);
  }
  const registers = register === undefined ? 0 : side(register, 1, 3);
  return {
    zeroRow,
    architecture: {
      width,
      depth: blocks.reduce((depth, index) => Math.max(depth, index + 1), 0),
      heads: 1,
      hidden: side(fc1, 0, 2),
      patch: side(names.patches, 3, 4),
      grid: Math.sqrt(zeroRow ? rows : rows - 1),
      registers,
      layerScale,
      // As in the official code: DINOv2's models with registers are resized by their exact size, all others by 0.1 more.
      positionOffset: registers > 0 ? 0 : 0.1,
      positionAntialias: registers > 0,
    },
  };
}

function blockIndex({ block }: FamilyNames, name: string): number[] {
  if (!name.startsWith(block)) return [];
  const [, digits] = /^(\d{1,4})\./.exec(name.slice(block.length)) ?? [];
  return digits === undefined ? [] : [Number(digits)];
}

const isSquare = (count: number): boolean => count > 0 && Number.isInteger(Math.sqrt(count));

function planOf(shapes: Shapes, { family }: FamilyNames, architecture: Architecture): NamePair[] {
  if (family === "huggingface") return huggingFaceNames(architecture, architecture.layerScale ? "dinov2" : "vit");
  const register = shapes.has("reg_token") ? "reg_token" : "register_tokens";
  return [...weightShapes(architecture).keys()].map((name) => ({
    name,
    parts: [name === "register_tokens" ? register : name],
  }));
}

/** Holds every tensor to its expected shape; returns the names that are left out. */
function checkTensors(
  where: string,
  shapes: Shapes,
  architecture: Architecture,
  plan: readonly TensorPlan[],
): string[] {
  const canonical = weightShapes(architecture);
  const missing: string[] = [];
  const expected = new Set<string>();
  for (const { name, parts, zeroRow } of plan) {
    const [rows, ...rest] = canonical.get(name) as [number, ...number[]];
    const shape = zeroRow ? [1, architecture.grid ** 2, architecture.width] : [rows / parts.length, ...rest];
    for (const part of parts) {
      expected.add(part);
      const found = shapes.get(part);
      if (found === undefined) missing.push(part);
      else if (!sameShape(found, shape)) {
        throw mismatch(where, `${part} has the shape ${shapeText(found)}, expected ${shapeText(shape)}.`);
      }
    }
  }
  const others = [...shapes.keys()].filter((name) => !expected.has(name));
  const unexpected = others.filter((name) => !leftOutNames.test(name));
  if (missing.length > 0 || unexpected.length > 0) {
    const { width, depth } = architecture;
    const total = expected.size;
    throw mismatch(
      where,
      `It looks like a transformer of width ${width} and depth ${depth}, with ${total - missing.length} of its ${total} ` +
        `tensors.${listed("Missing", missing)}${listed("Not part of it", unexpected)}`,
    );
  }
  return others;
}

function listed(title: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const some = names.slice(0, 5).map((name) => name.slice(0, 80));
  return ` ${title}: ${some.join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}.`;
}

function mismatch(where: string, what: string): CoreError {
  return new CoreError("checkpoint-mismatch", `${where} is not a whole vision transformer. ${what}`, {
    hint: "Choose a file with all weights of a DINO or DINOv2 backbone.",
  });
}
