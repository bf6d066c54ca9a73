import type { Graph } from "./graph.ts";
import { opRecord } from "./table.ts";
import { outputsOf, type Node, type Value } from "./value.ts";

/**
 * The outputs of a node that are part of the graph: all, but for optional ones at the end that nothing reads. So a layer
 * norm computes its mean and deviation for a gradient, and in a graph without one it has a single output.
 */
export function writtenOutputs(graph: Graph): (node: Node) => readonly Value[] {
  const counts = new Map<Node, number>();
  for (const node of graph.nodes) counts.set(node, opRecord(node.op).optionalFrom ?? node.outputs.length);
  for (const { source } of [...graph.nodes.flatMap((node) => node.inputs), ...Object.values(graph.outputs)]) {
    if (source.kind === "node") counts.set(source.node, Math.max(counts.get(source.node) ?? 0, source.index + 1));
  }
  return (node) => outputsOf(node).slice(0, counts.get(node));
}
