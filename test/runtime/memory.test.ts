import { expect, test } from "vitest";
import { createGraph } from "../../core/graph/graph.ts";
import { add, multiply } from "../../core/graph/ops/elementwise.ts";
import { sumAll } from "../../core/graph/ops/reduce.ts";
import { input, scalar } from "../../core/graph/value.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floats } from "../../core/runtime/runtime.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";

/** A sum of two vectors over all pairs of their elements, which takes 16 TiB on the way: no machine gives it. */
const length = 2 ** 21;
const graph = createGraph("pairs", {
  total: sumAll(multiply(add(input("a", [length, 1]), input("b", [1, length])), scalar(2))),
});
const zeros = new Float32Array(length);
const feeds = { a: floats(zeros, [length, 1]), b: floats(zeros, [1, length]) };

test("memory that a device does not give is told from other failures, with and without an arena", async () => {
  const runtime = createOrtRuntime("cpu");
  const plain = await runtime.load(graph);
  expect(await refusalOfAsync(() => plain.run(feeds))).toContain("device-memory: ");
  await plain.release();
  const keeping = await runtime.loadKeeping(graph, ["total"]);
  expect(await refusalOfAsync(() => keeping.run(feeds, {}))).toContain("device-memory: ");
  await keeping.release();
});
