import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { Architecture, Weights } from "../../core/nn/architecture.ts";
import { CoreError } from "../../core/util/errors.ts";
import { readCheckpoint } from "../../core/weights/checkpoint.ts";
import { exportWeights } from "../../core/weights/export.ts";
import { readSafetensorsHeader } from "../../core/weights/safetensors.ts";
import { referenceFile, referenceHeads } from "../helpers/reference.ts";
import { randomWeights, smallArchitecture, temporaryFolder } from "./writers.ts";

const architectures: Record<string, Architecture> = {
  DINO: smallArchitecture(),
  "DINO trained with exact positions": smallArchitecture({ positionOffset: 0 }),
  DINOv2: smallArchitecture({ layerScale: true, hidden: 24 }),
  "DINOv2 with registers": smallArchitecture({
    layerScale: true,
    registers: 4,
    positionOffset: 0,
    positionAntialias: true,
  }),
};

/** Weights whose CLS has no position of its own, as timm stores register models. */
function withoutClsPosition(weights: Weights, { width }: Architecture): Weights {
  weights.get("pos_embed")?.data.fill(0, 0, width);
  return weights;
}

describe("round trips are exact in float32", () => {
  test.each(Object.entries(architectures))("%s through Hugging Face's format", async (_, architecture) => {
    const weights = randomWeights(architecture);
    const folder = path.join(temporaryFolder(), "exported");
    await exportWeights(weights, architecture, folder, "huggingface");
    const read = await readCheckpoint(path.join(folder, "model.safetensors"));
    expect(read.architecture).toEqual(architecture);
    expect(read.weights).toEqual(weights);
  });

  test.each(Object.entries(architectures))("%s through timm's format", async (_, architecture) => {
    const random = randomWeights(architecture);
    const weights = architecture.registers > 0 ? withoutClsPosition(random, architecture) : random;
    const file = path.join(temporaryFolder(), "timm.safetensors");
    await exportWeights(weights, architecture, file, "timm");
    const read = await readCheckpoint(file);
    expect(read.architecture).toEqual(architecture);
    expect(read.weights).toEqual(weights);
    expect(read.provenance.format).toBe("dinoscope");
  });

  test("the official backbone exported to Hugging Face's format has the official file's names, shapes and settings", async () => {
    const { weights, architecture } = await readCheckpoint(referenceFile("backbone.pth"), { heads: referenceHeads() });
    const folder = temporaryFolder();
    await exportWeights(weights, architecture, folder, "huggingface");
    const shapes = async (file: string): Promise<[string, readonly number[]][]> =>
      [...(await readSafetensorsHeader(file)).tensors].map(([name, { shape }]): [string, readonly number[]] => [
        name,
        shape,
      ]);
    const ours = await shapes(path.join(folder, "model.safetensors"));
    const theirs = await shapes(referenceFile("huggingface.safetensors"));
    expect(ours.toSorted()).toEqual(theirs.toSorted());
    const config = (file: string): Record<string, unknown> =>
      JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    expect(config(path.join(folder, "config.json"))).toMatchObject(config(referenceFile("huggingface.config.json")));
  });
});

test("timm's register models get the position of CLS added to its token, and nothing is lost", async () => {
  const architecture = architectures["DINOv2 with registers"] ?? smallArchitecture();
  const weights = randomWeights(architecture);
  const file = path.join(temporaryFolder(), "timm.safetensors");
  await exportWeights(weights, architecture, file, "timm");
  const names = (await readSafetensorsHeader(file)).tensors;
  expect(names.get("reg_token")?.shape).toEqual([1, 4, 12]);
  expect(names.get("pos_embed")?.shape).toEqual([1, 9, 12]);
  const read = await readCheckpoint(file);
  const positions = weights.get("pos_embed")?.data ?? [];
  const sum = Float32Array.from(weights.get("cls_token")?.data ?? [], (value, i) => value + (positions[i] as number));
  expect(read.weights.get("cls_token")?.data).toEqual(sum);
  expect(read.weights.get("pos_embed")?.data.subarray(12)).toEqual(weights.get("pos_embed")?.data.subarray(12));
});

test("float16 halves the file and stays within its rounding", async () => {
  const architecture = smallArchitecture();
  const weights = randomWeights(architecture);
  const folder = temporaryFolder();
  const [full] = await exportWeights(weights, architecture, path.join(folder, "full"), "timm");
  const [half] = await exportWeights(weights, architecture, path.join(folder, "half"), "timm", { dtype: "F16" });
  expect((half?.byteSize ?? 0) / (full?.byteSize ?? 1)).toBeLessThan(0.6);
  const read = await readCheckpoint(path.join(folder, "half"));
  for (const [name, { data }] of weights) {
    const error = data.reduce(
      (worst, value, i) => Math.max(worst, Math.abs(value - (read.weights.get(name)?.data[i] ?? NaN))),
      0,
    );
    // Half a step of float16 for values below 8, which no draw of these normal weights reaches.
    expect(error, name).toBeLessThan(2 ** -9);
  }
});

test("what no Hugging Face model can hold, and weights of another architecture, are refused", async () => {
  const architecture = smallArchitecture({ registers: 2 });
  const weights = randomWeights(architecture);
  const folder = temporaryFolder();
  const code = async (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => "no error",
      (error: unknown) => (error instanceof CoreError ? error.code : error),
    );
  expect(await code(exportWeights(weights, architecture, folder, "huggingface"))).toBe("export-unsupported");
  expect(await code(exportWeights(weights, smallArchitecture(), path.join(folder, "x"), "timm"))).toBe(
    "weights-mismatch",
  );
});
