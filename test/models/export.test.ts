import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import type { ExportFormat } from "../../core/engine/protocol.ts";
import { modelFile } from "../../core/jobs/model-file.ts";
import { importModel } from "../../core/jobs/models.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import type { Model } from "../../core/rpc/records.ts";
import { cosine, embedded, somePictures } from "../helpers/embeddings.ts";
import { referenceFile, referenceHeads } from "../helpers/reference.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { readSafetensors } from "../helpers/safetensors.ts";
import { relativeError } from "../helpers/tensors.ts";
import { temporaryWorkplace } from "../helpers/workplace.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { temporaryFolder } from "../library/support.ts";

const engine = sharedEngine();

/** A library with the official backbone. */
async function official(): Promise<{ workplace: Workplace; model: Model }> {
  const workplace = temporaryWorkplace(engine);
  return { workplace, model: await importModel(workplace, referenceFile("backbone.pth"), { heads: referenceHeads() }) };
}

/** Exports below a folder that is not there yet; returns the files. */
function exportTo(
  { library }: Workplace,
  model: Model,
  format: ExportFormat,
  name: string,
): Promise<readonly string[]> {
  const destination = join(temporaryFolder(), "new folder", name);
  return engine.call("exportModel", { model: modelFile(library.folder, model), format, destination });
}

describe("weights for other tools", () => {
  test.each([
    ["timm", "dino.safetensors", ["dino.safetensors"]],
    ["huggingface", "dino", ["config.json", "model.safetensors"]],
  ] as const)("%s files read back give identical embeddings", async (format, name, expected) => {
    const { workplace, model } = await official();
    const files = await exportTo(workplace, model, format, name);
    expect(files.map((file) => file.split("/").at(-1)).toSorted()).toEqual(expected);
    const weights = files.find((file) => file.endsWith(".safetensors")) ?? "";
    // Nobody says the heads: they must be in what was written.
    const again = await importModel(workplace, weights, { name: "again" });
    expect(again.architecture).toEqual(model.architecture);
    const pictures = await somePictures();
    expect(await embedded(workplace, again, pictures)).toEqual(await embedded(workplace, model, pictures));
  });

  test("config.json says what the official one does", async () => {
    const { workplace, model } = await official();
    const files = await exportTo(workplace, model, "huggingface", "dino");
    const config = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
    const written = files.find((file) => file.endsWith("config.json")) ?? "";
    expect(config(written)).toMatchObject(config(referenceFile("huggingface.config.json")) as object);
  });
});

describe("ONNX", () => {
  const figures = readSafetensors(referenceFile("inference.safetensors"));
  const { shape, data } = figures.tensor("native.input");
  const pixels = Float32Array.from(data);
  const each = pixels.length / (shape[0] ?? 1);

  /** Outputs of an ONNX file in onnxruntime itself, for as many pictures as there are pixels. */
  async function outputsOf(file: string, fed: Float32Array): Promise<Record<string, Float32Array>> {
    const session = await InferenceSession.create(file);
    const [name = ""] = session.inputNames;
    const results = await session.run({ [name]: new Tensor("float32", fed, [fed.length / each, ...shape.slice(1)]) });
    await session.release();
    return Object.fromEntries(Object.entries(results).map(([key, tensor]) => [key, tensor.data as Float32Array]));
  }

  test("run by onnxruntime alone gives the official figures, for any number of pictures", async () => {
    const { workplace, model } = await official();
    const [file = ""] = await exportTo(workplace, model, "onnx", "dino.onnx");
    const expected = { cls: "native.cls", attention: "native.attention", last_hidden_state: "native.tokens" };
    const pair = await outputsOf(file, pixels);
    for (const [output, figure] of Object.entries(expected)) {
      // float32 sums in another order; the figures are float32 themselves.
      expect(relativeError(pair[output] ?? [], figures.tensor(figure).data), output).toBeLessThan(1e-5);
    }
    const second = await outputsOf(file, pixels.subarray(each, 2 * each));
    const five = await outputsOf(
      file,
      Float32Array.from({ length: 5 * each }, (_, i) => pixels[i % each] ?? 0),
    );
    for (const [output, figure] of Object.entries(expected)) {
      const wanted = figures.tensor(figure).data;
      const half = wanted.length / 2;
      expect(relativeError(second[output] ?? [], wanted.subarray(half)), output).toBeLessThan(1e-5);
      const last = five[output]?.subarray(4 * half) ?? [];
      expect(relativeError(last, wanted.subarray(0, half)), output).toBeLessThan(1e-5);
    }
  });

  test("read back as a file of others sees what the model sees, attention included", async () => {
    const { workplace, model } = await official();
    const [file = ""] = await exportTo(workplace, model, "onnx", "dino.onnx");
    const foreign = await importModel(workplace, file, {});
    expect(foreign).toMatchObject({ name: "dino", kind: "onnx", architecture: null, width: model.width });
    expect(foreign.imageSize).toBe(model.imageSize);
    const pictures = await somePictures(6);
    const own = await embedded(workplace, model, pictures);
    const theirs = await embedded(workplace, foreign, pictures);
    for (const [i, { vector, attention }] of theirs.entries()) {
      expect(cosine(vector, own[i]?.vector ?? new Float32Array(0)), `picture ${i}`).toBeGreaterThan(0.999999);
      const { heads, rows, columns, scales, data: bytes } = own[i]?.attention ?? {};
      expect(attention).toMatchObject({ heads, rows, columns });
      expect(relativeError(attention?.scales ?? [], scales ?? [])).toBeLessThan(1e-5);
      // A value at the edge of two bytes may fall to either.
      const apart = attention?.data.map((byte, patch) => Math.abs(byte - (bytes?.[patch] ?? 0)));
      expect(Math.max(...(apart ?? [255]))).toBeLessThanOrEqual(1);
    }
    expect(await refusalOfAsync(() => exportTo(workplace, foreign, "timm", "again.safetensors"))).toBe(
      "export-unsupported: This model came as ONNX, so its weights have no other form.",
    );
  });

  test("takes the size of the model that was exported", async () => {
    const { workplace, model } = await official();
    const [file = ""] = await exportTo(workplace, { ...model, imageSize: 32 }, "onnx", "small.onnx");
    const small = await importModel(workplace, file, {});
    expect(small.imageSize).toBe(32);
    expect((await embedded(workplace, small, await somePictures(1)))[0]?.attention).toMatchObject({
      rows: 2,
      columns: 2,
    });
  });

  test("leaves no half a file where it cannot be written", async () => {
    const { workplace, model } = await official();
    const folder = temporaryFolder();
    const { library } = workplace;
    // A folder cannot be replaced by a file.
    await expect(
      engine.call("exportModel", { model: modelFile(library.folder, model), format: "onnx", destination: folder }),
    ).rejects.toThrow();
    expect(existsSync(`${folder}.part`)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});
