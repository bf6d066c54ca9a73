/**
 * Runs the reference network on WebGPU with no help from the CPU, in a process of its own: the Vulkan driver is chosen by
 * the environment, and a driver that crashes must not take the tests with it. Prints a WebGpuReport as JSON.
 */
import { createGraph } from "../../core/graph/graph.ts";
import { encodeOnnx } from "../../core/graph/onnx.ts";
import { softmax } from "../../core/graph/ops/reduce.ts";
import { input } from "../../core/graph/value.ts";
import { embeddingGraph } from "../../core/nn/embedding-graph.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats, type Program, type ProgramSource } from "../../core/runtime/runtime.ts";
import { errorRecord } from "../../core/util/errors.ts";
import { readCheckpoint } from "../../core/weights/checkpoint.ts";
import { referenceFile, referenceHeads } from "../helpers/reference.ts";
import { readSafetensors } from "../helpers/safetensors.ts";
import { relativeError } from "../helpers/tensors.ts";

export interface WebGpuReport {
  /** Why not even a softmax could be loaded. */
  readonly refused?: string;
  /** Relative errors against the official figures, by size and output. */
  readonly errors?: Readonly<Record<string, number>>;
  /** Largest difference between WebGPU's and the CPU's outputs that have no official figures, relative too. */
  readonly others?: Readonly<Record<string, number>>;
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
  return { ...(await compareReference()), lacking: await tryLacking() };
}

console.log(JSON.stringify(await report()));
