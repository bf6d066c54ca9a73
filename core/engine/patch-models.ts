/** What transformers say of the patches of whole pictures, of any proportions. */
import { writeModelInput } from "../image/model-input.ts";
import type { MaskInput } from "../image/mask-input.ts";
import type { PatchFeatures } from "../masks/pipeline.ts";
import type { Architecture, Weights } from "../nn/architecture.ts";
import { embeddingGraph } from "../nn/embedding-graph.ts";
import type { TransformerOutput } from "../nn/vision-transformer.ts";
import { floatOutput, floats, type Program } from "../runtime/runtime.ts";
import { CoreError } from "../util/errors.ts";
import { readModelFile } from "../weights/model-file.ts";
import type { Devices } from "./devices.ts";
import type { ModelFile, WantedDevice } from "./protocol.ts";

/** Most patches that a picture is cut into: TokenCut's graph has their number squared. */
const maxPatches = 4096;

/**
 * Proportions that pictures are looked at in, longer by shorter side: those of cameras, screens and their crops. Each needs
 * a program, and loading one takes longer than running it, so pictures are stretched to the nearest: by an eighth at most
 * up to 2 : 1. Beyond the last a strip would leave a row of patches without neighbours.
 */
const proportions = [1, 1.25, 4 / 3, 1.5, 16 / 9, 2, 2.8, 4];

/**
 * Weights inside the programs that are kept, in bytes, and how many are kept whatever they hold. A program takes about
 * twice its weights: onnxruntime lays them out once more for its products.
 */
const keptBytes = 2 ** 29;
const leastPrograms = 2;

export type PatchOutput = Extract<TransformerOutput, "clsAttention" | "keys" | "tokens">;

/** What a picture must be asked for, and where. */
export interface Asked {
  readonly model: ModelFile;
  readonly device: WantedDevice;
  readonly size: number;
  readonly outputs: readonly PatchOutput[];
}

export interface PatchModels {
  weights(file: ModelFile): Promise<{ architecture: Architecture; weights: Weights }>;
  features(asked: Asked, input: MaskInput["input"]): Promise<PatchFeatures>;
}

/** Patches down and across for a picture: about (size / patch)^2 of them, with the picture's proportions or nearly. */
export function patchesFor(
  { patch }: Pick<Architecture, "patch">,
  size: number,
  width: number,
  height: number,
): { rows: number; columns: number } {
  const side = size / patch;
  if (side < 1 || side * side > maxPatches) {
    throw new CoreError(
      "option-invalid",
      `Masks at ${size} pixels would have ${Math.round(side * side)} patches of ${patch}; 1 to ${maxPatches} are possible.`,
      { hint: `Choose a size from ${patch} to ${patch * Math.sqrt(maxPatches)}.` },
    );
  }
  const stretch = Math.sqrt(nearestProportion(Math.max(width, height) / Math.min(width, height)));
  const along = Math.max(1, Math.round(side * stretch));
  const beside = Math.max(1, Math.round(side / stretch));
  return width >= height ? { rows: beside, columns: along } : { rows: along, columns: beside };
}

function nearestProportion(aspect: number): number {
  const distance = (proportion: number): number => Math.abs(Math.log(proportion / aspect));
  return proportions.reduce((best, next) => (distance(next) < distance(best) ? next : best));
}

/** Keeps the weights used last and the programs for the shapes of pictures. */
export function createPatchModels(devices: Devices): PatchModels {
  let read: { file: string; content: ReturnType<typeof readModelFile> } | undefined;
  const programs = new Map<string, { readonly program: Program; readonly bytes: number }>();
  const weights: PatchModels["weights"] = async ({ kind, file }) => {
    if (kind === "onnx") {
      throw new CoreError(
        "masks-unsupported",
        "Masks need a model whose weights Dinoscope knows; this one came as ONNX.",
        {
          hint: "Import the checkpoint itself (`dinoscope models import FILE.pth`).",
        },
      );
    }
    if (read?.file !== file) read = { file, content: readModelFile(file) };
    try {
      return await read.content;
    } catch (error) {
      read = undefined;
      throw error;
    }
  };
  const programFor = async (asked: Asked, height: number, width: number): Promise<Program> => {
    const key = JSON.stringify([asked.model.file, asked.device, height, width, asked.outputs]);
    let kept = programs.get(key);
    if (kept === undefined) {
      const { architecture, weights: values } = await weights(asked.model);
      const graph = embeddingGraph(architecture, values, { height, width, outputs: asked.outputs, batch: 1 });
      const program = await (await devices.runtime(asked.device)).load(graph);
      kept = { program, bytes: [...values.values()].reduce((sum, { data }) => sum + data.byteLength, 0) };
    }
    // A map lists keys in the order they were set: the first is the one not used for longest.
    programs.delete(key);
    programs.set(key, kept);
    let bytes = [...programs.values()].reduce((sum, one) => sum + one.bytes, 0);
    for (const [oldest, old] of programs) {
      if (bytes <= keptBytes || programs.size <= leastPrograms) break;
      programs.delete(oldest);
      bytes -= old.bytes;
      await old.program.release();
    }
    return kept.program;
  };
  return {
    weights,
    features: async (asked, { data, width, height }) => {
      const { architecture } = await weights(asked.model);
      const { patch, heads, registers, width: features } = architecture;
      const program = await programFor(asked, height, width);
      const pixels = new Float32Array(3 * height * width);
      writeModelInput(data, pixels, 0);
      const outputs = await program.run({ pixels: floats(pixels, [1, 3, height, width]) });
      const wanted = (name: PatchOutput): Float32Array | null =>
        asked.outputs.includes(name) ? floatOutput(outputs, name).data : null;
      return {
        rows: height / patch,
        columns: width / patch,
        heads,
        attention: floatOutput(outputs, "clsAttention").data,
        keys: wanted("keys"),
        // CLS and registers stand before the patches.
        tokens: wanted("tokens")?.subarray((1 + registers) * features) ?? null,
      };
    },
  };
}
