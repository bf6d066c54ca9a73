import { CoreError } from "../util/errors.ts";
import type { Graph } from "./graph.ts";
import { writtenOutputs } from "./outputs.ts";
import type { Value } from "./value.ts";

/** Gives each value of a graph a name of its own: inputs, outputs and named constants keep theirs. */
export function nameValues(graph: Graph): (value: Value) => string {
  const names = new Map<object, string[]>();
  const taken = new Set<string>(Object.keys(graph.outputs));
  // The last number tried for a name, so that thousands of nameless constants do not each count from 1.
  const numbers = new Map<string, number>();
  const fresh = (base: string): string => {
    let name = base;
    for (let i = (numbers.get(base) ?? 0) + 1; taken.has(name); i++) {
      name = `${base}_${i}`;
      numbers.set(base, i);
    }
    taken.add(name);
    return name;
  };
  for (const { source } of graph.inputs) {
    if (source.kind === "input") names.set(source, [fresh(source.name)]);
  }
  for (const { source } of graph.constants) {
    if (source.kind === "constant") names.set(source, [fresh(source.name ?? "constant")]);
  }
  const counts = new Map<string, number>();
  const outputsOf = writtenOutputs(graph);
  for (const node of graph.nodes) {
    const count = (counts.get(node.op) ?? 0) + 1;
    counts.set(node.op, count);
    const outputs = outputsOf(node);
    names.set(
      node,
      outputs.map((_, i) => fresh(outputs.length === 1 ? `${node.op}_${count}` : `${node.op}_${count}.${i}`)),
    );
  }
  return (value) => {
    const { source } = value;
    const name = source.kind === "node" ? names.get(source.node)?.[source.index] : names.get(source)?.[0];
    if (name === undefined) throw new CoreError("internal", "A value is not part of the graph.");
    return name;
  };
}
