import { beforeAll, describe, expect, test } from "vitest";
import { embeddingGraph } from "../../core/nn/embedding-graph.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats, type Runtime, type Tensors } from "../../core/runtime/runtime.ts";
import { createTfjsRuntime } from "../../core/runtime/tfjs.ts";
import { readCheckpoint, type Checkpoint } from "../../core/weights/checkpoint.ts";
import { referenceFile, referenceHeads } from "../helpers/reference.ts";
import { readSafetensors } from "../helpers/safetensors.ts";
import { relativeError } from "../helpers/tensors.ts";

const figures = readSafetensors(referenceFile("inference.safetensors"));
const sizes = figures.names.filter((name) => name.endsWith(".input")).map((name) => name.replace(".input", ""));
const outputs = ["cls", "tokens", "attention"] as const;

// Float32 on both sides: the official code's own rounding is a few 1e-7 of the norm after three blocks. tfjs' error
// function adds 1.5e-7 a GELU, and its plain kernels add up one by one.
const runtimes: { name: string; tolerance: number; runtime: () => Promise<Runtime> }[] = [
  { name: "onnxruntime", tolerance: 1e-5, runtime: () => Promise.resolve(createOrtRuntime("cpu")) },
  { name: "TensorFlow.js (wasm)", tolerance: 1e-4, runtime: async () => (await createTfjsRuntime("wasm")).runtime },
  { name: "TensorFlow.js (cpu)", tolerance: 1e-4, runtime: async () => (await createTfjsRuntime("cpu")).runtime },
];

async function run(runtime: Runtime, { architecture, weights }: Checkpoint, size: string): Promise<Tensors> {
  const { shape, data } = figures.tensor(`${size}.input`);
  const [, , height = 0, width = 0] = shape;
  const program = await runtime.load(embeddingGraph(architecture, weights, { height, width, outputs }));
  const results = await program.run({ pixels: floats(Float32Array.from(data), shape) });
  await program.release();
  return results;
}

test("the reference has the stored size, a smaller one, one that is not square and a larger one", () => {
  expect(sizes.sort()).toEqual(["large", "native", "small", "wide"]);
});

describe.each(["backbone.pth", "huggingface.safetensors"])("the weights of %s", (file) => {
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    checkpoint = await readCheckpoint(referenceFile(file), { heads: referenceHeads() });
  });

  describe.each(runtimes)("on $name", ({ runtime, tolerance }) => {
    test.each(sizes)("give the official tokens and attention: %s", async (size) => {
      const results = await run(await runtime(), checkpoint, size);
      for (const name of outputs) {
        const wanted = figures.tensor(`${size}.${name}`);
        const got = floatOutput(results, name);
        expect(got.shape).toEqual(wanted.shape);
        expect(relativeError(got.data, wanted.data), name).toBeLessThan(tolerance);
      }
    });
  });
});

test("the teacher of a full checkpoint runs, and is told from the network that the figures were made with", async () => {
  const checkpoint = await readCheckpoint(referenceFile("full_checkpoint.pth"), { heads: referenceHeads() });
  const { data } = floatOutput(await run(createOrtRuntime("cpu"), checkpoint, "native"), "cls");
  expect(data.every(Number.isFinite)).toBe(true);
  expect(relativeError(data, figures.tensor("native.cls").data)).toBeGreaterThan(0.01);
});

test("without the official code's offset of 0.1 the figures are missed, so the comparison sees it", async () => {
  const checkpoint = await readCheckpoint(referenceFile("backbone.pth"), { heads: referenceHeads() });
  const architecture = { ...checkpoint.architecture, positionOffset: 0 };
  const results = await run(createOrtRuntime("cpu"), { ...checkpoint, architecture }, "large");
  expect(relativeError(floatOutput(results, "cls").data, figures.tensor("large.cls").data)).toBeGreaterThan(1e-4);
});
