import { CoreError } from "../util/errors.ts";
import type { Node, Value } from "./value.ts";

/** A graph that is ready to be printed, written as ONNX or run: nodes in an order in which each can be computed. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: Readonly<Record<string, Value>>;
  readonly nodes: readonly Node[];
  readonly constants: readonly Value[];
}

/**
 * Collects what the outputs need. Inputs are listed in the order in which they are met, unless `inputs` names an order.
 * Throws `graph-input` when two inputs, or an input and an output, share a name: callers feed and read by name; and
 * `graph-output` for an output of truth values, which no runtime hands out.
 */
export function createGraph(
  name: string,
  outputs: Readonly<Record<string, Value>>,
  order: readonly string[] = [],
): Graph {
  const nodes: Node[] = [];
  const inputs = new Map<string, Value>();
  const constants = new Map<object, Value>();
  for (const value of postOrder(Object.values(outputs))) {
    const { source } = value;
    if (source.kind === "input") {
      const known = inputs.get(source.name);
      if (known !== undefined && known.source !== source) {
        throw new CoreError("graph-input", `Two inputs are called ${source.name}.`);
      }
      inputs.set(source.name, value);
    } else if (source.kind === "constant") {
      constants.set(source, value);
    } else {
      nodes.push(source.node);
    }
  }
  for (const [outputName, { element }] of Object.entries(outputs)) {
    if (element === "bool") throw new CoreError("graph-output", `Output ${outputName} holds bool, which nobody reads.`);
  }
  for (const inputName of inputs.keys()) {
    if (Object.hasOwn(outputs, inputName)) {
      throw new CoreError("graph-input", `An input and an output are both called ${inputName}.`);
    }
  }
  const position = (value: Value): number => {
    const index = value.source.kind === "input" ? order.indexOf(value.source.name) : -1;
    return index < 0 ? order.length : index;
  };
  return {
    name,
    inputs: [...inputs.values()].sort((a, b) => position(a) - position(b)),
    outputs,
    nodes,
    constants: [...constants.values()],
  };
}

/**
 * What `roots` are computed from, themselves included, each after all that it reads: one value for each node, and inputs
 * and constants as often as they are read.
 */
export function* postOrder(roots: Iterable<Value>): Generator<Value> {
  const done = new Set<Node>();
  for (const root of roots) {
    // Depth first with a stack of its own: a twelve-block transformer and its gradient are too deep to recurse.
    const stack: { value: Value; entered: boolean }[] = [{ value: root, entered: false }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const { source } = top.value;
      if (source.kind !== "node") {
        yield top.value;
      } else if (!done.has(source.node)) {
        if (top.entered) {
          done.add(source.node);
          yield top.value;
        } else {
          stack.push({ value: top.value, entered: true });
          for (const value of source.node.inputs.toReversed()) stack.push({ value, entered: false });
        }
      }
    }
  }
}
