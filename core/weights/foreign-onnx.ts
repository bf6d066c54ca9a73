/** ONNX files that others made: which input takes the picture, which output is the embedding, where the attention is. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { CoreError } from "../util/errors.ts";
import { readOnnxModel, type OnnxModel, type OnnxNode, type OnnxValue } from "./onnx-model.ts";

const float32 = 1;

/** Where a picture goes in. Null stands for any length. */
export interface OnnxImageInput {
  readonly name: string;
  readonly batch: number | null;
  readonly height: number | null;
  readonly width: number | null;
}

/** Where the embedding comes out: `pooled` is [N, D]; of `tokens` [N, T, D] it is token 0, the CLS token. */
export interface OnnxEmbedding {
  readonly output: string;
  readonly kind: "pooled" | "tokens";
  /** D, null where the file does not say. */
  readonly width: number | null;
}

/** What Dinoscope needs to know of a foreign ONNX file. */
export interface OnnxInspection {
  readonly model: OnnxModel;
  readonly image: OnnxImageInput;
  readonly embedding: OnnxEmbedding;
  /**
   * The value that should be the attention of the last block, [N, heads, T, T]; null where none was found. Files often
   * give no shapes inside, so its shape is certain only once it ran.
   */
  readonly attention: string | null;
}

/**
 * Reads the outline of an ONNX file and chooses its picture input, embedding and attention. Throws `onnx-invalid`,
 * `onnx-external-data`, and `onnx-unsupported` where there is no such input or output.
 */
export function inspectOnnx(bytes: Uint8Array): OnnxInspection {
  const model = readOnnxModel(bytes);
  return { model, image: imageInput(model), embedding: embeddingOutput(model), attention: lastAttention(model) };
}

/**
 * The same file with one more output: `valueName`, a value inside its graph. Nothing is encoded anew: of a protocol buffer
 * that is followed by another, the lists add up. Throws `onnx-value-missing`.
 */
export function exposeOutput(bytes: Uint8Array, valueName: string): Uint8Array {
  const { nodes, outputs } = readOnnxModel(bytes);
  if (outputs.some(({ name }) => name === valueName)) return bytes;
  if (!nodes.some((node) => node.outputs.includes(valueName))) {
    throw new CoreError("onnx-value-missing", `No node of this ONNX file computes a value named ${valueName}.`);
  }
  const output = new BinaryWriter().tag(1, WireType.LengthDelimited).string(valueName).finish();
  const graph = new BinaryWriter().tag(12, WireType.LengthDelimited).bytes(output).finish();
  const addition = new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(graph).finish();
  const whole = new Uint8Array(bytes.byteLength + addition.byteLength);
  whole.set(bytes);
  whole.set(addition, bytes.byteLength);
  return whole;
}

const unsupported = (what: string, hint: string): CoreError =>
  new CoreError("onnx-unsupported", `This ONNX file cannot be used: ${what}.`, { hint });

const described = (values: readonly OnnxValue[]): string =>
  values
    .slice(0, 5)
    .map(
      ({ name, dimensions }) =>
        `${name} ${dimensions === null ? "" : `[${dimensions.map((d) => d ?? "?").join(", ")}]`}`,
    )
    .join("; ");

function imageInput({ inputs }: OnnxModel): OnnxImageInput {
  const hint = "Export the image encoder alone, with one input [N, 3, H, W] in float32.";
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) {
    throw unsupported(`it has ${inputs.length} inputs, expected one: ${described(inputs)}`, hint);
  }
  const { name, elementType, dimensions } = input;
  const [batch, channels, height, width] = dimensions ?? [];
  // Some exporters leave every length open; the channels are then 3 on trust, and the first run tells.
  const channelsFit = channels === 3 || typeof channels === "string" || channels === null;
  if (dimensions?.length !== 4 || !channelsFit) {
    throw unsupported(`its input is ${described(inputs)}, expected a picture [N, 3, H, W]`, hint);
  }
  if (elementType !== float32) {
    throw unsupported(`its input ${name} has ONNX's element type ${elementType}, expected 1 (float32)`, hint);
  }
  return { name, batch: fixed(batch), height: fixed(height), width: fixed(width) };
}

const fixed = (dimension: number | string | null | undefined): number | null =>
  typeof dimension === "number" ? dimension : null;

function embeddingOutput({ outputs, nodes }: OnnxModel): OnnxEmbedding {
  const madeBy = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node.operator] as const)));
  const candidates = outputs.flatMap((output): { rank: number; embedding: OnnxEmbedding }[] => {
    const { name, elementType, dimensions } = output;
    if (elementType !== float32 && elementType !== 0) return [];
    const width = fixed(dimensions?.at(-1));
    if (dimensions?.length === 3) return [{ rank: 1, embedding: { output: name, kind: "tokens", width } }];
    if (dimensions?.length !== 2) return [];
    // A vector made by Tanh is the pooler of Hugging Face's ViT, which DINO's weights leave untrained; logits are votes
    // for somebody's classes. Both are worse than the CLS token.
    const rank = madeBy.get(name) === "Tanh" ? 2 : /logits/i.test(name) ? 3 : 0;
    return [{ rank, embedding: { output: name, kind: "pooled", width } }];
  });
  const [best] = candidates.toSorted((one, other) => one.rank - other.rank);
  if (best === undefined) {
    throw unsupported(
      `its outputs are ${described(outputs)}; expected a vector [N, D] or tokens [N, T, D] in float32`,
      "Export the encoder with its features or last hidden state as output.",
    );
  }
  return best.embedding;
}

/** The output of the last Softmax over the last axis that goes, perhaps through a cast, into a product as its left side. */
function lastAttention({ nodes, values, opset }: OnnxModel): string | null {
  const usersOf = new Map<string, OnnxNode[]>();
  for (const node of nodes) {
    for (const name of new Set(node.inputs)) {
      const users = usersOf.get(name);
      if (users === undefined) usersOf.set(name, [node]);
      else users.push(node);
    }
  }
  const entersProduct = (name: string, steps: number): boolean =>
    (usersOf.get(name) ?? []).some(({ operator, inputs, outputs }) => {
      if (operator === "MatMul") return inputs[0] === name;
      const passes = ["Cast", "Identity", "Dropout"].includes(operator) && inputs[0] === name;
      return passes && steps > 0 && outputs[0] !== undefined && entersProduct(outputs[0], steps - 1);
    });
  const softmax = nodes.findLast(({ operator, outputs, axis }) => {
    const [name] = outputs;
    if (operator !== "Softmax" || name === undefined) return false;
    const dimensions = values.get(name)?.dimensions ?? null;
    const [rows, columns] = dimensions?.slice(-2) ?? [];
    if (dimensions !== null && dimensions.length !== 4) return false;
    if (typeof rows === "number" && typeof columns === "number" && rows !== columns) return false;
    // Before opset 13 the default axis is 1.
    const lastAxis = axis === -1 || axis === 3 || (axis === null && opset >= 13);
    return lastAxis && entersProduct(name, 3);
  });
  return softmax?.outputs[0] ?? null;
}
