import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { EngineMethods, ForegroundPicture, ModelFile, PictureOutcome } from "../../core/engine/protocol.ts";
import { areaForModel, decodeForModel, writeModelInput } from "../../core/image/model-input.ts";
import { patchCoverage } from "../../core/masks/pooling.ts";
import { compressRuns, encodeRuns } from "../../core/masks/rle.ts";
import { embeddingGraph } from "../../core/nn/embedding-graph.ts";
import { initialWeights } from "../../core/nn/initial-weights.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats } from "../../core/runtime/runtime.ts";
import { readModelFile, writeModelFile } from "../../core/weights/model-file.ts";
import { drawPicture } from "../helpers/pictures.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { tinyArchitecture } from "../helpers/workplace.ts";

leaveNothingBehind();

const folder = sharedFolder();
const engine = sharedEngine();

type Mask = EngineMethods["embedForegrounds"]["request"]["masks"][number];

/** The tiny model at 32 px: four patches, numbered row by row. Its weights are large, so that patches differ. */
async function tinyModelFile(registers = 0): Promise<ModelFile> {
  const file = join(folder, `tiny-${registers}.safetensors`);
  const architecture = { ...tinyArchitecture, registers };
  const provenance = { source: "random", format: "random", sourceHash: null, notes: {} };
  const weights = new Map(
    [...initialWeights(architecture, 1)].map(([name, { shape, data }]) => {
      return [name, { shape, data: name.includes("norm") ? data : data.map((value) => 8 * value) }];
    }),
  );
  await writeModelFile(file, architecture, weights, provenance);
  return { kind: "vit", file, imageSize: 32 };
}

/**
 * A mask of some patches for a picture of 64 x 64 pixels. Resized to 37 and cut to 32 from pixel 2 on, the model's columns
 * 15 and 16, the last and the first of two patches, have their middles at 30.3 and 32 in the picture.
 */
function maskOf(...patches: readonly number[]): Mask {
  const data = Uint8Array.from({ length: 64 * 64 }, (_, i) => {
    const patch = (Math.floor(i / 64) >= 31 ? 2 : 0) + (i % 64 >= 31 ? 1 : 0);
    return patches.includes(patch) ? 1 : 0;
  });
  return { width: 64, height: 64, runs: compressRuns(encodeRuns({ width: 64, height: 64, data })) };
}

/** CLS and the tokens of the four patches, from a run of the model by itself. */
async function tokensOf(path: string, { file }: ModelFile): Promise<{ cls: number[]; patches: number[][] }> {
  const { architecture, weights } = await readModelFile(file);
  const graph = embeddingGraph(architecture, weights, { height: 32, width: 32, outputs: ["tokens"] });
  const program = await createOrtRuntime("cpu").load(graph);
  const pixels = new Float32Array(3 * 32 * 32);
  writeModelInput(await decodeForModel(path, { resize: 37, crop: 32 }), pixels, 0);
  const { data } = floatOutput(await program.run({ pixels: floats(pixels, [1, 3, 32, 32]) }), "tokens");
  await program.release();
  const token = (at: number): number[] => [...data.subarray(at * 24, (at + 1) * 24)];
  return { cls: token(0), patches: [0, 1, 2, 3].map((patch) => token(1 + architecture.registers + patch)) };
}

function unit(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** What the embedding should be, said plainly. */
function expected(cls: readonly number[], pooled: readonly (readonly number[])[], blend: number): number[] {
  const mean = unit(cls.map((_, i) => pooled.reduce((sum, token) => sum + (token[i] ?? NaN), 0)));
  return unit(unit(cls).map((value, i) => (1 - blend) * value + blend * (mean[i] ?? NaN)));
}

function valueOf(outcome: PictureOutcome<ForegroundPicture> | undefined): ForegroundPicture {
  if (outcome?.ok !== true) throw new Error(JSON.stringify(outcome));
  return outcome.value;
}

async function pictures(count: number): Promise<string[]> {
  const paths = Array.from({ length: count }, (_, i) => join(folder, `${i}.png`));
  await Promise.all(paths.map((path, i) => drawPicture(path, { seed: i + 1, width: 64, height: 64 })));
  return paths;
}

describe("a foreground embedding", () => {
  test.each([0, 2])(
    "blends CLS with the patches inside each picture's own mask, past %i registers",
    async (registers) => {
      const model = await tinyModelFile(registers);
      // Five, so that one is in a run of its own.
      const paths = await pictures(5);
      const masks = [[1], [0, 2], [3], [0, 1, 2], [2, 3]];
      const outcomes = await engine.call("embedForegrounds", {
        model,
        device: "cpu",
        paths,
        resize: 37,
        blend: 0.6,
        masks: masks.map((patches) => maskOf(...patches)),
        head: null,
      });
      for (const [i, path] of paths.entries()) {
        const { cls, patches } = await tokensOf(path, model);
        const inside = (masks[i] ?? []).map((patch) => patches[patch] ?? []);
        const { vector, usable } = valueOf(outcomes[i]);
        expect(usable).toBe(true);
        // Batches of 4 and of 1 may add up in another order: float32 keeps 6e-8 of values below 1.
        expected(cls, inside, 0.6).forEach((value, k) => expect(vector[k]).toBeCloseTo(value, 5));
      }
    },
  );

  test("of a picture without a mask goes by the head, weighing patches by how sure it is", async () => {
    const model = await tinyModelFile();
    const [path = ""] = await pictures(1);
    const { cls, patches } = await tokensOf(path, model);
    // The head asks how far a token reaches in the direction of token 2, and says yes to that one alone.
    const weights = Float32Array.from(patches[2] ?? []);
    const reach = patches.map((token) => token.reduce((sum, value, i) => sum + value * (weights[i] ?? NaN), 0));
    const [best = NaN, second = NaN] = reach.toSorted((a, b) => b - a);
    const ask = (bias: number, mask: Mask = null): Promise<readonly PictureOutcome<ForegroundPicture>[]> =>
      engine.call("embedForegrounds", {
        model,
        device: "cpu",
        paths: [path],
        resize: 37,
        blend: 1,
        masks: [mask],
        head: { weights, bias },
      });
    const one = valueOf((await ask(-(best + second) / 2))[0]);
    expect(one.usable).toBe(true);
    expected(cls, [patches[reach.indexOf(best)] ?? []], 1).forEach((value, i) =>
      expect(one.vector[i]).toBeCloseTo(value, 5),
    );
    // A stored mask goes before the head.
    const masked = valueOf((await ask(-(best + second) / 2, maskOf(0, 1)))[0]);
    expected(cls, patches.slice(0, 2), 1).forEach((value, i) => expect(masked.vector[i]).toBeCloseTo(value, 5));
    // Foreground nowhere, and everywhere: all four patches, and the answer says so.
    for (const bias of [-1e6, 1e6]) {
      const none = valueOf((await ask(bias))[0]);
      expect(none.usable).toBe(false);
      expected(cls, patches, 1).forEach((value, i) => expect(none.vector[i]).toBeCloseTo(value, 5));
    }
  });

  test("takes the whole picture without a mask and without a head, and where the mask is empty", async () => {
    const model = await tinyModelFile();
    const paths = await pictures(2);
    const outcomes = await engine.call("embedForegrounds", {
      model,
      device: "cpu",
      paths,
      resize: 37,
      blend: 0.5,
      masks: [null, maskOf()],
      head: null,
    });
    for (const [i, path] of paths.entries()) {
      const { cls, patches } = await tokensOf(path, model);
      expect(valueOf(outcomes[i]).usable).toBe(false);
      expected(cls, patches, 0.5).forEach((value, k) => expect(valueOf(outcomes[i]).vector[k]).toBeCloseTo(value, 5));
    }
  });

  test("fails for a picture whose stored mask is damaged, and for that one alone; ONNX is refused", async () => {
    const model = await tinyModelFile();
    const paths = await pictures(3);
    const request = { device: "cpu", paths, resize: 37, blend: 0.5, head: null } as const;
    const masks = [maskOf(1), { width: 64, height: 64, runs: "~~~" }, maskOf(2)];
    const outcomes = await engine.call("embedForegrounds", { ...request, model, masks });
    expect(outcomes.map((outcome) => (outcome.ok ? "ok" : outcome.problem.code))).toEqual(["ok", "mask-invalid", "ok"]);
    const foreign = engine.call("embedForegrounds", { ...request, model: { ...model, kind: "onnx" }, masks });
    expect(await refusalOfAsync(() => foreign)).toMatch(/^foreground-unsupported: /);
  });
});

describe("the part of a picture that a model sees", () => {
  // Wide, tall, small and enlarged, of odd sizes, so long that only its middle is decoded, and turned by EXIF.
  test.each([
    { width: 300, height: 200, resize: 73, crop: 64 },
    { width: 151, height: 337, resize: 73, crop: 64 },
    { width: 40, height: 50, resize: 73, crop: 64 },
    { width: 97, height: 97, resize: 64, crop: 64 },
    { width: 1501, height: 120, resize: 73, crop: 64 },
    { width: 100, height: 1700, resize: 73, crop: 64 },
    { width: 300, height: 200, resize: 73, crop: 64, orientation: 6 },
    { width: 200, height: 331, resize: 73, crop: 64, orientation: 3 },
  ])("is where a bright square comes out: %j", async ({ width, height, resize, crop, orientation = 1 }) => {
    // Off the middle, so that a swap of axes or sides shows. In the upright picture, as masks are.
    const side = 0.4 * Math.min(width, height);
    const [left, top] = [Math.round(width / 2 - 0.9 * side), Math.round(height / 2 - 0.3 * side)];
    const inside = (x: number, y: number): boolean => x >= left && x < left + side && y >= top && y < top + side;
    const data = Uint8Array.from({ length: width * height }, (_, i) =>
      inside(i % width, Math.floor(i / width)) ? 1 : 0,
    );
    const upright = sharp(
      data.map((value) => 255 * value),
      { raw: { width, height, channels: 1 } },
    );
    const file = join(folder, `square-${width}-${height}-${orientation}.png`);
    // Stored turned the other way, so that the EXIF orientation turns it upright: 6 by a quarter to the right, 3 by half.
    const turn = { 1: 0, 3: 180, 6: 270 }[orientation] ?? 0;
    await sharp(await upright.rotate(turn).png().toBuffer())
      .withMetadata({ orientation })
      .toFile(file);

    const rgb = await decodeForModel(file, { resize, crop });
    const area = areaForModel({ width, height }, { resize, crop });
    const coverage = patchCoverage(encodeRuns({ width, height, data }), area, crop, { rows: crop, columns: crop });
    let [bright, wrong] = [0, 0];
    coverage.forEach((share, i) => {
      const seen = (rgb[3 * i] ?? 0) > 127;
      if (seen) bright++;
      if (seen !== share >= 0.5) wrong++;
    });
    expect(bright).toBeGreaterThan(100);
    // A pixel whose middle lies on the edge may fall to either side: half of the square's outline at most.
    expect(wrong).toBeLessThanOrEqual(2 * Math.sqrt(bright));
    // Moved by one pixel in any direction, all of one side and the other would be wrong: the bound would notice two.
    const moved = [-2, 2].map((dx) => {
      let count = 0;
      coverage.forEach((_, i) => {
        const other = coverage[i + dx] ?? 0;
        if ((rgb[3 * i] ?? 0) > 127 !== other >= 0.5) count++;
      });
      return count;
    });
    expect(Math.min(...moved)).toBeGreaterThan(wrong);
  });
});
