import { CoreError } from "../util/errors.ts";
import { postOrder } from "./graph.ts";
import { add } from "./ops/elementwise.ts";
import { opRecord } from "./table.ts";
import { formatType, outputsOf, type Node, type Value } from "./value.ts";

/** Where a walk backwards starts: a value, and the gradient of whatever is minimised with respect to it. */
export interface GradientSeed {
  readonly value: Value;
  /** Of the same type as `value`. */
  readonly gradient: Value;
}

/**
 * Reverse-mode differentiation: the gradient with respect to each wanted value, given those with respect to the seeds, in
 * the order of `wanted`, as values like any others. What leads to no wanted value is not differentiated, so nothing is
 * built for pixels and constants.
 *
 * Throws `graph-gradient` for a seed of another type than its value, for a wanted value that no seed is computed from, and
 * where a gradient would have to pass an operator that has none.
 */
export function gradients(seeds: readonly GradientSeed[], wanted: readonly Value[]): readonly Value[] {
  const isWanted = createSlots<true>();
  for (const value of wanted) isWanted.set(value, true);
  const nodes: Node[] = [];
  const leading = new Set<Node>();
  const leads = (value: Value): boolean =>
    isWanted.get(value) === true || (value.source.kind === "node" && leading.has(value.source.node));
  for (const { source } of postOrder(seeds.map(({ value }) => value))) {
    if (source.kind !== "node") continue;
    nodes.push(source.node);
    if (source.node.inputs.some(leads)) leading.add(source.node);
  }

  const flow = createSlots<Value>();
  const accumulate = (value: Value, gradient: Value): void => {
    const before = flow.get(value);
    flow.set(value, before === undefined ? gradient : add(before, gradient));
  };
  for (const { value, gradient } of seeds) {
    if (value.element !== "float32" || formatType(value) !== formatType(gradient)) {
      const types = `${formatType(value)} is seeded with ${formatType(gradient)}`;
      throw new CoreError("graph-gradient", `A gradient is float32 and of its value's shape; ${types}.`);
    }
    accumulate(value, gradient);
  }
  // Backwards through an order in which each node follows what it reads: all gradients of a node's outputs are complete.
  for (const node of nodes.toReversed()) {
    if (leading.has(node)) passBack(node, flow, leads, accumulate);
  }
  return wanted.map((value) => {
    const gradient = flow.get(value);
    if (gradient !== undefined) return gradient;
    throw new CoreError("graph-gradient", `No gradient reaches ${describe(value)}: no seed depends on it.`);
  });
}

function passBack(
  node: Node,
  flow: Slots<Value>,
  leads: (value: Value) => boolean,
  accumulate: (value: Value, gradient: Value) => void,
): void {
  const outputs = outputsOf(node);
  const arrived = outputs.map((output) => flow.get(output));
  if (arrived.every((gradient) => gradient === undefined)) return;
  const { gradient: rule } = opRecord(node.op);
  if (typeof rule !== "function") {
    throw new CoreError("graph-gradient", `${node.op} has no gradient: ${rule.because}.`);
  }
  const { inputs, attributes } = node;
  const results = rule({ inputs, outputs, attributes, gradients: arrived });
  for (const [i, value] of inputs.entries()) {
    const gradient = leads(value) ? results[i]?.() : undefined;
    if (gradient === undefined) continue;
    if (formatType(gradient) !== formatType(value)) {
      const types = `${formatType(gradient)} for ${formatType(value)}`;
      throw new CoreError("internal", `The gradient of ${node.op} gave ${types}.`);
    }
    accumulate(value, gradient);
  }
}

/** Something for each value, under its source: values are told apart by where they come from. */
interface Slots<T> {
  readonly get: (value: Value) => T | undefined;
  readonly set: (value: Value, content: T) => void;
}

function createSlots<T>(): Slots<T> {
  const slots = new Map<object, (T | undefined)[]>();
  const place = ({ source }: Value): [key: object, index: number] =>
    source.kind === "node" ? [source.node, source.index] : [source, 0];
  return {
    get: (value) => {
      const [key, index] = place(value);
      return slots.get(key)?.[index];
    },
    set: (value, content) => {
      const [key, index] = place(value);
      const known = slots.get(key) ?? [];
      known[index] = content;
      slots.set(key, known);
    },
  };
}

function describe({ source, ...type }: Value): string {
  const name = source.kind === "node" ? source.node.op : (source.name ?? source.kind);
  return `${name}: ${formatType(type)}`;
}
