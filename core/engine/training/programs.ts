import { setImmediate } from "node:timers/promises";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { accumulatorShapes, backwardGraph, updateGraph, type ViewSource } from "../../nn/dino/step.ts";
import type { Graph } from "../../graph/graph.ts";
import {
  floatOutput,
  floats,
  type KeptTensor,
  type Runtime,
  type TensorData,
  type Tensors,
} from "../../runtime/runtime.ts";
import { CoreError } from "../../util/errors.ts";

/** The tensors of a training by name, where the programs keep them. */
export type HeldTensors = ReadonlyMap<string, KeptTensor>;

/** Tensors whose arrays are given away. */
export type GivenTensors = ReadonlyMap<string, TensorData<"float32">>;

/** Forward and backward through a batch, one micro-batch after the other. */
interface BackwardProgram {
  run(
    tensors: HeldTensors,
    parts: readonly Tensors[],
    hyper: Float32Array,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array>;
  /** Gradients and what else was added up over the last batch. */
  sums(): HeldTensors;
  release(): Promise<void>;
}

/** The programs of one training. */
export interface StepPrograms {
  /** Takes over the tensors that the first step starts from. */
  readonly adopt: (tensors: GivenTensors) => HeldTensors;
  /**
   * Forward and backward through a batch, one micro-batch after the other: what it measured. No tensor changes. Throws the
   * signal's reason where it is aborted between two micro-batches.
   */
  readonly backward: BackwardProgram["run"];
  /** From now on `backward` takes micro-batches of another size. */
  resize(pictures: number, views: ViewSource): Promise<void>;
  /** The optimiser's step on the gradients of the last `backward`: the new tensors, and the norm of the new centre. */
  update(tensors: HeldTensors, hyper: Float32Array): Promise<{ tensors: HeldTensors; centreNorm: number }>;
  release(): Promise<void>;
}

/** Before the name of the output that replaces an input. */
const nextPrefix = "next.";

/**
 * Loads forward and backward for micro-batches of `pictures` pictures, and the optimiser. Between the two the caller can look
 * at what was measured and leave the step out. Their tensors are written over, so weights, moments and gradients are in
 * memory once; activations are gone before the optimiser starts.
 */
export async function loadStepPrograms(
  settings: TrainingSettings,
  runtime: Runtime,
  pictures: number,
  views: ViewSource,
): Promise<StepPrograms> {
  let backward = await loadBackward(settings, runtime, pictures, views);
  const update = await loadReplacing(runtime, updateGraph(settings));
  return {
    adopt: update.adopt,
    backward: (...batch) => backward.run(...batch),
    resize: async (smaller, source) => {
      await backward.release();
      backward = await loadBackward(settings, runtime, smaller, source);
    },
    update: async (tensors, hyper) => {
      const { next, outputs } = await update.run(backward.sums(), tensors, hyperFeed(hyper));
      const squares = outputs["centreSquares"] === undefined ? 0 : floatOutput(outputs, "centreSquares").data[0];
      return { tensors: next, centreNorm: Math.sqrt(squares ?? NaN) };
    },
    release: async () => {
      await backward.release();
      await update.release();
    },
  };
}

async function loadBackward(
  settings: TrainingSettings,
  runtime: Runtime,
  pictures: number,
  views: ViewSource,
): Promise<BackwardProgram> {
  const carried = pictures < settings.batch;
  const program = await loadReplacing(runtime, backwardGraph(settings, pictures, views, carried));
  const zeros = (): HeldTensors => {
    const tensors = [...accumulatorShapes(settings)].map(([name, shape]) => [name, filled(shape, 0)] as const);
    return program.adopt(new Map(tensors));
  };
  let sums = zeros();
  return {
    sums: () => sums,
    run: async (tensors, parts, hyper, signal) => {
      let measures = new Float32Array();
      for (const [i, feeds] of parts.entries()) {
        // A run blocks this thread: between two of them the process hears what is asked of it.
        if (i > 0) await setImmediate();
        signal?.throwIfAborted();
        // The first one is not added to anything: what is there belongs to the batch before.
        const carry = { carry: floats(Float32Array.of(i === 0 ? 0 : 1), [1]) };
        const result = await program.run(tensors, sums, { ...feeds, ...hyperFeed(hyper), ...carry });
        sums = result.next;
        measures = Float32Array.from(floatOutput(result.outputs, "measures").data);
      }
      // Zero times what is not a number is none either, so such sums would spoil the next batch.
      if (carried && !measures.every(Number.isFinite)) {
        releaseAll(sums);
        sums = zeros();
      }
      return measures;
    },
    release: async () => {
      releaseAll(sums);
      await program.release();
    },
  };
}

/** Passes through the network on made-up numbers, which take the time and the memory of real ones. */
export interface PracticeProgram {
  run(): Promise<void>;
  release(): Promise<void>;
}

/** Loads forward and backward for micro-batches of `pictures` pictures, with weights and pictures that mean nothing. */
export async function loadPractice(
  settings: TrainingSettings,
  runtime: Runtime,
  pictures: number,
  views: ViewSource,
): Promise<PracticeProgram> {
  const graph = backwardGraph(settings, pictures, views, pictures < settings.batch);
  const program = await loadReplacing(runtime, graph);
  const sumShapes = accumulatorShapes(settings);
  const feeds: Record<string, TensorData> = {};
  for (const { source, shape } of graph.inputs) {
    if (source.kind !== "input" || sumShapes.has(source.name)) continue;
    feeds[source.name] = filled(shape as readonly number[], 0.5);
  }
  let sums = program.adopt(new Map([...sumShapes].map(([name, shape]) => [name, filled(shape, 0)] as const)));
  return {
    run: async () => {
      sums = (await program.run(new Map(), sums, feeds)).next;
    },
    release: async () => {
      releaseAll(sums);
      await program.release();
    },
  };
}

function filled(shape: readonly number[], value: number): TensorData<"float32"> {
  return floats(new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(value), shape);
}

/** Gives the memory of those tensors back that are on the device. */
export function releaseAll(tensors: HeldTensors): void {
  for (const tensor of tensors.values()) tensor.release();
}

function hyperFeed(hyper: Float32Array): Tensors {
  return { hyper: floats(hyper, [hyper.length]) };
}

interface ReplacingProgram {
  readonly adopt: (tensors: GivenTensors) => HeldTensors;
  /** Feeds what the graph reads of all three; its outputs `next.<name>` replace the tensors of `replaced`, all of them. */
  run(read: HeldTensors, replaced: HeldTensors, feeds: Tensors): Promise<{ outputs: Tensors; next: HeldTensors }>;
  release(): Promise<void>;
}

async function loadReplacing(runtime: Runtime, graph: Graph): Promise<ReplacingProgram> {
  const kept = Object.keys(graph.outputs).filter((name) => name.startsWith(nextPrefix));
  const program = await runtime.loadKeeping(graph, kept);
  const names = graph.inputs.flatMap(({ source }) => (source.kind === "input" ? [source.name] : []));
  return {
    adopt: (tensors) => new Map([...tensors].map(([name, tensor]) => [name, program.adopt(tensor)] as const)),
    run: async (read, replaced, feeds) => {
      const inputs = names.map((name) => {
        const tensor = feeds[name] ?? replaced.get(name) ?? read.get(name);
        if (tensor === undefined) throw new CoreError("training-input", `A training step needs ${name}, got none.`);
        return [name, tensor] as const;
      });
      const into = [...replaced].map(([name, tensor]) => [nextPrefix + name, tensor] as const);
      const results = await program.run(Object.fromEntries(inputs), Object.fromEntries(into));
      const next = kept.flatMap((name) => {
        const tensor = results.kept[name];
        return tensor === undefined ? [] : [[name.slice(nextPrefix.length), tensor] as const];
      });
      return { outputs: results.outputs, next: new Map(next) };
    },
    release: () => program.release(),
  };
}
