import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { weightShapes, type Architecture, type WeightTensor } from "../../core/nn/architecture.ts";
import { CoreError } from "../../core/util/errors.ts";
import { readCheckpoint } from "../../core/weights/checkpoint.ts";
import type { WeightsProvenance } from "../../core/weights/metadata.ts";
import { readModelFile, writeModelFile } from "../../core/weights/model-file.ts";
import { encodeSafetensors, readSafetensorsHeader, writeSafetensors } from "../../core/weights/safetensors.ts";
import { randomWeights, smallArchitecture, temporaryFile, temporaryFolder } from "./writers.ts";

const provenance: WeightsProvenance = {
  source: "https://example.org/dino.pth",
  format: "dino-pth",
  sourceHash: "00ff",
  notes: { epoch: 3, part: "teacher", frozen: true },
};

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (error: unknown) => (error instanceof CoreError ? error.code : String(error)),
  );
}

test("a model comes back as it was written, by either reader", async () => {
  for (const changes of [
    {},
    { heads: 4, positionOffset: 0 },
    { layerScale: true, registers: 3, positionAntialias: true },
  ]) {
    const architecture = smallArchitecture(changes);
    const weights = randomWeights(architecture);
    const file = path.join(temporaryFolder(), "model.safetensors");
    const written = await writeModelFile(file, architecture, weights, provenance);
    expect(written.hash).toBe(createHash("sha256").update(readFileSync(file)).digest("hex"));
    const read = await readModelFile(file);
    expect(read).toEqual({ architecture, weights, provenance });
    expect([...read.weights.keys()]).toEqual([...weightShapes(architecture).keys()]);
    const checkpoint = await readCheckpoint(file);
    expect(checkpoint.architecture).toEqual(architecture);
    expect(checkpoint.weights).toEqual(weights);
    expect(checkpoint.provenance.format).toBe("dinoscope");
  }
});

test("the tensors are views of one buffer", async () => {
  const architecture = smallArchitecture();
  const file = path.join(temporaryFolder(), "model.safetensors");
  await writeModelFile(file, architecture, randomWeights(architecture), provenance);
  const { weights } = await readModelFile(file);
  expect(new Set([...weights.values()].map(({ data }) => data.buffer)).size).toBe(1);
});

test("weights that are incomplete, misshapen or not finite are not written", async () => {
  const architecture = smallArchitecture();
  const file = path.join(temporaryFolder(), "model.safetensors");
  const write = (changes: Record<string, WeightTensor>, without?: string): Promise<string> => {
    const weights = new Map([...randomWeights(architecture), ...Object.entries(changes)]);
    if (without !== undefined) weights.delete(without);
    return codeOf(writeModelFile(file, architecture, weights, provenance));
  };
  expect(await write({}, "norm.bias")).toBe("weights-mismatch");
  expect(await write({ "norm.bias": { shape: [3, 4], data: new Float32Array(12) } })).toBe("weights-mismatch");
  expect(await write({ "norm.bias": { shape: [12], data: new Float32Array(11) } })).toBe("weights-mismatch");
  expect(await write({ extra: { shape: [1], data: new Float32Array(1) } })).toBe("weights-mismatch");
  expect(await write({ "norm.bias": { shape: [12], data: new Float32Array(12).fill(NaN) } })).toBe(
    "weights-not-finite",
  );
});

test("files of others and files whose metadata lies are refused", async () => {
  const architecture = smallArchitecture();
  const weights = randomWeights(architecture);
  const file = path.join(temporaryFolder(), "model.safetensors");
  const withMetadata = async (stored: unknown, told: unknown = provenance): Promise<string> => {
    const metadata = new Map([
      ["dinoscope.architecture", typeof stored === "string" ? stored : JSON.stringify(stored)],
      ["dinoscope.provenance", JSON.stringify(told)],
    ]);
    await writeSafetensors(file, weights, metadata);
    return codeOf(readModelFile(file));
  };
  expect(await withMetadata(architecture)).toBe("no error");
  expect(await withMetadata("{")).toBe("metadata-invalid");
  expect(await withMetadata(architecture, { source: 1 })).toBe("metadata-invalid");
  expect(await withMetadata({ ...architecture, depth: 3 })).toBe("weights-mismatch");
  expect(await codeOf(readCheckpoint(file))).toBe("checkpoint-mismatch");
  const lies: Record<keyof Architecture, unknown> = {
    width: 1e9,
    depth: 1e9,
    heads: 5,
    hidden: -1,
    patch: 0.5,
    grid: "3",
    registers: 1e6,
    layerScale: 1,
    positionOffset: null,
    positionAntialias: "no",
  };
  for (const [field, value] of Object.entries(lies)) {
    expect(await withMetadata({ ...architecture, [field]: value }), field).toBe("architecture-invalid");
  }
  await writeSafetensors(file, weights);
  expect(await codeOf(readModelFile(file))).toBe("model-file-invalid");
  const metadata = (await readSafetensorsHeader(file)).metadata;
  const cut = encodeSafetensors(weights, metadata).subarray(0, -1);
  expect(await codeOf(readModelFile(temporaryFile("cut", cut)))).toBe("safetensors-invalid");
});
