import type { Tensor } from "@tensorflow/tfjs-core";
import type { Graph } from "../graph/graph.ts";
import { opRecord, type OpName } from "../graph/table.ts";
import { formatShape, formatType, sizeOf, type Node, type Shape, type Value } from "../graph/value.ts";
import { CoreError } from "../util/errors.ts";
import type { Program, ProgramSource, TensorData, Tensors } from "./runtime.ts";
import { createKernels, type Kernel, type Tfjs } from "./tfjs-kernels.ts";

/**
 * A graph with its constants on `backend`, a name that tfjs knows. Throws `runtime-source` for the bytes of an ONNX file;
 * its runs throw `runtime-input` for feeds that do not fit and `runtime-released` after `release`.
 */
export async function loadTfjsProgram(tf: Tfjs, backend: string, source: ProgramSource): Promise<Program> {
  if (source instanceof Uint8Array) {
    throw new CoreError("runtime-source", "TensorFlow.js runs graphs that were built here, got an ONNX file.", {
      hint: "Run ONNX files on onnxruntime.",
    });
  }
  const constants = await onBackend(tf, backend, () => uploadConstants(tf, source));
  const finished = lastReads(source);
  let released = false;
  return {
    run: (inputs) =>
      onBackend(tf, backend, () => {
        if (released) throw new CoreError("runtime-released", "The program was released and cannot run any more.");
        return execute(tf, source, constants, finished, inputs);
      }),
    release: () => {
      released = true;
      for (const tensor of constants.values()) tensor.dispose();
      return Promise.resolve();
    },
  };
}

/** Work that is under way on some backend: which one tfjs uses is a setting of the whole process, so all take turns. */
let turn: Promise<unknown> = Promise.resolve();

/** Does `work` with `backend` in use, once those who asked before are done. */
function onBackend<T>(tf: Tfjs, backend: string, work: () => T): Promise<T> {
  const result = turn.then(async () => {
    if (tf.getBackend() !== backend && !(await tf.setBackend(backend))) {
      throw new CoreError("device-refused", `The ${backend} backend of TensorFlow.js does not start.`);
    }
    return work();
  });
  turn = result.catch(() => undefined);
  return result;
}

function uploadConstants(tf: Tfjs, graph: Graph): Map<object, Tensor> {
  const constants = new Map<object, Tensor>();
  for (const { element, shape, source } of graph.constants) {
    if (source.kind === "constant" && element !== "bool") {
      constants.set(source, toTensor(tf, { element, shape: shape as number[], data: source.data }));
    }
  }
  return constants;
}

/** For each node, the nodes whose results nobody reads after it. */
function lastReads(graph: Graph): ReadonlyMap<Node, readonly Node[]> {
  const lastReader = new Map<Node, Node>();
  for (const node of graph.nodes) {
    for (const { source } of node.inputs) if (source.kind === "node") lastReader.set(source.node, node);
  }
  for (const { source } of Object.values(graph.outputs)) if (source.kind === "node") lastReader.delete(source.node);
  return Map.groupBy(lastReader.keys(), (node) => lastReader.get(node) ?? node);
}

/** One run. */
function execute(
  tf: Tfjs,
  graph: Graph,
  constants: ReadonlyMap<object, Tensor>,
  finished: ReadonlyMap<Node, readonly Node[]>,
  inputs: Tensors,
): Tensors {
  const sizes = bindSizes(graph, inputs);
  const kernels = createKernels(tf) as Readonly<Record<OpName, Kernel<object>>>;
  const results: Record<string, TensorData> = {};
  tf.tidy(() => {
    const tensors = new Map<object, readonly Tensor[]>();
    for (const [source, tensor] of constants) tensors.set(source, [tensor]);
    for (const { source } of graph.inputs) {
      if (source.kind === "input") tensors.set(source, [toTensor(tf, feedOf(inputs, source.name))]);
    }
    const tensorOf = ({ source }: Value): Tensor => {
      const tensor = source.kind === "node" ? tensors.get(source.node)?.[source.index] : tensors.get(source)?.[0];
      if (tensor === undefined) throw new CoreError("internal", "A value is read before it is computed.");
      return tensor;
    };
    for (const node of graph.nodes) {
      const kernel = kernels[opRecord(node.op).name as OpName];
      const operands = node.inputs.map(tensorOf);
      const outputs = tf.tidy(() => kernel(operands, node.attributes, sizes));
      checkShapes(node, outputs, sizes);
      tensors.set(node, outputs);
      for (const done of finished.get(node) ?? []) tf.dispose([...(tensors.get(done) ?? [])]);
    }
    for (const [name, value] of Object.entries(graph.outputs)) results[name] = fromTensor(tensorOf(value));
  });
  return results;
}

/** Holds what tfjs computed against what the graph's shape rules foretold. */
function checkShapes(node: Node, outputs: readonly Tensor[], sizes: (shape: Shape) => number[]): void {
  node.outputs.forEach((type, i) => {
    const shape = outputs[i]?.shape ?? [];
    if (sizes(type.shape).join() !== shape.join()) {
      throw new CoreError("internal", `${node.op} should give ${formatType(type)}, and gave ${formatShape(shape)}.`);
    }
  });
}

function feedOf(inputs: Tensors, name: string): TensorData {
  const feed = inputs[name];
  if (feed === undefined) throw new CoreError("runtime-input", `The graph needs an input ${name}, got none.`);
  return feed;
}

/** Checks the feeds against the graph's inputs and gives the numbers behind its named sizes. */
function bindSizes(graph: Graph, inputs: Tensors): (shape: Shape) => number[] {
  const bound = new Map<string, number>();
  for (const value of graph.inputs) {
    if (value.source.kind !== "input") continue;
    const { name } = value.source;
    const { element, shape, data } = feedOf(inputs, name);
    const fits =
      element === value.element &&
      shape.length === value.shape.length &&
      data.length === sizeOf(shape) &&
      value.shape.every((wanted, i) => {
        const size = shape[i] ?? 0;
        if (typeof wanted === "number") return wanted === size;
        if (!bound.has(wanted)) bound.set(wanted, size);
        return bound.get(wanted) === size;
      });
    if (!fits) {
      const names = [...bound].map(([dimension, size]) => `${dimension} = ${size}`).join(", ");
      throw new CoreError(
        "runtime-input",
        `Input ${name} must be ${formatType(value)}${names && ` with ${names}`}, got ${data.length} values as ${element}${formatShape(shape)}.`,
      );
    }
  }
  return (shape) =>
    shape.map((dimension) => {
      const size = typeof dimension === "number" ? dimension : bound.get(dimension);
      if (size === undefined) throw new CoreError("internal", `No input says how large ${dimension} is.`);
      return size;
    });
}

/** tfjs has no int64: positions become int32, which counts any axis that fits into memory. */
function toTensor(tf: Tfjs, { element, shape, data }: TensorData): Tensor {
  if (element === "float32") return tf.tensor(data as Float32Array, [...shape]);
  const wide = [...(data as BigInt64Array)];
  if (wide.some((value) => value !== BigInt.asIntN(32, value))) {
    throw new CoreError("runtime-input", "TensorFlow.js holds whole numbers up to 2147483647, got a larger one.");
  }
  return tf.tensor(Int32Array.from(wide, Number), [...shape], "int32");
}

/** A copy: on the plain backend the values are the tensor's own memory, or the caller's. */
function fromTensor(tensor: Tensor): TensorData {
  const shape = [...tensor.shape];
  const values = tensor.dataSync();
  return tensor.dtype === "int32"
    ? { element: "int64", shape, data: BigInt64Array.from(values, BigInt) }
    : { element: "float32", shape, data: Float32Array.from(values) };
}
