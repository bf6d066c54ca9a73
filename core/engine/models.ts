import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { createGraph } from "../graph/graph.ts";
import { encodeOnnx } from "../graph/onnx.ts";
import { input } from "../graph/value.ts";
import { namedArchitecture, type Architecture } from "../nn/architecture.ts";
import { constantWeights, embeddingGraph } from "../nn/embedding-graph.ts";
import { initialWeights } from "../nn/initial-weights.ts";
import { patchGrid, visionTransformer } from "../nn/vision-transformer.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { readCheckpoint } from "../weights/checkpoint.ts";
import { exportWeights } from "../weights/export.ts";
import { withFile, writeWhole } from "../weights/files.ts";
import { readModelFile, writeModelFile } from "../weights/model-file.ts";
import { CoreError } from "../util/errors.ts";
import { importForeignModel, openForeignModel } from "./foreign-models.ts";
import type { EngineMethods, ImportedModel, ModelFile } from "./protocol.ts";

/** A model on a device, with the names of what it takes and gives. */
export interface OpenModel {
  readonly program: Program;
  readonly device: string;
  readonly imageSize: number;
  readonly input: string;
  readonly embedding: string;
  /** Null for a model that shows no attention. */
  readonly attention: string | null;
  /** Tokens of the patches, [batch, others + patches, features]; null where nobody asked for them. */
  readonly tokens: string | null;
  readonly patches: { readonly rows: number; readonly columns: number };
  /** Pictures that it takes at once; null for any number. */
  readonly maxBatch: number | null;
}

/** What an embedding is made of: the CLS token with its attention to the patches, or the CLS token and the patches. */
export type View = "whole" | "foreground";

/** Loads a model for embedding, at any number of pictures a run. */
export async function openModel(file: ModelFile, runtime: Runtime, view: View = "whole"): Promise<OpenModel> {
  if (file.kind === "onnx") {
    if (view === "whole") return openForeignModel(file, runtime);
    throw new CoreError(
      "foreground-unsupported",
      "Of a model that came as ONNX, only whole pictures can be embedded.",
      {
        hint: "Import the checkpoint itself (`dinoscope models import FILE.pth`).",
      },
    );
  }
  const { architecture, weights } = await readModelFile(file.file);
  const { imageSize } = file;
  const patches = patchGrid(architecture, imageSize, imageSize);
  const graph = embeddingGraph(architecture, weights, {
    height: imageSize,
    width: imageSize,
    outputs: ["cls", view === "whole" ? "clsAttention" : "tokens"],
  });
  const program = await runtime.load(graph);
  const { device } = runtime;
  return {
    program,
    device,
    imageSize,
    input: "pixels",
    embedding: "cls",
    attention: view === "whole" ? "clsAttention" : null,
    tokens: view === "foreground" ? "tokens" : null,
    patches,
    maxBatch: null,
  };
}

type Method<Name extends keyof EngineMethods> = (
  request: EngineMethods[Name]["request"],
) => Promise<EngineMethods[Name]["result"]>;

/** See `importModel` in protocol.ts. */
export const importModel: Method<"importModel"> = async ({ path, destination, heads, part }) => {
  const start = await firstBytes(path);
  await mkdir(dirname(destination), { recursive: true });
  if (extname(path).toLowerCase() === ".onnx" || startsLikeOnnx(start)) {
    if (heads !== undefined || part !== undefined) {
      throw new CoreError("option-invalid", `${path} is an ONNX file: it has no parts to choose and says its heads.`, {
        hint: "Leave --heads and --part out.",
      });
    }
    return importForeignModel(path, `${destination}.onnx`);
  }
  const checkpoint = await readCheckpoint(path, {
    ...(heads === undefined ? {} : { heads }),
    ...(part === undefined ? {} : { part }),
  });
  const { format, notes } = checkpoint.provenance;
  // Last: a file may be as long as it likes, and one that is refused is not read to its end.
  const provenance = { source: path, format, sourceHash: await hashOf(path), notes };
  const file = `${destination}.safetensors`;
  const { hash } = await writeModelFile(file, checkpoint.architecture, checkpoint.weights, provenance);
  return { file, ...describeModel(checkpoint.architecture, hash, provenance) };
};

/** See `createModel` in protocol.ts. */
export const createModel: Method<"createModel"> = async ({ name, patch, imageSize, seed, destination }) => {
  const architecture = namedArchitecture(name, patch, imageSize);
  await mkdir(dirname(destination), { recursive: true });
  const provenance = { source: "random", format: "random", sourceHash: null, notes: { seed } };
  const file = `${destination}.safetensors`;
  const { hash } = await writeModelFile(file, architecture, initialWeights(architecture, seed), provenance);
  return { file, ...describeModel(architecture, hash, provenance) };
};

/** What is known of a model by its architecture, hash and provenance. */
export function describeModel(
  architecture: Architecture,
  hash: string,
  provenance: ImportedModel["provenance"],
): ImportedModel {
  const imageSize = embeddingSize(architecture);
  return { kind: "vit", hash, architecture, imageSize, width: architecture.width, provenance };
}

/**
 * Size at which a model embeds unless the user says otherwise: what it was trained at, but no more than 224 px, where the
 * published figures are taken; DINOv2 stores 518 px, and 224 is a multiple of its 14 px patches too.
 */
function embeddingSize({ grid, patch }: Architecture): number {
  const native = grid * patch;
  return native > 224 && 224 % patch === 0 ? 224 : native;
}

/** What an ONNX export gives: all tokens after the last norm, attention of the last block, the CLS token by itself. */
const exported = ["cls", "tokens", "attention"] as const;

/** See `exportModel` in protocol.ts. */
export const exportModel: Method<"exportModel"> = async ({ model, format, destination }) => {
  if (model.kind === "onnx") {
    throw new CoreError("export-unsupported", "This model came as ONNX, so its weights have no other form.", {
      hint: `Copy the file itself: ${model.file}`,
    });
  }
  const { architecture, weights, provenance } = await readModelFile(model.file);
  await mkdir(dirname(destination), { recursive: true });
  if (format !== "onnx") {
    return (await exportWeights(weights, architecture, destination, format, { provenance })).map(({ path }) => path);
  }
  const pixels = input("pixel_values", ["batch", 3, model.imageSize, model.imageSize]);
  const { cls, tokens, attention } = visionTransformer(architecture, constantWeights(weights), pixels, exported);
  // The names that Hugging Face's exporters and transformers.js use, and ours for what they do not have.
  const graph = createGraph("vision_transformer", { last_hidden_state: tokens, attention, cls });
  await writeWhole(destination, [
    encodeOnnx(graph, {
      "dinoscope.input": "pixel_values: RGB / 255, minus mean 0.485 0.456 0.406, over 0.229 0.224 0.225",
      "dinoscope.architecture": JSON.stringify(architecture),
      "dinoscope.provenance": JSON.stringify(provenance),
    }),
  ]);
  return [destination];
};

/** The first bytes of a file, which tell its format. Throws `file-unreadable`. */
function firstBytes(path: string): Promise<Uint8Array> {
  return withFile(path, async (file) => {
    const start = new Uint8Array(Math.min(16, file.byteSize));
    await file.read(start, 0);
    return start;
  });
}

/** SHA-256 of a file in hex. Throws `file-unreadable`. */
function hashOf(path: string): Promise<string> {
  return withFile(path, async (file) => {
    const { byteSize } = file;
    const hash = createHash("sha256");
    const buffer = new Uint8Array(2 ** 20);
    for (let position = 0; position < byteSize; position += buffer.length) {
      const chunk = buffer.subarray(0, byteSize - position);
      await file.read(chunk, position);
      hash.update(chunk);
    }
    return hash.digest("hex");
  });
}

/** ONNX begins with the version of its format, field 1 of a protocol buffer; safetensors with JSON after eight bytes. */
function startsLikeOnnx(start: Uint8Array): boolean {
  return start[0] === 0x08 && start[8] !== 0x7b;
}
