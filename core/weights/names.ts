/**
 * The names that others give to the same tensors. Ours are those of the official DINO code, which timm shares; Hugging
 * Face has names of its own and keeps query, key and value apart, which the official code stacks in this order.
 */
import { weightShapes, type Architecture, type WeightTensor, type Weights } from "../nn/architecture.ts";
import { CoreError } from "../util/errors.ts";

/** One canonical tensor and what holds its values elsewhere: one tensor, or several whose rows are stacked. */
export interface NamePair {
  readonly name: string;
  readonly parts: readonly string[];
}

/** Hugging Face's families: ViTModel for DINO, Dinov2Model and Dinov2WithRegistersModel for DINOv2. */
export type HuggingFaceFamily = "vit" | "dinov2";

const outerNames: ReadonlyMap<string, string> = new Map([
  ["cls_token", "embeddings.cls_token"],
  ["pos_embed", "embeddings.position_embeddings"],
  ["register_tokens", "embeddings.register_tokens"],
  ["patch_embed.proj", "embeddings.patch_embeddings.projection"],
  ["norm", "layernorm"],
]);

const sharedBlockNames = [["attn.proj", "attention.output.dense"]] as const;

const blockNames: Readonly<Record<HuggingFaceFamily, ReadonlyMap<string, string>>> = {
  vit: new Map([
    ...sharedBlockNames,
    ["norm1", "layernorm_before"],
    ["norm2", "layernorm_after"],
    ["mlp.fc1", "intermediate.dense"],
    ["mlp.fc2", "output.dense"],
  ]),
  dinov2: new Map([
    ...sharedBlockNames,
    ["norm1", "norm1"],
    ["norm2", "norm2"],
    ["mlp.fc1", "mlp.fc1"],
    ["mlp.fc2", "mlp.fc2"],
    ["ls1.gamma", "layer_scale1.lambda1"],
    ["ls2.gamma", "layer_scale2.lambda1"],
  ]),
};

/** Every canonical tensor of an architecture with its Hugging Face names, in the official order. */
export function huggingFaceNames(architecture: Architecture, family: HuggingFaceFamily): NamePair[] {
  return [...weightShapes(architecture).keys()].map((name) => ({ name, parts: huggingFaceParts(name, family) }));
}

function huggingFaceParts(name: string, family: HuggingFaceFamily): string[] {
  const [, layer, kind] = /^(.*)\.(weight|bias)$/.exec(name) ?? [undefined, name, undefined];
  const suffix = kind === undefined ? "" : `.${kind}`;
  const [, index, inner] = /^blocks\.(\d+)\.(.+)$/.exec(layer ?? name) ?? [];
  if (index === undefined || inner === undefined) return [`${found(outerNames, layer ?? name)}${suffix}`];
  const block = `encoder.layer.${index}`;
  if (inner === "attn.qkv") {
    return ["query", "key", "value"].map((part) => `${block}.attention.attention.${part}${suffix}`);
  }
  return [`${block}.${found(blockNames[family], inner)}${suffix}`];
}

function found(names: ReadonlyMap<string, string>, name: string): string {
  const other = names.get(name);
  if (other === undefined)
    throw new CoreError("export-unsupported", `Hugging Face has no name for the tensor ${name}.`);
  return other;
}

/** Equal shares of a tensor's rows, as views. */
export function splitRows({ shape, data }: WeightTensor, count: number): WeightTensor[] {
  const [rows, ...rest] = shape as [number, ...number[]];
  const length = data.length / count;
  return Array.from({ length: count }, (_, part) => ({
    shape: [rows / count, ...rest],
    data: data.subarray(part * length, (part + 1) * length),
  }));
}

/** The rows of several tensors of one shape, one after another. */
export function stackRows(parts: readonly WeightTensor[]): WeightTensor {
  const [first] = parts;
  if (first === undefined) throw new CoreError("internal", "There are no tensors to stack.");
  const [rows, ...rest] = first.shape as [number, ...number[]];
  const data = new Float32Array(parts.length * first.data.length);
  for (const [index, part] of parts.entries()) data.set(part.data, index * first.data.length);
  return { shape: [rows * parts.length, ...rest], data };
}

/**
 * Weights under timm's names. They are the canonical ones but for register models: timm keeps no position for CLS, whose
 * token has it added already, and calls the registers `reg_token`.
 */
export function exportTimm(weights: Weights, architecture: Architecture): Map<string, WeightTensor> {
  if (architecture.registers === 0) return new Map(weights);
  const { width, grid } = architecture;
  const renamed = new Map<string, WeightTensor>();
  const positions = weights.get("pos_embed")?.data ?? new Float32Array(0);
  for (const [name, tensor] of weights) {
    if (name === "cls_token") {
      const data = tensor.data.map((value, feature) => value + (positions[feature] as number));
      renamed.set(name, { shape: tensor.shape, data });
    } else if (name === "pos_embed") {
      renamed.set(name, { shape: [1, grid * grid, width], data: tensor.data.subarray(width) });
    } else {
      renamed.set(name === "register_tokens" ? "reg_token" : name, tensor);
    }
  }
  return renamed;
}

/** Weights for Hugging Face's transformers, with the content of the config.json that belongs beside them. */
export interface HuggingFaceExport {
  readonly tensors: Map<string, WeightTensor>;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Weights under Hugging Face's names. Throws `export-unsupported` for a mixture that none of its models has. */
export function exportHuggingFace(weights: Weights, architecture: Architecture): HuggingFaceExport {
  const { width, registers, layerScale } = architecture;
  if (registers > 0 && !layerScale) {
    throw new CoreError("export-unsupported", "Hugging Face has no model with registers and without layer scale.", {
      hint: "Export in timm's format.",
    });
  }
  const tensors = new Map<string, WeightTensor>();
  for (const { name, parts } of huggingFaceNames(architecture, layerScale ? "dinov2" : "vit")) {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new CoreError("weights-mismatch", `The tensor ${name} is missing.`);
    const pieces = splitRows(tensor, parts.length);
    for (const [index, part] of parts.entries()) tensors.set(part, pieces[index] as WeightTensor);
  }
  // Both models of DINOv2 want one; it is used in training only.
  if (layerScale) tensors.set("embeddings.mask_token", { shape: [1, width], data: new Float32Array(width) });
  return { tensors, config: huggingFaceConfig(architecture) };
}

function huggingFaceConfig(architecture: Architecture): Record<string, unknown> {
  const { width, depth, heads, hidden, patch, grid, registers, layerScale } = architecture;
  const common = {
    hidden_size: width,
    num_hidden_layers: depth,
    num_attention_heads: heads,
    hidden_act: "gelu",
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    layer_norm_eps: 1e-6,
    image_size: grid * patch,
    patch_size: patch,
    num_channels: 3,
    qkv_bias: true,
  };
  if (!layerScale) return { architectures: ["ViTModel"], model_type: "vit", ...common, intermediate_size: hidden };
  const name = registers > 0 ? "Dinov2WithRegistersModel" : "Dinov2Model";
  return {
    architectures: [name],
    model_type: registers > 0 ? "dinov2_with_registers" : "dinov2",
    ...common,
    mlp_ratio: hidden / width,
    use_swiglu_ffn: false,
    ...(registers > 0 ? { num_register_tokens: registers } : {}),
  };
}
