import { decodeForMask, decodeWhole, type MaskInput } from "../image/mask-input.ts";
import { emptyBitmap, type Bitmap, type ScoreGrid } from "../masks/bitmap.ts";
import { coarseForeground } from "../masks/foreground-head.ts";
import { maskOfScores, scorePatches, type PatchFeatures } from "../masks/pipeline.ts";
import { compressRuns, encodeRuns } from "../masks/rle.ts";
import type { MaskRecipe } from "../rpc/records.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { createRandom } from "../util/random.ts";
import type { Devices } from "./devices.ts";
import { createPatchModels, patchesFor, type Asked, type PatchOutput } from "./patch-models.ts";
import { createPictureLooks, madeMask } from "./picture-looks.ts";
import type { EngineMethods, MadeMask, PictureOutcome } from "./protocol.ts";

/** Pixels that edges are drawn on, at most: 16 megapixels are 48 MB of RGB. Larger pictures get their mask scaled up. */
const guidePixels = 2 ** 24;

type Method = "maskPictures" | "maskAttention" | "foregroundSamples" | "previewMask" | "patchFeatures";
type Call<Name extends Method | "readMasks"> = (
  request: EngineMethods[Name]["request"],
) => Promise<EngineMethods[Name]["result"]>;

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

  const looks = createPictureLooks(async (asked, path) => {
    const [outcome] = await each(asked, [path], false, (features, { width, height }) => ({ features, width, height }));
    return outcome ?? notFinite;
  });

  return {
    ...looks,
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
            return madeMask(grid, maskOfScores(grid, recipe, picture));
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

const notFinite = {
  ok: false,
  problem: { code: "attention-not-finite", message: "The model gave no usable attention for this picture." },
} as const;

function outputsFor(recipes: readonly MaskRecipe[]): readonly PatchOutput[] {
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
