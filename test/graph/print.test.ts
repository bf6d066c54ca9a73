import { expect, test } from "vitest";
import { createGraph } from "../../core/graph/graph.ts";
import { add, gelu } from "../../core/graph/ops/elementwise.ts";
import { matMul } from "../../core/graph/ops/linear.ts";
import { slice, transposeLast } from "../../core/graph/ops/movement.ts";
import { layerNorm, topK } from "../../core/graph/ops/reduce.ts";
import { printGraph } from "../../core/graph/print.ts";
import { constant, input, scalar } from "../../core/graph/value.ts";

test("a graph prints as one line a constant and a node, with types and attributes", () => {
  const x = input("x", ["batch", 4]);
  const weight = constant(new Float32Array(12), [3, 4], "head.weight");
  const ones = constant(new Float32Array(4).fill(1), [4]);
  const normal = layerNorm(x, ones, constant(new Float32Array(4), [4]), 1e-6);
  const hidden = gelu(gelu(matMul(normal, transposeLast(weight))));
  const [values, positions] = topK(add(hidden, scalar(0.5)), 2);
  const graph = createGraph("small", { best: positions, first: slice(values, 1, 0, 1) });
  expect(printGraph(graph)).toBe(
    `
graph small(x: float32[batch,4]) {
  constant constant: float32[4]
  constant constant_1: float32[4]
  constant head.weight: float32[3,4]
  constant constant_2: float32[]
  layerNorm_1: float32[batch,4] = layerNorm(x, constant, constant_1, epsilon=0.000001)
  transpose_1: float32[4,3] = transpose(head.weight, order=[1,0])
  matMul_1: float32[batch,3] = matMul(layerNorm_1, transpose_1)
  gelu_1: float32[batch,3] = gelu(matMul_1)
  gelu_2: float32[batch,3] = gelu(gelu_1)
  add_1: float32[batch,3] = add(gelu_2, constant_2)
  topK_1.0: float32[batch,2], topK_1.1: int64[batch,2] = topK(add_1, count=2)
  slice_1: float32[batch,1] = slice(topK_1.0, axis=1, start=0, end=1)
  return { best: topK_1.1, first: slice_1 }
}`.trim(),
  );
});

test("no two values print under one name, whatever inputs, outputs and constants are called", () => {
  const x = input("add_1", [2]);
  const sum = add(add(x, constant(new Float32Array(2), [2], "gelu_1")), constant(new Float32Array(2), [2], "add_1"));
  expect(printGraph(createGraph("g", { add_2: gelu(sum) }))).toBe(
    `
graph g(add_1: float32[2]) {
  constant gelu_1: float32[2]
  constant add_1_1: float32[2]
  add_1_2: float32[2] = add(add_1, gelu_1)
  add_2_1: float32[2] = add(add_1_2, add_1_1)
  gelu_1_1: float32[2] = gelu(add_2_1)
  return { add_2: gelu_1_1 }
}`.trim(),
  );
});
