import { CoreError } from "../util/errors.ts";
import { formatType, type Node, type TensorType, type Value } from "./value.ts";

/** How an operator is written in ONNX: its attributes, and the int64 tensors that follow its inputs. */
export interface OnnxForm {
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly constants?: readonly (readonly number[])[];
}

export type OnnxAttribute =
  | { readonly type: "int"; readonly value: number }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "ints"; readonly value: readonly number[] };

/**
 * Everything there is to know about an operator, in one place: its ONNX name, its shape rule and its attributes. A
 * transform of graphs is one more field here, so that an operator without it does not compile; the gradient rule of
 * autodiff has its place beside `infer`, as `(node, outputGradients) => inputGradients` on values.
 */
export interface OpRecord<Attributes extends object> {
  /** Operator of the standard `ai.onnx` domain, opset 20. */
  readonly onnx: string;
  /** Types of the outputs. Throws `graph-shape` for inputs that do not fit. */
  readonly infer: (inputs: readonly Value[], attributes: Attributes) => readonly TensorType[];
  /** Attributes in ONNX terms; left out for an operator that has none. */
  readonly toOnnx?: (attributes: Attributes, inputs: readonly Value[]) => OnnxForm;
}

/** An operator: its record, and a function for each number of outputs that applies it. */
export interface Op<Attributes extends object> extends OpRecord<Attributes> {
  readonly name: string;
  readonly apply: (inputs: readonly Value[], attributes: Attributes) => Value;
  readonly applyAll: (inputs: readonly Value[], attributes: Attributes) => readonly Value[];
}

/** Makes an operator from its record. `name` is its key in the table (table.ts). */
export function defineOp<Attributes extends object>(name: string, record: OpRecord<Attributes>): Op<Attributes> {
  const applyAll = (inputs: readonly Value[], attributes: Attributes): readonly Value[] => {
    const outputs = record.infer(inputs, attributes);
    const node: Node = { op: name, inputs, attributes, outputs };
    return outputs.map((type, index) => ({ ...type, source: { kind: "node", node, index } }));
  };
  return { name, ...record, applyAll, apply: (inputs, attributes) => first(applyAll(inputs, attributes), name) };
}

/** Attributes of an operator that has none. */
export type None = Readonly<Record<string, never>>;

/** The only element of a list, or the first; throws `graph-shape` for an empty list. */
export function first(values: readonly Value[], op: string): Value {
  const value = values[0];
  if (value === undefined) throw new CoreError("graph-shape", `${op} needs an input.`);
  return value;
}

/** Two inputs of one element type. Throws `graph-shape` for another number or a mixture. */
export function pair(values: readonly Value[], op: string): readonly [Value, Value] {
  const [a, b] = values;
  if (a === undefined || b === undefined || values.length !== 2) {
    throw new CoreError("graph-shape", `${op} needs two inputs, got ${values.map(formatType).join(", ")}.`);
  }
  if (a.element !== b.element) {
    throw new CoreError("graph-shape", `${op} cannot mix ${formatType(a)} with ${formatType(b)}.`);
  }
  return [a, b];
}
