import type { Graph } from "../../graph/graph.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { accumulatorShapes, updateGraph } from "../../nn/dino/step.ts";
import {
  floatOutput,
  floats,
  type KeepingProgram,
  type KeptTensor,
  type Runtime,
  type TensorData,
  type Tensors,
} from "../../runtime/runtime.ts";
import { CoreError } from "../../util/errors.ts";

/** The tensors of a training by name, where the program keeps them. */
export type HeldTensors = ReadonlyMap<string, KeptTensor>;

/** Tensors whose arrays are given away. */
export type GivenTensors = ReadonlyMap<string, TensorData<"float32">>;

/** The programs of one training: from the tensors before a step to those after it, and what was measured. */
export interface StepPrograms {
  /** Takes over the tensors that the first step starts from. */
  adopt(tensors: GivenTensors): HeldTensors;
  run(
    tensors: HeldTensors,
    parts: readonly Tensors[],
    hyper: Float32Array,
  ): Promise<{ readonly next: HeldTensors; readonly measures: Float32Array }>;
  release(): Promise<void>;
}

/** Before the name of the output that replaces an input. */
const nextPrefix = "next.";

/** The whole step in one run. */
export async function wholeSteps(runtime: Runtime, graph: Graph): Promise<StepPrograms> {
  const program = await loadStep(runtime, graph);
  return {
    adopt: program.adopt,
    run: async (tensors, [feeds = {}], hyper) => {
      const { outputs, next } = await program.run(tensors, { ...feeds, ...hyperFeed(hyper) });
      return { next, measures: floatOutput(outputs, "measures").data };
    },
    release: program.release,
  };
}

/** One run for each micro-batch, and one for the optimiser. */
export async function accumulatedSteps(
  settings: TrainingSettings,
  runtime: Runtime,
  graph: Graph,
): Promise<StepPrograms> {
  const accumulate = await loadStep(runtime, graph);
  const update = await loadStep(runtime, updateGraph(settings));
  const zeros = (): HeldTensors =>
    accumulate.adopt(
      new Map(
        [...accumulatorShapes(settings)].map(([name, shape]) => [
          name,
          floats(new Float32Array(shape.reduce((product, size) => product * size, 1)), shape),
        ]),
      ),
    );
  let sums = zeros();
  return {
    adopt: update.adopt,
    run: async (tensors, parts, hyper) => {
      for (const [i, feeds] of parts.entries()) {
        // The first one is not added to anything: what is there belongs to the batch before.
        const carry = { carry: floats(Float32Array.of(i === 0 ? 0 : 1), [1]) };
        const { next } = await accumulate.run(new Map([...tensors, ...sums]), {
          ...feeds,
          ...hyperFeed(hyper),
          ...carry,
        });
        releaseAll(sums);
        sums = next;
      }
      const { outputs, next } = await update.run(new Map([...tensors, ...sums]), hyperFeed(hyper));
      const measures = floatOutput(outputs, "measures").data;
      // Zero times what is not a number is none either, so such sums would spoil the next batch.
      if (!measures.every(Number.isFinite)) {
        releaseAll(sums);
        sums = zeros();
      }
      return { next, measures };
    },
    release: async () => {
      releaseAll(sums);
      await accumulate.release();
      await update.release();
    },
  };
}

/** Gives the memory of those tensors back that are on the device. */
export function releaseAll(tensors: HeldTensors): void {
  for (const tensor of tensors.values()) tensor.release();
}

function hyperFeed(hyper: Float32Array): Tensors {
  return { hyper: floats(hyper, [hyper.length]) };
}

/** A program whose outputs `next.<name>` stay on the device, fed with those tensors that its graph reads. */
async function loadStep(
  runtime: Runtime,
  graph: Graph,
): Promise<{
  adopt(tensors: GivenTensors): HeldTensors;
  run(tensors: HeldTensors, feeds: Tensors): Promise<{ outputs: Tensors; next: Map<string, KeptTensor> }>;
  release(): Promise<void>;
}> {
  const kept = Object.keys(graph.outputs).filter((name) => name.startsWith(nextPrefix));
  const program: KeepingProgram = await runtime.loadKeeping(graph, kept);
  const names = graph.inputs.flatMap(({ source }) => (source.kind === "input" ? [source.name] : []));
  return {
    adopt: (tensors) =>
      new Map([...tensors].map(([name, tensor]) => [name, program.adopt(nextPrefix + name, tensor)] as const)),
    run: async (tensors, feeds) => {
      const inputs = names.map((name) => {
        const tensor = feeds[name] ?? tensors.get(name);
        if (tensor === undefined) throw new CoreError("training-input", `A training step needs ${name}, got none.`);
        return [name, tensor] as const;
      });
      const results = await program.run(Object.fromEntries(inputs));
      const next = Object.entries(results.kept).map(
        ([name, tensor]) => [name.slice(nextPrefix.length), tensor] as const,
      );
      return { outputs: results.outputs, next: new Map(next) };
    },
    release: () => program.release(),
  };
}
