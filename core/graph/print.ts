import type { Graph } from "./graph.ts";
import { nameValues } from "./names.ts";
import { writtenOutputs } from "./outputs.ts";
import { formatShape, formatType, type Node, type Value } from "./value.ts";

/**
 * The graph as text, one line a node:
 *
 *     graph tiny(x: float32[batch,4]) {
 *       matMul_1: float32[batch,2] = matMul(x, weight)
 *       return { y: matMul_1 }
 *     }
 */
export function printGraph(graph: Graph): string {
  const nameOf = nameValues(graph);
  const outputsOf = writtenOutputs(graph);
  const typed = (value: Value): string => `${nameOf(value)}: ${formatType(value)}`;
  const lines = [`graph ${graph.name}(${graph.inputs.map(typed).join(", ")}) {`];
  for (const value of graph.constants) lines.push(`  constant ${typed(value)}`);
  for (const node of graph.nodes) {
    const results = outputsOf(node).map(typed);
    lines.push(
      `  ${results.join(", ")} = ${node.op}(${[...node.inputs.map(nameOf), ...printAttributes(node)].join(", ")})`,
    );
  }
  const outputs = Object.entries(graph.outputs).map(([name, value]) => `${name}: ${nameOf(value)}`);
  lines.push(`  return { ${outputs.join(", ")} }`, "}");
  return lines.join("\n");
}

function printAttributes(node: Node): string[] {
  return Object.entries(node.attributes).map(
    ([name, value]: [string, unknown]) =>
      `${name}=${Array.isArray(value) ? formatShape(value as number[]) : String(value)}`,
  );
}
