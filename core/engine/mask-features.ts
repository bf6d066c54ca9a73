import { stat } from "node:fs/promises";
import { decodeForMask, decodeWhole, type MaskInput } from "../image/mask-input.ts";
import { writeModelInput } from "../image/model-input.ts";
import { emptyBitmap, type Bitmap, type ScoreGrid } from "../masks/bitmap.ts";
import { coarseForeground } from "../masks/foreground-head.ts";
import { maskOfScores, scorePatches, type PatchFeatures } from "../masks/pipeline.ts";
import { compressRuns, encodeRuns } from "../masks/rle.ts";
import type { Architecture, Weights } from "../nn/architecture.ts";
import { embeddingGraph } from "../nn/embedding-graph.ts";
import type { TransformerOutput } from "../nn/vision-transformer.ts";
import type { MaskRecipe } from "../rpc/records.ts";
import { floatOutput, floats, type Program } from "../runtime/runtime.ts";
import { CoreError, errorFromRecord, errorRecord } from "../util/errors.ts";
import { createRandom } from "../util/random.ts";
import { readModelFile } from "../weights/model-file.ts";
import type { Devices } from "./devices.ts";
import type { EngineMethods, MadeMask, ModelFile, PictureOutcome, WantedDevice } from "./protocol.ts";

/** Pixels that edges are drawn on, at most: 16 megapixels are 48 MB of RGB. Larger pictures get their mask scaled up. */
const guidePixels = 2 ** 24;

/** Most patches that a picture is cut into: TokenCut's graph has their number squared. */
const maxPatches = 4096;

/** Proportions beyond which a picture is stretched: a strip would leave a row of patches without neighbours. */
const maxAspect = 4;

/** Shapes of pictures whose programs are kept: landscape and portrait. Each holds all weights. */
const keptPrograms = 2;

/** Pictures that a person looks at, kept with what the model saw of them. Each may hold 48 MB of pixels. */
const keptLooks = 2;

type Method = "maskPictures" | "maskAttention" | "foregroundSamples" | "previewMask" | "patchFeatures";
type Call<Name extends Method | "readMasks"> = (
  request: EngineMethods[Name]["request"],
) => Promise<EngineMethods[Name]["result"]>;

/** What a picture must be asked for, and where. */
interface Asked {
  readonly model: ModelFile;
  readonly device: WantedDevice;
  readonly size: number;
  readonly outputs: readonly Output[];
}

type Output = Extract<TransformerOutput, "clsAttention" | "keys" | "tokens">;

/** Patches down and across for a picture: about (size / patch)^2 of them, with the picture's proportions. */
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
  const stretch = Math.sqrt(Math.min(maxAspect, Math.max(1 / maxAspect, width / height)));
  return { rows: Math.max(1, Math.round(side / stretch)), columns: Math.max(1, Math.round(side * stretch)) };
}

/** Masks, and what they are made of. Pictures are decoded here and only run lengths and small grids leave the process. */
export function createMasker(devices: Devices): { [Name in Method]: Call<Name> } & { readMasks: Call<"readMasks"> } {
  const models = createPatchModels(devices);
  // Pictures take turns: each may hold 16 megapixels in several forms.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };
  /** Calls `work` for each picture in order, the next one decoding meanwhile. */
  const each = <Value>(
    asked: Asked,
    paths: readonly string[],
    guided: boolean,
    work: (features: PatchFeatures, picture: MaskInput, index: number) => Value,
  ): Promise<PictureOutcome<Value>[]> =>
    inTurn(async () => {
      const { architecture } = await models.weights(asked.model);
      const inputSize = (width: number, height: number): { width: number; height: number } => {
        const { rows, columns } = patchesFor(architecture, asked.size, width, height);
        return { width: columns * architecture.patch, height: rows * architecture.patch };
      };
      // Refused before the first picture is decoded: an error of the request, not of its pictures.
      inputSize(1, 1);
      const decode = (path: string | undefined): Promise<MaskInput> | undefined => {
        if (path === undefined) return undefined;
        const decoded = decodeForMask(path, { inputSize, guidePixels: guided ? guidePixels : 0 });
        decoded.catch(() => {});
        return decoded;
      };
      const results: PictureOutcome<Value>[] = [];
      let next = decode(paths[0]);
      for (let index = 0; next !== undefined; index++) {
        const current = next;
        next = decode(paths[index + 1]);
        let picture: MaskInput;
        try {
          picture = await current;
        } catch (error) {
          results.push({ ok: false, problem: errorRecord(error) });
          continue;
        }
        const features = await models.features(asked, picture.input);
        const finite = features.attention.every(Number.isFinite);
        results.push(finite ? { ok: true, value: work(features, picture, index) } : notFinite);
      }
      return results;
    });

  const looks = new Map<string, { readonly features: PatchFeatures; readonly picture: MaskInput }>();
  /** Everything that a mask can be made of, for one picture: computed once, while someone tries ways to make it. */
  const lookAt = async (
    model: ModelFile,
    device: WantedDevice,
    path: string,
    size: number,
  ): Promise<{ readonly features: PatchFeatures; readonly picture: MaskInput }> => {
    const file = await stat(path).catch(() => null);
    const key = JSON.stringify([model.file, device, path, size, file?.size, file?.mtimeMs]);
    let look = looks.get(key);
    if (look === undefined) {
      const asked: Asked = { model, device, size, outputs: ["clsAttention", "keys", "tokens"] };
      const [outcome] = await each(asked, [path], true, (features, picture) => ({ features, picture }));
      if (outcome?.ok !== true) throw errorFromRecord(outcome?.problem ?? { code: "internal", message: "No answer." });
      look = outcome.value;
    }
    looks.delete(key);
    looks.set(key, look);
    const [oldest] = looks.keys();
    if (looks.size > keptLooks && oldest !== undefined) looks.delete(oldest);
    return look;
  };

  return {
    previewMask: async ({ model, device, path, size, recipe, head }) => {
      const { features, picture } = await lookAt(model, device, path, size);
      const { width, height } = picture;
      return { width, height, ...makeMask(scorePatches(features, recipe, head), recipe, picture) };
    },
    patchFeatures: async ({ model, device, path, size, what }) => {
      const { features } = await lookAt(model, device, path, size);
      const { rows, columns, heads, attention, tokens } = features;
      if (what === "attention") return { rows, columns, depth: heads, values: attention };
      const values = Float32Array.from(tokens ?? []);
      const depth = values.length / (rows * columns);
      for (let start = 0; start < values.length; start += depth) normalise(values.subarray(start, start + depth));
      return { rows, columns, depth, values };
    },
    maskPictures: ({ model, device, paths, size, recipes, head }) =>
      each(
        { model, device, size, outputs: outputsFor(recipes) },
        paths,
        recipes.some(({ refined }) => refined),
        (features, picture) => {
          const grids = new Map<string, ScoreGrid>();
          const masks = recipes.map((recipe): MadeMask => {
            // Refining changes nothing of the scores: they are computed once for both.
            const key = JSON.stringify({ ...recipe, refined: false });
            const grid = grids.get(key) ?? scorePatches(features, recipe, head);
            grids.set(key, grid);
            return makeMask(grid, recipe, picture);
          });
          return { width: picture.width, height: picture.height, masks };
        },
      ),
    maskAttention: ({ model, device, paths, size }) =>
      each({ model, device, size, outputs: ["clsAttention"] }, paths, false, ({ rows, columns, heads, attention }) => ({
        rows,
        columns,
        heads,
        attention,
      })),
    foregroundSamples: ({ model, device, paths, size, patches, seed }) =>
      each({ model, device, size, outputs: ["clsAttention", "keys", "tokens"] }, paths, false, (features, _, index) =>
        samplePatches(features, patches, seed + index),
      ),
    readMasks: ({ paths }) =>
      inTurn(async () => {
        const results: PictureOutcome<{ width: number; height: number; runs: string }>[] = [];
        for (const path of paths) {
          try {
            const mask = await readMask(path);
            results.push({
              ok: true,
              value: { width: mask.width, height: mask.height, runs: compressRuns(encodeRuns(mask)) },
            });
          } catch (error) {
            results.push({ ok: false, problem: errorRecord(error) });
          }
        }
        return results;
      }),
  };
}

function makeMask(grid: ScoreGrid, recipe: MaskRecipe, picture: MaskInput): MadeMask {
  const { rows, columns, values } = grid;
  // 127 stays below one half and 128 above it.
  const data = Uint8Array.from(values, (value) => (value >= 0.5 ? Math.ceil : Math.floor)(255 * value));
  return { runs: compressRuns(maskOfScores(grid, recipe, picture)), score: { rows, columns, data } };
}

/** Makes a vector one of length 1, in place. */
function normalise(vector: Float32Array): void {
  const length = Math.hypot(...vector);
  if (length > 0) vector.forEach((value, i) => (vector[i] = value / length));
}

const notFinite = {
  ok: false,
  problem: { code: "attention-not-finite", message: "The model gave no usable attention for this picture." },
} as const;

function outputsFor(recipes: readonly MaskRecipe[]): readonly Output[] {
  const uses = (method: MaskRecipe["method"]): boolean => recipes.some((recipe) => recipe.method === method);
  return [
    "clsAttention",
    ...(uses("tokencut") ? (["keys"] as const) : []),
    ...(uses("foreground") ? (["tokens"] as const) : []),
  ];
}

/** Tokens of some patches, chosen at random, with the rough foreground of their picture. */
function samplePatches(
  { heads, attention, keys, tokens, rows, columns }: PatchFeatures,
  count: number,
  seed: number,
): { tokens: Float32Array; targets: Uint8Array } {
  if (keys === null || tokens === null) throw new CoreError("internal", "Samples need keys and tokens.");
  const coarse = coarseForeground(attention, keys, heads);
  const width = tokens.length / (rows * columns);
  const chosen = createRandom(seed).shuffled(Array.from(coarse.keys())).slice(0, count);
  const sampled = new Float32Array(chosen.length * width);
  chosen.forEach((patch, i) => sampled.set(tokens.subarray(patch * width, (patch + 1) * width), i * width));
  return { tokens: sampled, targets: Uint8Array.from(chosen, (patch) => coarse[patch] ?? 0) };
}

/** A mask that came as a picture: foreground is where its red is above one half. */
async function readMask(path: string): Promise<Bitmap> {
  const { width, height, data } = await decodeWhole(path);
  const mask = emptyBitmap(width, height);
  for (let i = 0; i < mask.data.length; i++) mask.data[i] = (data[3 * i] ?? 0) > 127 ? 1 : 0;
  return mask;
}

interface PatchModels {
  weights(file: ModelFile): Promise<{ architecture: Architecture; weights: Weights }>;
  features(asked: Asked, input: MaskInput["input"]): Promise<PatchFeatures>;
}

/** Keeps the weights used last and the programs for a few shapes of pictures. */
function createPatchModels(devices: Devices): PatchModels {
  let read: { file: string; content: ReturnType<typeof readModelFile> } | undefined;
  const programs = new Map<string, Program>();
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
    let program = programs.get(key);
    if (program === undefined) {
      const { architecture, weights: values } = await weights(asked.model);
      const graph = embeddingGraph(architecture, values, { height, width, outputs: asked.outputs, batch: 1 });
      program = await (await devices.runtime(asked.device)).load(graph);
    }
    // A map lists keys in the order they were set: the first is the one not used for longest.
    programs.delete(key);
    programs.set(key, program);
    const [oldest] = programs;
    if (programs.size > keptPrograms && oldest !== undefined) {
      programs.delete(oldest[0]);
      await oldest[1].release();
    }
    return program;
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
      const wanted = (name: Output): Float32Array | null =>
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
