import { CoreError } from "../util/errors.ts";

/** Element types that can be fed and read; the names are onnxruntime's. */
export type ElementType = "float32" | "int64";

export type ElementArray<E extends ElementType = ElementType> = E extends "float32" ? Float32Array : BigInt64Array;

/** A size: a number, or a name such as `batch` for a size that is known only when the graph runs. */
export type Dimension = number | string;

export type Shape = readonly Dimension[];

/** Type of a tensor: what its elements are and how they are laid out (row-major). */
export interface TensorType {
  /** `bool` lives inside a graph only, between a comparison and a choice. */
  readonly element: ElementType | "bool";
  readonly shape: Shape;
}

/**
 * A tensor in a graph that is being built. Values and nodes form a directed acyclic graph held together by references:
 * whatever no output needs is simply never reached, so there is no dead code to remove.
 */
export interface Value extends TensorType {
  readonly source: InputSource | ConstantSource | NodeSource;
}

/** Fed at each run. */
export interface InputSource {
  readonly kind: "input";
  readonly name: string;
}

/** Fixed when the graph is built: weights for inference, and the matrices that an operator works with. */
export interface ConstantSource {
  readonly kind: "constant";
  readonly data: Float32Array | BigInt64Array;
  /** Name to keep in the ONNX file, such as `blocks.0.norm1.weight`. */
  readonly name: string | undefined;
}

/** Output number `index` of a node. */
export interface NodeSource {
  readonly kind: "node";
  readonly node: Node;
  readonly index: number;
}

/** One application of an operator. */
export interface Node {
  /** Key of the operator in the table (table.ts). */
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly attributes: object;
  readonly outputs: readonly TensorType[];
}

/** The outputs of a node as values. */
export function outputsOf(node: Node): readonly Value[] {
  return node.outputs.map((type, index) => ({ ...type, source: { kind: "node", node, index } }));
}

/** A tensor that the caller feeds under `name`. */
export function input(name: string, shape: Shape, element: ElementType = "float32"): Value {
  return { element, shape, source: { kind: "input", name } };
}

/** A float32 tensor that is part of the graph. Throws `graph-shape` when `data` does not fill `shape`. */
export function constant(data: Float32Array, shape: readonly number[], name?: string): Value {
  if (data.length !== sizeOf(shape)) {
    throw new CoreError(
      "graph-shape",
      `A constant of shape ${formatShape(shape)} needs ${sizeOf(shape)} values, got ${data.length}.`,
    );
  }
  return { element: "float32", shape, source: { kind: "constant", data, name } };
}

/** A float32 number as a tensor without dimensions. */
export function scalar(value: number): Value {
  return constant(Float32Array.of(value), []);
}

/** Number of elements of a shape of numbers. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** `[batch,197,384]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

/** `float32[batch,197,384]`. */
export function formatType(type: TensorType): string {
  return `${type.element}${formatShape(type.shape)}`;
}

/** The size as a number. Throws `graph-shape` for a size that is not known yet; `what` names it in the sentence. */
export function known(dimension: Dimension | undefined, what: string): number {
  if (typeof dimension !== "number") {
    throw new CoreError("graph-shape", `${what} must be a known size, got ${dimension ?? "nothing"}.`);
  }
  return dimension;
}
