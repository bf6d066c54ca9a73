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

/** A device that can load graphs. */
export interface Runtime {
  readonly device: DeviceName;
  load(source: ProgramSource): Promise<Program>;
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
