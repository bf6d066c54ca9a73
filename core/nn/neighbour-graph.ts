import { createGraph, type Graph } from "../graph/graph.ts";
import { matMul } from "../graph/ops/linear.ts";
import { transposeLast } from "../graph/ops/movement.ts";
import { topK } from "../graph/ops/reduce.ts";
import { input } from "../graph/value.ts";

/**
 * The nearest rows of a bank by dot product: `queries` [queries, width] and `bank` [rows, width] give `similarities` and
 * `rows` [queries, count], most similar first. With unit vectors the dot product is the cosine.
 */
export function neighbourGraph(queries: number, rows: number, width: number, count: number): Graph {
  const scores = matMul(input("queries", [queries, width]), transposeLast(input("bank", [rows, width])));
  const [similarities, positions] = topK(scores, count);
  return createGraph("neighbours", { similarities, rows: positions }, ["queries", "bank"]);
}
