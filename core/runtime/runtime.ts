import type { Graph } from "../graph/graph.ts";
import type { ElementArray, ElementType } from "../graph/value.ts";

/** Where graphs run. `tfjs` is the second opinion for tests and self-tests, never chosen by itself. */
export type DeviceName = "cuda" | "webgpu" | "directml" | "coreml" | "cpu" | "tfjs";

/** A tensor outside a graph: row-major values. */
export interface TensorData<E extends ElementType = ElementType> {
  readonly element: E;
  readonly shape: readonly number[];
  readonly data: ElementArray<E>;
}

export type Tensors = Readonly<Record<string, TensorData>>;

/** A graph, or the bytes of an ONNX model made elsewhere. */
export type ProgramSource = Graph | Uint8Array<ArrayBuffer>;

/** A graph that is loaded on a device. */
export interface Program {
  /** Runs once. Outputs are copies that the caller owns. */
  run(inputs: Tensors): Promise<Tensors>;
  /** Frees what it holds on the device. */
  release(): Promise<void>;
}

/** A tensor that stays where a program computed it, such as a card's memory; any program of its runtime can read it there. */
export interface KeptTensor {
  readonly shape: readonly number[];
  /** A copy of its values. */
  read(): Promise<TensorData>;
  /** Gives its memory back; it can be read and fed no more. */
  release(): void;
}

/** What a run of a program that keeps outputs gives: copies of some, the others where they were computed. */
export interface KeptResults {
  readonly outputs: Tensors;
  readonly kept: Readonly<Record<string, KeptTensor>>;
}

/** A program whose large outputs stay on the device, to be fed to its next run: weights from step to step. */
export interface KeepingProgram {
  /**
   * Runs once. `into` names for outputs that are kept the tensors of their shapes that they replace: these are used up, and
   * where the device allows it the outputs are written over them. Such a tensor may be fed to the same run as long as the
   * graph reads it nowhere but on the way to that output, element by element: then each value is read before it is written.
   */
  run(
    inputs: Readonly<Record<string, TensorData | KeptTensor>>,
    into: Readonly<Record<string, KeptTensor>>,
  ): Promise<KeptResults>;
  /** Takes over a tensor of the caller's as if a run had kept it. Its array is the runtime's from now on, to be written to. */
  adopt(tensor: TensorData<"float32">): KeptTensor;
  release(): Promise<void>;
}

/** A device that can load graphs. */
export interface Runtime {
  readonly device: DeviceName;
  load(source: ProgramSource): Promise<Program>;
  /** Loads a graph whose outputs called `kept`, of float32, stay on the device. */
  loadKeeping(source: ProgramSource, kept: readonly string[]): Promise<KeepingProgram>;
}

/** A float32 tensor. */
export function floats(data: Float32Array, shape: readonly number[]): TensorData<"float32"> {
  return { element: "float32", shape, data };
}

/** The values of the float32 output `name`. Throws when there is none. */
export function floatOutput(outputs: Tensors, name: string): TensorData<"float32"> {
  const tensor = outputs[name];
  if (tensor?.element !== "float32") throw new Error(`The program gave no float32 output ${name}.`);
  return tensor as TensorData<"float32">;
}

/** Whether a feed is a tensor that stayed on a device. */
export function isKept(tensor: TensorData | KeptTensor): tensor is KeptTensor {
  return "read" in tensor;
}

/** A program that keeps outputs as plain copies, for a runtime without memory of its own. */
export function keepCopies(program: Program, kept: readonly string[]): KeepingProgram {
  const keep = (tensor: TensorData): KeptTensor => ({
    shape: tensor.shape,
    read: () => Promise.resolve({ ...tensor, data: tensor.data.slice() }),
    release: () => undefined,
  });
  return {
    adopt: keep,
    run: async (inputs) => {
      const feeds: Record<string, TensorData> = {};
      for (const [name, tensor] of Object.entries(inputs)) feeds[name] = isKept(tensor) ? await tensor.read() : tensor;
      const results = Object.entries(await program.run(feeds));
      const keeps = ([name]: [string, TensorData]): boolean => kept.includes(name);
      return {
        outputs: Object.fromEntries(results.filter((result) => !keeps(result))),
        kept: Object.fromEntries(results.filter(keeps).map(([name, tensor]) => [name, keep(tensor)])),
      };
    },
    release: () => program.release(),
  };
}
