import { beforeAll, describe, expect, test } from "vitest";
import { encodeOnnx } from "../../core/graph/onnx.ts";
import type { Architecture, Weights, WeightTensor } from "../../core/nn/architecture.ts";
import { embeddingGraph } from "../../core/nn/embedding-graph.ts";
import { initialWeights } from "../../core/nn/initial-weights.ts";
import { bicubicMatrix, withGrid } from "../../core/nn/position.ts";
import { patchGrid, type TransformerOutput } from "../../core/nn/vision-transformer.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats, type Runtime, type Tensors } from "../../core/runtime/runtime.ts";
import { createTfjsRuntime } from "../../core/runtime/tfjs.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOf } from "../helpers/refusal.ts";
import { largestDifference, relativeError, uniformFloats } from "../helpers/tensors.ts";

const plain: Architecture = {
  width: 24,
  depth: 3,
  heads: 3,
  hidden: 96,
  patch: 4,
  grid: 5,
  registers: 0,
  layerScale: false,
  positionOffset: 0.1,
  positionAntialias: false,
};
const registered: Architecture = {
  ...plain,
  registers: 4,
  layerScale: true,
  positionOffset: 0,
  positionAntialias: true,
};
const everything = ["cls", "tokens", "keys", "attention", "clsAttention"] as const;

/** Weights large enough for attention and GELU to do something, layer scale included. */
function roughWeights(architecture: Architecture, seed: number): Map<string, WeightTensor> {
  const random = createRandom(seed);
  return new Map(
    [...initialWeights(architecture, seed)].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => value + 0.2 * random.normal()) },
    ]),
  );
}

let onnxruntime: Runtime;
let tfjs: Runtime;

beforeAll(async () => {
  onnxruntime = createOrtRuntime("cpu");
  tfjs = (await createTfjsRuntime()).runtime;
});

const pictures = (count: number, height: number, width: number): Tensors => ({
  pixels: floats(uniformFloats(createRandom(11), count * 3 * height * width), [count, 3, height, width]),
});

async function run(
  runtime: Runtime,
  architecture: Architecture,
  weights: Weights,
  outputs: readonly TransformerOutput[],
  feeds: Tensors,
): Promise<(name: TransformerOutput) => Float32Array> {
  const [, , height = 0, width = 0] = feeds["pixels"]?.shape ?? [];
  const program = await runtime.load(embeddingGraph(architecture, weights, { height, width, outputs }));
  const results = await program.run(feeds);
  await program.release();
  return (name) => floatOutput(results, name).data;
}

describe.each([
  ["DINO", plain],
  ["DINOv2 with registers and layer scale", registered],
])("a transformer as in %s", (_, architecture) => {
  const weights = roughWeights(architecture, 5);

  test.each([
    [20, 20],
    [12, 28],
    [32, 24],
  ])("gives the same on onnxruntime and TensorFlow.js for %i x %i pixels", async (height, width) => {
    const feeds = pictures(2, height, width);
    const wanted = await run(onnxruntime, architecture, weights, everything, feeds);
    const got = await run(tfjs, architecture, weights, everything, feeds);
    // Three blocks of float32 sums in another order, and an error function good to 1.5e-7.
    for (const name of everything) expect(relativeError(got(name), wanted(name)), name).toBeLessThan(1e-5);
  });

  test("gives the same CLS and attention when only these are wanted", async () => {
    const feeds = pictures(3, 16, 24);
    const whole = await run(onnxruntime, architecture, weights, everything, feeds);
    const short = await run(onnxruntime, architecture, weights, ["cls", "clsAttention"], feeds);
    // The same products, cut into other blocks by the matrix kernels.
    expect(relativeError(short("cls"), whole("cls"))).toBeLessThan(2e-6);
    expect(relativeError(short("clsAttention"), whole("clsAttention"))).toBeLessThan(2e-6);
    expect((await run(onnxruntime, architecture, weights, ["cls"], feeds))("cls")).toEqual(short("cls"));
  });

  test("gives outputs that agree among each other", async () => {
    const [count, height, width] = [2, 16, 24];
    const outputs = await run(onnxruntime, architecture, weights, everything, pictures(count, height, width));
    const { heads, registers, width: features } = architecture;
    const prefix = 1 + registers;
    const total = prefix + (height / 4) * (width / 4);
    expect(outputs("tokens")).toHaveLength(count * total * features);
    for (let image = 0; image < count; image++) {
      const cls = outputs("cls").subarray(image * features, (image + 1) * features);
      const start = image * total * features;
      expect(cls).toEqual(outputs("tokens").subarray(start, start + features));
      for (let head = 0; head < heads; head++) {
        const matrix = outputs("attention")
          .subarray((image * heads + head) * total ** 2)
          .subarray(0, total ** 2);
        const patches = outputs("clsAttention").subarray((image * heads + head) * (total - prefix));
        expect(patches.subarray(0, total - prefix)).toEqual(matrix.subarray(prefix, total));
        for (let row = 0; row < total; row++) {
          const sum = matrix.subarray(row * total, (row + 1) * total).reduce((s, value) => s + value, 0);
          expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
        }
      }
    }
  });

  test("sees each picture of a batch alone", async () => {
    const [height, width] = [16, 20];
    const feeds = pictures(3, height, width);
    const together = (await run(onnxruntime, architecture, weights, everything, feeds))("tokens");
    const pixels = floatOutput(feeds, "pixels").data;
    const size = 3 * height * width;
    const alone = await run(onnxruntime, architecture, weights, everything, {
      pixels: floats(pixels.slice(size, 2 * size), [1, 3, height, width]),
    });
    const length = together.length / 3;
    expect(relativeError(alone("tokens"), together.subarray(length, 2 * length))).toBeLessThan(2e-6);
  });
});

describe("with branches scaled to nothing the last norm sees the embedded patches, which a few loops can compute", () => {
  const architecture: Architecture = { ...registered, depth: 1 };
  const { width: features, grid, patch, registers, heads } = architecture;
  const [height, width] = [12, 28];
  const [rows, columns] = [height / patch, width / patch];
  const weights = roughWeights(architecture, 9);
  const of = (name: string): Float32Array => weights.get(name)?.data ?? new Float32Array();
  for (const name of ["blocks.0.ls1.gamma", "blocks.0.ls2.gamma"]) of(name).fill(0);
  // So that the last norm's tokens are what the block's attention is fed, too.
  for (const part of ["weight", "bias"]) of(`norm.${part}`).set(of(`blocks.0.norm1.${part}`));
  const feeds = pictures(1, height, width);
  const tokens = normalized(embedded());

  /** CLS with its position, registers without one, and patches with the resized grid's. */
  function embedded(): number[][] {
    const pixels = floatOutput(feeds, "pixels").data;
    const [kernel, bias, stored] = [of("patch_embed.proj.weight"), of("patch_embed.proj.bias"), of("pos_embed")];
    const down = bicubicMatrix(grid, rows, 0, true);
    const across = bicubicMatrix(grid, columns, 0, true);
    const list = [Array.from({ length: features }, (_, f) => at(of("cls_token"), f) + at(stored, f))];
    for (let r = 0; r < registers; r++) {
      list.push([...of("register_tokens").subarray(r * features, (r + 1) * features)]);
    }
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        list.push(
          Array.from({ length: features }, (_, f) => {
            let sum = at(bias, f);
            for (let c = 0; c < 3; c++) {
              for (let y = 0; y < patch; y++) {
                for (let x = 0; x < patch; x++) {
                  const pixel = at(pixels, (c * height + row * patch + y) * width + column * patch + x);
                  sum += pixel * at(kernel, ((f * 3 + c) * patch + y) * patch + x);
                }
              }
            }
            for (let i = 0; i < grid; i++) {
              for (let j = 0; j < grid; j++) {
                const position = at(stored, (1 + i * grid + j) * features + f);
                sum += at(down, row * grid + i) * at(across, column * grid + j) * position;
              }
            }
            return sum;
          }),
        );
      }
    }
    return list;
  }

  function normalized(list: readonly number[][]): number[][] {
    return list.map((token) => {
      const mean = token.reduce((sum, value) => sum + value, 0) / features;
      const variance = token.reduce((sum, value) => sum + (value - mean) ** 2, 0) / features;
      return token.map(
        (value, f) => ((value - mean) / Math.sqrt(variance + 1e-6)) * at(of("norm.weight"), f) + at(of("norm.bias"), f),
      );
    });
  }

  /** Row block `part` (queries, keys, values) of the joint projection, applied to every token. */
  function projected(part: number): number[][] {
    const [matrix, bias] = [of("blocks.0.attn.qkv.weight"), of("blocks.0.attn.qkv.bias")];
    return tokens.map((token) =>
      Array.from({ length: features }, (_, f) => {
        const row = part * features + f;
        return token.reduce((sum, value, i) => sum + value * at(matrix, row * features + i), at(bias, row));
      }),
    );
  }

  test.each([
    ["onnxruntime", () => onnxruntime],
    ["TensorFlow.js", () => tfjs],
  ])("on %s", async (_, runtime) => {
    const outputs = await run(runtime(), architecture, weights, everything, feeds);
    // Sums of 48 products of size 1 in float32 against float64.
    expect(largestDifference(outputs("tokens"), tokens.flat())).toBeLessThan(2e-5);
    const keys = projected(1);
    expect(largestDifference(outputs("keys"), keys.slice(1 + registers).flat())).toBeLessThan(2e-5);

    const queries = projected(0);
    const perHead = features / heads;
    const attention = Array.from({ length: heads }, (_, head) =>
      queries.map((query) => {
        const scores = keys.map((key) => {
          const products = key.map((value, f) => (Math.floor(f / perHead) === head ? value * (query[f] ?? 0) : 0));
          return Math.exp(products.reduce((sum, product) => sum + product, 0) / Math.sqrt(perHead));
        });
        const total = scores.reduce((sum, score) => sum + score, 0);
        return scores.map((score) => score / total);
      }),
    ).flat(2);
    expect(largestDifference(outputs("attention"), attention)).toBeLessThan(1e-5);
  });
});

function at(data: Float32Array, index: number): number {
  return data[index] ?? NaN;
}

describe("what does not fit is refused", () => {
  const weights = initialWeights(plain, 1);
  const options = { height: 20, width: 20, outputs: ["cls"] } as const;

  test("pictures that do not divide into patches", () => {
    expect(patchGrid(plain, 12, 20)).toEqual({ rows: 3, columns: 5 });
    expect(refusalOf(() => patchGrid(plain, 12, 21))).toBe(
      "graph-shape: A picture of 12 x 21 does not divide into patches of 4.",
    );
    expect(refusalOf(() => patchGrid(plain, 0, 20))).toBe(
      "graph-shape: A picture of 0 x 20 does not divide into patches of 4.",
    );
  });

  test("weights that lack a tensor, or have it in another shape", () => {
    const fewer = new Map(weights);
    fewer.delete("blocks.1.norm2.bias");
    expect(refusalOf(() => embeddingGraph(plain, fewer, options))).toBe(
      "weights-missing: Wanted blocks.1.norm2.bias of shape [24], found none.",
    );
    const wider = new Map(weights).set("norm.bias", { shape: [25], data: new Float32Array(25) });
    expect(refusalOf(() => embeddingGraph(plain, wider, options))).toBe(
      "weights-missing: Wanted norm.bias of shape [24], found [25].",
    );
  });
});

test("an ONNX file holds each weight once, and those that its outputs need", () => {
  const weights = initialWeights(plain, 1);
  const bytes = 4 * [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  const size = encodeOnnx(embeddingGraph(plain, weights, { height: 20, width: 20, outputs: ["cls", "tokens"] })).length;
  expect(size).toBeGreaterThan(bytes);
  // Names and nodes: some hundred bytes for each of about 200 nodes.
  expect(size).toBeLessThan(bytes + 60_000);
});

test.each([
  ["larger", 7, plain],
  ["smaller", 3, plain],
  ["smaller, with antialias", 3, registered],
])("a network whose positions are stored for a %s grid gives the same there", async (_, grid, architecture) => {
  const weights = roughWeights(architecture, 5);
  const feeds = pictures(2, 4 * grid, 4 * grid);
  const resized = withGrid(architecture, weights, grid);
  expect(resized.architecture.grid).toBe(grid);
  expect(resized.weights.get("pos_embed")?.shape).toEqual([1, 1 + grid ** 2, 24]);
  const before = await run(onnxruntime, architecture, weights, ["tokens"], feeds);
  const after = await run(onnxruntime, resized.architecture, resized.weights, ["tokens"], feeds);
  expect(relativeError(after("tokens"), before("tokens"))).toBeLessThan(1e-5);
});
