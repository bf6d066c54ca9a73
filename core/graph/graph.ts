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
 * Throws `graph-input` when two inputs, or an input and an output, share a name: callers feed and read by name.
 */
export function createGraph(
  name: string,
  outputs: Readonly<Record<string, Value>>,
  order: readonly string[] = [],
): Graph {
  const nodes = new Set<Node>();
  const inputs = new Map<string, Value>();
  const constants = new Map<object, Value>();
  const visit = (root: Value): void => {
    // Depth first with a stack of its own: a twelve-block transformer and its gradient are too deep to recurse.
    const stack: { value: Value; entered: boolean }[] = [{ value: root, entered: false }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const { source } = top.value;
      if (source.kind === "input") {
        const known = inputs.get(source.name);
        if (known !== undefined && known.source !== source) {
          throw new CoreError("graph-input", `Two inputs are called ${source.name}.`);
        }
        inputs.set(source.name, top.value);
      } else if (source.kind === "constant") {
        constants.set(source, top.value);
      } else if (top.entered) {
        nodes.add(source.node);
      } else if (!nodes.has(source.node)) {
        stack.push({ value: top.value, entered: true });
        for (const value of source.node.inputs.toReversed()) stack.push({ value, entered: false });
      }
    }
  };
  for (const value of Object.values(outputs)) visit(value);
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
    nodes: [...nodes],
    constants: [...constants.values()],
  };
}
