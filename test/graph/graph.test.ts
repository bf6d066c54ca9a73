import { expect, test } from "vitest";
import { createGraph } from "../../core/graph/graph.ts";
import { encodeOnnx } from "../../core/graph/onnx.ts";
import { add, gelu, multiply, squareRoot, subtract } from "../../core/graph/ops/elementwise.ts";
import { split } from "../../core/graph/ops/movement.ts";
import { greater, where } from "../../core/graph/ops/select.ts";
import { printGraph } from "../../core/graph/print.ts";
import { input, scalar, type Value } from "../../core/graph/value.ts";
import { refusalOf } from "../helpers/refusal.ts";

const inputNames = (graph: ReturnType<typeof createGraph>): string[] =>
  graph.inputs.map(({ source }) => (source.kind === "input" ? source.name : source.kind));

test("each node comes after the nodes that it reads", () => {
  const x = input("x", [4]);
  const [left, right] = split(gelu(x), 0, 2);
  const both = add(left as Value, right as Value);
  const graph = createGraph("g", { y: multiply(both, squareRoot(both)), z: subtract(both, left as Value) });
  const place = new Map(graph.nodes.map((node, i) => [node, i]));
  for (const [i, node] of graph.nodes.entries()) {
    for (const { source } of node.inputs) {
      if (source.kind === "node") expect(place.get(source.node)).toBeLessThan(i);
    }
  }
  expect(graph.nodes.map(({ op }) => op).sort()).toEqual([
    "add",
    "gelu",
    "multiply",
    "split",
    "squareRoot",
    "subtract",
  ]);
});

test("a value that is read many times is computed once", () => {
  const x = input("x", [2]);
  let y = x;
  // Every step reads the one before twice: 2^60 paths lead from the end to the start.
  for (let i = 0; i < 60; i++) y = add(y, y);
  const graph = createGraph("g", { y, again: y });
  expect(graph.nodes).toHaveLength(60);
  expect(graph.inputs).toHaveLength(1);
});

test("what no output needs is not part of the graph", () => {
  const x = input("x", [2]);
  gelu(multiply(x, input("unused", [2])));
  const graph = createGraph("g", { y: add(x, scalar(1)) });
  expect(graph.nodes.map(({ op }) => op)).toEqual(["add"]);
  expect(inputNames(graph)).toEqual(["x"]);
  expect(graph.constants).toHaveLength(1);
});

test("inputs come in the order in which they are met, unless an order is given", () => {
  const sum = add(add(input("a", []), input("b", [])), input("c", []));
  expect(inputNames(createGraph("g", { sum }))).toEqual(["a", "b", "c"]);
  expect(inputNames(createGraph("g", { sum }, ["c", "missing", "a"]))).toEqual(["c", "a", "b"]);
});

test("ten thousand nodes in a row are no deeper than the stack", () => {
  let y = input("x", [1]);
  for (let i = 0; i < 10_000; i++) y = add(y, scalar(i));
  const graph = createGraph("deep", { y });
  expect(graph.nodes).toHaveLength(10_000);
  expect(graph.constants).toHaveLength(10_000);
  expect(printGraph(graph).split("\n")).toHaveLength(20_003);
  expect(encodeOnnx(graph).length).toBeGreaterThan(10_000);
});

test("two inputs of one name are refused", () => {
  const y = add(input("x", [2]), input("x", [2]));
  expect(refusalOf(() => createGraph("g", { y }))).toBe("graph-input: Two inputs are called x.");
});

test("one input may be read in several places", () => {
  const x = input("x", [2]);
  expect(inputNames(createGraph("g", { y: add(x, gelu(x)) }))).toEqual(["x"]);
});

test("an output may not take the name of an input, which is fed under it", () => {
  const x = input("x", [2]);
  const expected = "graph-input: An input and an output are both called x.";
  expect(refusalOf(() => createGraph("g", { x: gelu(x) }))).toBe(expected);
  expect(refusalOf(() => createGraph("g", { x }))).toBe(expected);
});

test("a truth value may choose inside a graph, and is refused as an output", () => {
  const x = input("x", [2]);
  const above = greater(x, scalar(0));
  expect(createGraph("g", { y: where(above, x, scalar(0)) }).nodes.map(({ op }) => op)).toEqual(["greater", "where"]);
  expect(refusalOf(() => createGraph("g", { above }))).toBe(
    "graph-output: Output above holds bool, which nobody reads.",
  );
});
