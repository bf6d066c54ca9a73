import { createGraph, type Graph } from "../graph/graph.ts";
import { matMul } from "../graph/ops/linear.ts";
import { transposeLast } from "../graph/ops/movement.ts";
import { topK } from "../graph/ops/reduce.ts";
import { input } from "../graph/value.ts";

/**
 * The assignment step of k-means: `points` [points, width] and `centres` [centres, width] give `similarities` and
 * `centres` [points, count], the most similar centres of each point, best first. With unit vectors on both sides the dot
 * product is the cosine: spherical k-means (Dhillon and Modha 2001, section 3).
 */
export function assignmentGraph(points: number, centres: number, width: number, count: number): Graph {
  const scores = matMul(input("points", [points, width]), transposeLast(input("centres", [centres, width])));
  const [similarities, nearest] = topK(scores, count);
  return createGraph("assignment", { similarities, nearest }, ["points", "centres"]);
}

/** All dot products of `points` [points, width] with `centres` [centres, width]: `scores` [centres, points]. */
export function productGraph(points: number, centres: number, width: number): Graph {
  const scores = matMul(input("centres", [centres, width]), transposeLast(input("points", [points, width])));
  return createGraph("products", { scores }, ["points", "centres"]);
}
