import { CoreError } from "../util/errors.ts";
import { broadcastShapes } from "./shape.ts";
import { formatType, outputsOf, type TensorType, type Value } from "./value.ts";

/** How an operator is written in ONNX: its attributes, and the int64 tensors that follow its inputs. */
export interface OnnxForm {
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly constants?: readonly (readonly number[])[];
}

export type OnnxAttribute =
  | { readonly type: "int"; readonly value: number }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "ints"; readonly value: readonly number[] };

/** One node seen from behind: what a gradient rule may read. */
export interface GradientStep<Attributes extends object> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
  /** The gradient with respect to each output, of its type; undefined where nothing flows. One flows at least. */
  readonly gradients: readonly (Value | undefined)[];
}

/** The gradient with respect to one input, built when someone wants it; undefined for an input that cannot have one. */
export type InputGradient = (() => Value) | undefined;

/** From the gradients of the outputs to those of the inputs: one entry an input, of the input's type. */
export type GradientRule<Attributes extends object> = (step: GradientStep<Attributes>) => readonly InputGradient[];

/** Said of an operator that is never differentiated: `because` ends the sentence "x has no gradient: ...". */
export interface NoGradient {
  readonly because: string;
}

/**
 * Everything there is to know about an operator, in one place: its ONNX name, its shape rule, its attributes and its
 * gradient. A transform of graphs is one more field here, so that an operator without it does not compile.
 */
export interface OpRecord<Attributes extends object> {
  /** Operator of the standard `ai.onnx` domain, opset 20. */
  readonly onnx: string;
  /** Types of the outputs. Throws `graph-shape` for inputs that do not fit. */
  readonly infer: (inputs: readonly Value[], attributes: Attributes) => readonly TensorType[];
  /** Attributes in ONNX terms; left out for an operator that has none. */
  readonly toOnnx?: (attributes: Attributes, inputs: readonly Value[]) => OnnxForm;
  /** Outputs from this number on are part of a graph only where something reads them (outputs.ts). */
  readonly optionalFrom?: number;
  /** How gradients pass it backwards (gradient.ts), or why none do. */
  readonly gradient: GradientRule<Attributes> | NoGradient;
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
    return outputsOf({ op: name, inputs, attributes, outputs });
  };
  return { name, ...record, applyAll, apply: (inputs, attributes) => first(applyAll(inputs, attributes), name) };
}

/** All but the gradient of an operator that gives one output of its only input's type. */
export function sameType(name: string, onnx: string): Pick<Op<None>, "onnx" | "infer"> {
  return {
    onnx,
    infer: (inputs) => {
      const { element, shape } = first(inputs, name);
      return [{ element, shape }];
    },
  };
}

/** Makes an element-wise operator of two inputs, with broadcasting. */
export function binaryOp(name: string, onnx: string, gradient: GradientRule<object>): Op<None> {
  return defineOp<None>(name, {
    onnx,
    infer: (inputs) => {
      const [a, b] = pair(inputs, name);
      return [{ element: a.element, shape: broadcastShapes(a.shape, b.shape, name) }];
    },
    gradient,
  });
}

/** The rule of an operator with one input and one output: (input, output, output's gradient, attributes) to gradient. */
export function unaryRule<Attributes extends object>(
  rule: (a: Value, y: Value, gradient: Value, attributes: Attributes) => Value,
): GradientRule<Attributes> {
  return ({ inputs: [a], outputs: [y], gradients: [gradient], attributes }) => [
    () => rule(present(a), present(y), present(gradient), attributes),
  ];
}

/** The rule of an operator with two inputs and one output, one function for each input. */
export function binaryRule(
  toA: (gradient: Value, a: Value, b: Value, y: Value) => Value,
  toB: (gradient: Value, a: Value, b: Value, y: Value) => Value,
): GradientRule<object> {
  return ({ inputs: [a, b], outputs: [y], gradients: [gradient] }) =>
    [toA, toB].map((rule) => () => rule(present(gradient), present(a), present(b), present(y)));
}

/** A value that the shape rules and the walk backwards promise; this tells the compiler. */
export function present(value: Value | undefined): Value {
  if (value === undefined) throw new CoreError("internal", "A gradient rule got too few values.");
  return value;
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
