/** A picture that somebody looks at: ways to make its mask are tried without asking the model again. */
import { stat } from "node:fs/promises";
import { decodeForMask } from "../image/mask-input.ts";
import type { ScoreGrid } from "../masks/bitmap.ts";
import { maskOfScores, prepareEdges, scorePatches, type EdgeGuide, type PatchFeatures } from "../masks/pipeline.ts";
import { compressRuns, type RunLengths } from "../masks/rle.ts";
import type { Picture } from "../masks/resample.ts";
import { errorFromRecord } from "../util/errors.ts";
import type { Asked } from "./patch-models.ts";
import type { EngineMethods, MadeMask, ModelFile, PictureOutcome, WantedDevice } from "./protocol.ts";

/** Pixels of a mask that is drawn while a slider moves, and of one that is kept. */
const guidePixels = { live: 2 ** 18, full: 2 ** 24 } as const;

/** Bytes of features that are kept; the picture in view and its neighbours, at 2 to 20 MB each. */
const keptBytes = 2 ** 27;

/** Small pictures for edges that are kept, with what the filter knows of them: 15 MB each. */
const keptGuides = 3;

/** What the model saw of a picture of this size. */
interface Look {
  readonly features: PatchFeatures;
  readonly width: number;
  readonly height: number;
  /** Scores that take long to make, by method and parts. */
  readonly grids: Map<string, ScoreGrid>;
}

interface Guide {
  readonly picture: Picture;
  readonly edges: EdgeGuide;
}

type Ask = (asked: Asked, path: string) => Promise<PictureOutcome<Omit<Look, "grids">>>;
type Call<Name extends "previewMask" | "patchFeatures"> = (
  request: EngineMethods[Name]["request"],
) => Promise<EngineMethods[Name]["result"]>;

/** Answers for one picture at a time; `ask` runs the model on it. */
export function createPictureLooks(ask: Ask): {
  readonly previewMask: Call<"previewMask">;
  readonly patchFeatures: Call<"patchFeatures">;
} {
  const looks = new Map<string, Look>();
  const guides = new Map<string, Guide>();

  const lookAt = async (model: ModelFile, device: WantedDevice, path: string, size: number): Promise<Look> => {
    const key = JSON.stringify([model.file, device, size, await fileKey(path)]);
    let look = looks.get(key);
    if (look === undefined) {
      const outcome = await ask({ model, device, size, outputs: ["clsAttention", "keys", "tokens"] }, path);
      if (!outcome.ok) throw errorFromRecord(outcome.problem);
      look = { ...outcome.value, grids: new Map() };
    }
    looks.delete(key);
    looks.set(key, look);
    let bytes = [...looks.values()].reduce((sum, one) => sum + bytesOf(one), 0);
    for (const [oldest, old] of looks) {
      if (bytes <= keptBytes || oldest === key) break;
      looks.delete(oldest);
      bytes -= bytesOf(old);
    }
    return look;
  };

  const guideOf = async (path: string, columns: number): Promise<Guide> => {
    const key = JSON.stringify([columns, await fileKey(path)]);
    let guide = guides.get(key);
    if (guide === undefined) {
      const picture = await decodeGuide(path, guidePixels.live);
      guide = { picture, edges: prepareEdges(picture, columns) };
    }
    guides.delete(key);
    guides.set(key, guide);
    const [oldest] = guides.keys();
    if (guides.size > keptGuides && oldest !== undefined) guides.delete(oldest);
    return guide;
  };

  return {
    previewMask: async ({ model, device, path, size, recipe, head, detail }) => {
      const look = await lookAt(model, device, path, size);
      const { features, grids } = look;
      const key = recipe.method === "tokencut" ? recipe.components : null;
      const grid = (key === null ? undefined : grids.get(key)) ?? scorePatches(features, recipe, head);
      if (key !== null) grids.set(key, grid);
      if (detail === "full") {
        const guide = recipe.refined ? await decodeGuide(path, guidePixels.full) : null;
        const { width, height } = look;
        return { width, height, ...madeMask(grid, maskOfScores(grid, recipe, { width, height, guide })) };
      }
      if (!recipe.refined) {
        const scale = Math.min(1, Math.sqrt(guidePixels.live / (look.width * look.height)));
        const width = Math.max(1, Math.round(look.width * scale));
        const height = Math.max(1, Math.round(look.height * scale));
        return { width, height, ...madeMask(grid, maskOfScores(grid, recipe, { width, height, guide: null })) };
      }
      const { picture, edges } = await guideOf(path, features.columns);
      const { width, height } = picture;
      const runs = maskOfScores(grid, recipe, { width, height, guide: picture, edges });
      return { width, height, ...madeMask(grid, runs) };
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
  };
}

/** Run lengths with the scores behind them, a byte a patch. */
export function madeMask({ rows, columns, values }: ScoreGrid, runs: RunLengths): MadeMask {
  // 127 stays below one half and 128 above it.
  const data = Uint8Array.from(values, (value) => (value >= 0.5 ? Math.ceil : Math.floor)(255 * value));
  return { runs: compressRuns(runs), score: { rows, columns, data } };
}

async function decodeGuide(path: string, pixels: number): Promise<Picture> {
  const { guide, input } = await decodeForMask(path, {
    inputSize: () => ({ width: 1, height: 1 }),
    guidePixels: pixels,
  });
  return guide ?? input;
}

/** Path, size and time: another of any of them is another picture. */
async function fileKey(path: string): Promise<readonly [string, number | undefined, number | undefined]> {
  const file = await stat(path).catch(() => null);
  return [path, file?.size, file?.mtimeMs];
}

function bytesOf({ features: { attention, keys, tokens } }: Look): number {
  return attention.byteLength + (keys?.byteLength ?? 0) + (tokens?.byteLength ?? 0);
}

/** Makes a vector one of length 1, in place. */
function normalise(vector: Float32Array): void {
  const length = Math.hypot(...vector);
  if (length > 0) vector.forEach((value, i) => (vector[i] = value / length));
}
