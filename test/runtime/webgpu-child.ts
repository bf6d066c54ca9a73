/**
 * Runs the reference network on WebGPU with no help from the CPU, in a process of its own: the Vulkan driver is chosen by
 * the environment, and a driver that crashes must not take the tests with it. Prints a WebGpuReport as JSON.
 */
import { gradients } from "../../core/graph/gradient.ts";
import { createGraph } from "../../core/graph/graph.ts";
import { encodeOnnx } from "../../core/graph/onnx.ts";
import { detach, erf, log } from "../../core/graph/ops/elementwise.ts";
import { expand, pad } from "../../core/graph/ops/movement.ts";
import { argMax, largest, logSoftmax, mean, softmax, sum } from "../../core/graph/ops/reduce.ts";
import { clip, equal, floor, greater, where } from "../../core/graph/ops/select.ts";
import { input, scalar, type Value } from "../../core/graph/value.ts";
import { weightShapes, type Architecture } from "../../core/nn/architecture.ts";
import { embeddingGraph } from "../../core/nn/embedding-graph.ts";
import { visionTransformer } from "../../core/nn/vision-transformer.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats, type Program, type ProgramSource } from "../../core/runtime/runtime.ts";
import { createRandom } from "../../core/util/random.ts";
import { errorRecord } from "../../core/util/errors.ts";
import { readCheckpoint } from "../../core/weights/checkpoint.ts";
import { referenceFile, referenceHeads } from "../helpers/reference.ts";
import { readSafetensors } from "../helpers/safetensors.ts";
import { largestDifference, relativeError, uniformFloats } from "../helpers/tensors.ts";

export interface WebGpuReport {
  /** Why not even a softmax could be loaded. */
  readonly refused?: string;
  /** Relative errors against the official figures, by size and output. */
  readonly errors?: Readonly<Record<string, number>>;
  /** Largest difference between WebGPU's and the CPU's outputs that have no official figures, relative too. */
  readonly others?: Readonly<Record<string, number>>;
  /** Relative errors of the gradients of a small transformer's weights, against the CPU. */
  readonly gradients?: Readonly<Record<string, number>>;
  /** Largest differences between WebGPU and the CPU for operators that no transformer uses. */
  readonly operators?: Readonly<Record<string, number>>;
  /** What onnxruntime says to a graph with an operator that its WebGPU provider lacks, without the CPU and with it. */
  readonly lacking?: { readonly alone: string; readonly withFallback: readonly number[] };
}

const alone = createOrtRuntime("webgpu", { allowFallback: false });
const official = ["cls", "tokens", "attention"] as const;
const unofficial = ["keys", "clsAttention"] as const;

async function using<T>(program: Promise<Program>, work: (program: Program) => Promise<T>): Promise<T> {
  const loaded = await program;
  try {
    return await work(loaded);
  } finally {
    await loaded.release();
  }
}

async function compareReference(): Promise<Pick<WebGpuReport, "errors" | "others">> {
  const { architecture, weights } = await readCheckpoint(referenceFile("backbone.pth"), { heads: referenceHeads() });
  const figures = readSafetensors(referenceFile("inference.safetensors"));
  const errors: Record<string, number> = {};
  const others: Record<string, number> = {};
  for (const size of figures.names
    .filter((name) => name.endsWith(".input"))
    .map((name) => name.replace(".input", ""))) {
    const { shape, data } = figures.tensor(`${size}.input`);
    const [, , height = 0, width = 0] = shape;
    const feeds = { pixels: floats(Float32Array.from(data), shape) };
    const graph = embeddingGraph(architecture, weights, { height, width, outputs: [...official, ...unofficial] });
    const run = (program: Program) => program.run(feeds);
    const got = await using(alone.load(graph), run);
    const byCpu = await using(createOrtRuntime("cpu").load(graph), run);
    for (const name of official) {
      errors[`${size}.${name}`] = relativeError(floatOutput(got, name).data, figures.tensor(`${size}.${name}`).data);
    }
    for (const name of unofficial) {
      others[`${size}.${name}`] = relativeError(floatOutput(got, name).data, floatOutput(byCpu, name).data);
    }
    if (size !== "wide") continue;
    // The short form that embedding uses, where the last block has one query; once, as shaders take long to compile.
    const short = embeddingGraph(architecture, weights, { height, width, outputs: ["cls", "clsAttention"] });
    const shortened = await using(alone.load(short), run);
    errors[`${size}.cls alone`] = relativeError(floatOutput(shortened, "cls").data, figures.tensor(`${size}.cls`).data);
  }
  return { errors, others };
}

/** The gradients of all weights of a small transformer with everything that a transformer can have. */
async function compareGradients(): Promise<NonNullable<WebGpuReport["gradients"]>> {
  const architecture: Architecture = {
    width: 16,
    depth: 2,
    heads: 2,
    hidden: 24,
    patch: 2,
    grid: 2,
    registers: 1,
    layerScale: true,
    positionOffset: 0,
    positionAntialias: false,
  };
  const weights = new Map([...weightShapes(architecture)].map(([name, shape]) => [name, input(name, shape)]));
  const weight = (name: string): Value => weights.get(name) ?? scalar(NaN);
  const { cls } = visionTransformer(architecture, weight, input("pixels", [2, 3, 4, 6]), ["cls"]);
  const results = gradients([{ value: cls, gradient: input("seed", cls.shape) }], [...weights.values()]);
  const graph = createGraph(
    "training",
    Object.fromEntries([...weights.keys()].map((name, i) => [`d.${name}`, results[i] ?? cls])),
  );
  const random = createRandom(1);
  const feeds = Object.fromEntries(
    graph.inputs.map(({ source, shape }) => {
      const sizes = shape.map(Number);
      return [
        source.kind === "input" ? source.name : "",
        floats(
          uniformFloats(
            random,
            sizes.reduce((a, b) => a * b, 1),
            -1,
            1,
          ),
          sizes,
        ),
      ];
    }),
  );
  const run = (program: Program) => program.run(feeds);
  const [got, byCpu] = [await using(alone.load(graph), run), await using(createOrtRuntime("cpu").load(graph), run)];
  return Object.fromEntries(
    Object.keys(graph.outputs).map((name) => [
      name,
      relativeError(floatOutput(got, name).data, floatOutput(byCpu, name).data),
    ]),
  );
}

/** Operators of losses and augmentation, in one graph: it does not load unless WebGPU has them all. */
async function compareOperators(): Promise<NonNullable<WebGpuReport["operators"]>> {
  const [a, b] = [input("a", [2, 3, 8]), input("b", [3, 1])];
  const graph = createGraph("operators", {
    erf: erf(a),
    log: log(clip(a, 0.25, 1)),
    floor: where(equal(floor(a), floor(detach(b))), scalar(1), a),
    greater: where(greater(a, b), a, b),
    sum: sum(a, [0, 1], false),
    mean: mean(a, [0, 2], true),
    largest: largest(a, [1, 2], false),
    argMax: argMax(a),
    logSoftmax: logSoftmax(a),
    expand: expand(b, [2, 3, 4]),
    pad: pad(a, 1, 1, 2),
  });
  const random = createRandom(2);
  const feeds = { a: floats(uniformFloats(random, 48), [2, 3, 8]), b: floats(uniformFloats(random, 3), [3, 1]) };
  const run = (program: Program) => program.run(feeds);
  const [got, byCpu] = [await using(alone.load(graph), run), await using(createOrtRuntime("cpu").load(graph), run)];
  const figures = (tensors: typeof got, name: string) => Array.from(tensors[name]?.data ?? [], Number);
  return Object.fromEntries(
    Object.keys(graph.outputs).map((name) => [name, largestDifference(figures(got, name), figures(byCpu, name))]),
  );
}

const ranking = createGraph("ranking", { y: softmax(input("x", [1, 4])) });

/** The softmax graph with its operator renamed to Hardmax, which has the same attributes and no WebGPU kernel. */
function hardmax(): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(encodeOnnx(ranking)).toString("latin1").replace("Softmax", "Hardmax");
  return Uint8Array.from(Buffer.from(bytes, "latin1"));
}

async function tryLacking(): Promise<NonNullable<WebGpuReport["lacking"]>> {
  const runOne = (runtime: typeof alone, source: ProgramSource) =>
    using(runtime.load(source), (program) => program.run({ x: floats(Float32Array.of(1, 4, 2, 3), [1, 4]) }));
  const refusal = await runOne(alone, hardmax()).then(
    () => "",
    (error: unknown) => errorRecord(error).message,
  );
  const outputs = await runOne(createOrtRuntime("webgpu"), hardmax());
  return { alone: refusal, withFallback: [...floatOutput(outputs, "y").data] };
}

async function report(): Promise<WebGpuReport> {
  try {
    await using(alone.load(ranking), () => Promise.resolve());
  } catch (error) {
    return { refused: errorRecord(error).message };
  }
  return {
    ...(await compareReference()),
    gradients: await compareGradients(),
    operators: await compareOperators(),
    lacking: await tryLacking(),
  };
}

console.log(JSON.stringify(await report()));
