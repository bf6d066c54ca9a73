import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { quantizeAttention } from "../../core/engine/embed.ts";
import type { EmbeddedPicture, ModelFile, PictureOutcome } from "../../core/engine/protocol.ts";
import { decodeForModel, writeModelInput } from "../../core/image/model-input.ts";
import { embeddingGraph } from "../../core/nn/embedding-graph.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats } from "../../core/runtime/runtime.ts";
import { createRandom } from "../../core/util/random.ts";
import { readModelFile, writeModelFile } from "../../core/weights/model-file.ts";
import { initialWeights } from "../../core/nn/initial-weights.ts";
import { drawPicture, drawPictures } from "../helpers/pictures.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { largestDifference } from "../helpers/tensors.ts";
import { temporaryEngine, tinyArchitecture } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

async function tinyModelFile(seed = 1): Promise<ModelFile> {
  const file = join(temporaryFolder(), "tiny.safetensors");
  const provenance = { source: "random", format: "random", sourceHash: null, notes: { seed } };
  // Larger than a fresh model's, so that pictures differ in more than the last digits.
  const weights = new Map(
    [...initialWeights(tinyArchitecture, seed)].map(([name, { shape, data }]) => {
      return [name, { shape, data: name.includes("norm") ? data : data.map((value) => 8 * value) }];
    }),
  );
  await writeModelFile(file, tinyArchitecture, weights, provenance);
  return { kind: "vit", file, imageSize: 32 };
}

function valueOf(outcome: PictureOutcome<EmbeddedPicture> | undefined): EmbeddedPicture {
  if (outcome?.ok !== true) throw new Error(JSON.stringify(outcome));
  return outcome.value;
}

/** One picture by itself, in this process, with the model's outputs as they are. */
async function direct(
  path: string,
  { file, imageSize }: ModelFile,
  resize: number,
): Promise<{ cls: Float32Array; attention: Float32Array }> {
  const { architecture, weights } = await readModelFile(file);
  const graph = embeddingGraph(architecture, weights, {
    height: imageSize,
    width: imageSize,
    outputs: ["cls", "clsAttention"],
  });
  const program = await createOrtRuntime("cpu").load(graph);
  const pixels = new Float32Array(3 * imageSize * imageSize);
  writeModelInput(await decodeForModel(path, { resize, crop: imageSize }), pixels, 0);
  const outputs = await program.run({ pixels: floats(pixels, [1, 3, imageSize, imageSize]) });
  await program.release();
  return { cls: floatOutput(outputs, "cls").data, attention: floatOutput(outputs, "clsAttention").data };
}

describe("embedding in the engine", () => {
  test("gives what the model gives in one run of its own, at length 1, with attention to half a step", async () => {
    const engine = temporaryEngine();
    const folder = temporaryFolder();
    const names = await drawPictures(folder, 7, { seed: 3, width: 50, height: 61 });
    const paths = names.map((name) => join(folder, name));
    const model = await tinyModelFile();
    const outcomes = await engine.call("embedPictures", { model, device: "cpu", paths, resize: 37 });
    expect(outcomes).toHaveLength(7);
    for (const [i, path] of paths.entries()) {
      const { vector, attention } = valueOf(outcomes[i]);
      const { cls, attention: exact } = await direct(path, model, 37);
      const length = Math.hypot(...cls);
      // Batches of 4 and of 1 may add up in another order: float32 keeps 6e-8 of values below 1.
      expect(
        largestDifference(
          vector,
          cls.map((value) => value / length),
        ),
      ).toBeLessThan(1e-6);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 6);

      expect(attention).toMatchObject({ heads: 3, rows: 2, columns: 2 });
      const { scales, data } = attention ?? { scales: new Float32Array(0), data: new Uint8Array(0) };
      expect(exact).toHaveLength(12);
      for (const [at, byte] of data.entries()) {
        const scale = scales[Math.floor(at / 4)] ?? NaN;
        // Half a step is the rounding; the rest is float32's, as above.
        expect(Math.abs(byte * scale - (exact[at] ?? NaN))).toBeLessThanOrEqual(scale / 2 + 1e-6);
      }
    }
    // Seven pictures, seven embeddings: none stands in for another.
    const similar = (a: number, b: number): number => {
      const [one, other] = [valueOf(outcomes[a]).vector, valueOf(outcomes[b]).vector];
      return one.reduce((sum, value, i) => sum + value * (other[i] ?? 0), 0);
    };
    expect(similar(0, 1)).toBeLessThan(1 - 1e-5);
    expect(similar(5, 6)).toBeLessThan(1 - 1e-5);
  });

  test("puts the reason in the place of a picture that cannot be read, and goes on", async () => {
    const engine = temporaryEngine();
    const folder = temporaryFolder();
    await drawPicture(join(folder, "good.png"), { seed: 1 });
    writeFileSync(join(folder, "bad.jpg"), "no picture");
    const model = await tinyModelFile();
    const names = ["gone.jpg", "good.png", "bad.jpg", "good.png", "bad.jpg"];
    const paths = names.map((name) => join(folder, name));
    const outcomes = await engine.call("embedPictures", { model, device: "cpu", paths, resize: 37 });
    expect(outcomes.map((outcome) => (outcome.ok ? "ok" : outcome.problem.code))).toEqual([
      "enoent",
      "ok",
      "picture-format",
      "ok",
      "picture-format",
    ]);
    expect(largestDifference(valueOf(outcomes[1]).vector, valueOf(outcomes[3]).vector)).toBe(0);
    expect(await engine.call("embedPictures", { model, device: "cpu", paths: [], resize: 37 })).toEqual([]);
  });

  test("takes requests that overlap, for one model and for another, each with its own answers", async () => {
    const engine = temporaryEngine();
    const folder = temporaryFolder();
    const names = await drawPictures(folder, 6, { seed: 4 });
    const paths = names.map((name) => join(folder, name));
    const [first, second] = [await tinyModelFile(1), await tinyModelFile(2)];
    const ask = async (model: ModelFile): Promise<Float32Array[]> => {
      const outcomes = await engine.call("embedPictures", { model, device: "cpu", paths, resize: 37 });
      return outcomes.map((outcome) => valueOf(outcome).vector);
    };
    const alone = [await ask(first), await ask(second)];
    const together = await Promise.all([ask(first), ask(second), ask(first), ask(second)]);
    together.forEach((vectors, i) => expect(vectors).toEqual(alone[i % 2]));
    expect(alone[0]).not.toEqual(alone[1]);
  });

  test("says what is wrong with a model file, and works again with a good one", async () => {
    const engine = temporaryEngine();
    const folder = temporaryFolder();
    await drawPicture(join(folder, "good.png"), { seed: 1 });
    const paths = [join(folder, "good.png")];
    const torn: ModelFile = { kind: "vit", file: join(folder, "torn.safetensors"), imageSize: 32 };
    writeFileSync(torn.file, "torn");
    const ask = (model: ModelFile): Promise<unknown> =>
      engine.call("embedPictures", { model, device: "cpu", paths, resize: 37 });
    expect(await refusalOfAsync(() => ask(torn))).toMatch(/^safetensors-invalid: /);
    expect(await refusalOfAsync(() => ask({ ...torn, file: join(folder, "gone") }))).toMatch(/^file-unreadable: /);
    expect(await ask(await tinyModelFile())).toMatchObject([{ ok: true }]);
  });
});

describe("quantised attention", () => {
  test("is within half a step of the patches' values, whichever of the two forms a model gives", () => {
    const random = createRandom(8);
    const [batch, heads, patches, others] = [3, 4, 6, 3];
    const tokens = patches + others;
    const softmax = Float32Array.from({ length: batch * heads * tokens * tokens }, () => random.next() ** 4);
    const shape = [batch, heads, tokens, tokens];
    const grid = { rows: 2, columns: 3 };
    const full = quantizeAttention({ element: "float32", shape, data: softmax }, 1, grid);
    // The row of CLS alone, without the other tokens.
    const clsRows = new Float32Array(batch * heads * patches);
    for (let row = 0; row < batch * heads; row++) {
      const start = row * tokens * tokens + others;
      clsRows.set(softmax.subarray(start, start + patches), row * patches);
    }
    const rows = quantizeAttention({ element: "float32", shape: [batch, heads, patches], data: clsRows }, 1, grid);
    expect(full).toEqual(rows);
    expect(full).toMatchObject({ heads, rows: 2, columns: 3 });
    for (let head = 0; head < heads; head++) {
      const scale = full.scales[head] ?? NaN;
      const bytes = full.data.subarray(head * patches, (head + 1) * patches);
      expect(Math.max(...bytes)).toBe(255);
      for (const [patch, byte] of bytes.entries()) {
        const value = clsRows[(heads + head) * patches + patch] ?? NaN;
        // The scale itself was rounded to float32: 6e-8 of it, up to 255 times.
        expect(Math.abs(byte * scale - value)).toBeLessThanOrEqual(scale * (0.5 + 255 * 2 ** -23));
      }
    }
  });

  test("of nothing is nothing, and more patches than there are columns are refused", () => {
    const tensor = { element: "float32" as const, shape: [1, 2, 4], data: new Float32Array(8) };
    expect(quantizeAttention(tensor, 0, { rows: 2, columns: 2 })).toMatchObject({
      scales: new Float32Array(2),
      data: new Uint8Array(8),
    });
    expect(() => quantizeAttention(tensor, 0, { rows: 2, columns: 3 })).toThrow(/4 columns for 6 patches/);
  });
});
