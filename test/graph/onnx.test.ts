import * as ort from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { createGraph, type Graph } from "../../core/graph/graph.ts";
import { encodeOnnx } from "../../core/graph/onnx.ts";
import { add, gelu, multiply } from "../../core/graph/ops/elementwise.ts";
import { matMul } from "../../core/graph/ops/linear.ts";
import { reshape, split } from "../../core/graph/ops/movement.ts";
import { topK } from "../../core/graph/ops/reduce.ts";
import { constant, input, scalar, type Value } from "../../core/graph/value.ts";

const sessions: ort.InferenceSession[] = [];

/** onnxruntime is the reader that the writer did not write. */
async function decode(bytes: Uint8Array): Promise<ort.InferenceSession> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  sessions.push(session);
  return session;
}

async function run(graph: Graph, feeds: Record<string, ort.Tensor>): Promise<ort.InferenceSession.OnnxValueMapType> {
  return (await decode(encodeOnnx(graph))).run(feeds);
}

afterAll(async () => {
  for (const session of sessions) await session.release();
});

const floats = (values: readonly number[], shape: readonly number[]): ort.Tensor =>
  new ort.Tensor("float32", Float32Array.from(values), shape);

test("a written graph computes what its operators say, and keeps names, types and open sizes", async () => {
  const x = input("x", ["batch", 2]);
  const weight = constant(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3], "weight");
  const [values, positions] = topK(add(matMul(x, weight), scalar(0.5)), 2);
  const session = await decode(encodeOnnx(createGraph("small", { values, positions })));
  expect(session.inputMetadata).toEqual([{ name: "x", isTensor: true, type: "float32", shape: ["batch", 2] }]);
  expect(session.outputMetadata).toEqual([
    { name: "values", isTensor: true, type: "float32", shape: ["batch", 2] },
    { name: "positions", isTensor: true, type: "int64", shape: ["batch", 2] },
  ]);
  const outputs = await session.run({ x: floats([1, 0, 0, -1], [2, 2]) });
  expect([...(outputs["values"]?.data as Float32Array)]).toEqual([3.5, 2.5, -3.5, -4.5]);
  expect([...(outputs["positions"]?.data as BigInt64Array)]).toEqual([2n, 1n, 0n, 1n]);
});

test("an open size takes whatever comes, through reshapes too", async () => {
  const graph = createGraph("open", { y: reshape(input("x", ["batch", 6]), [2, "batch", 3]) });
  const session = await decode(encodeOnnx(graph));
  for (const batch of [1, 5]) {
    const { y } = await session.run({ x: floats(new Array<number>(6 * batch).fill(1), [batch, 6]) });
    expect(y?.dims).toEqual([2, batch, 3]);
  }
});

test("one value may serve several outputs, and an input or a constant may be one", async () => {
  const x = input("x", [2]);
  const doubled = multiply(x, scalar(2));
  const [left, right] = split(doubled, 0, 2) as [Value, Value];
  const fixed = constant(Float32Array.of(7, 8), [2]);
  const outputs = await run(createGraph("shared", { a: doubled, b: doubled, right, left, fixed, same: x }), {
    x: floats([1, 2], [2]),
  });
  expect(
    Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, [...(data as Float32Array)]])),
  ).toEqual({ a: [2, 4], b: [2, 4], right: [4], left: [2], fixed: [7, 8], same: [1, 2] });
});

test("names that clash inside do not disturb what is fed and read by name", async () => {
  const x = input("gelu_1", [1]);
  const y = multiply(gelu(x), constant(Float32Array.of(3), [1], "gelu_1"));
  const { constant: result } = await run(createGraph("clash", { constant: add(y, scalar(1)) }), {
    gelu_1: floats([0], [1]),
  });
  expect([...(result?.data as Float32Array)]).toEqual([1]);
});

test("a constant that is a window of a longer array is written alone", async () => {
  const window = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
  const { y } = await run(createGraph("window", { y: add(input("x", [2]), constant(window, [2])) }), {
    x: floats([0, 0], [2]),
  });
  expect([...(y?.data as Float32Array)]).toEqual([1, 2]);
});

test("a chain of ten thousand nodes loads and runs", async () => {
  let y = input("x", [1]);
  const one = scalar(1);
  for (let i = 0; i < 10_000; i++) y = add(y, one);
  const outputs = await run(createGraph("deep", { y }), { x: floats([0], [1]) });
  expect([...(outputs["y"]?.data as Float32Array)]).toEqual([10_000]);
});

test("metadata is written where readers of model properties look", () => {
  const graph = createGraph("m", { y: gelu(input("x", [1])) });
  const bytes = Buffer.from(encodeOnnx(graph, { model: "vit-small", note: "Größe" }));
  // StringStringEntryProto { key = 1, value = 2 } in ModelProto.metadata_props = 14: (14 << 3 | 2) = 0x72.
  const entry = (key: string, value: string): Buffer => {
    const [k, v] = [Buffer.from(key), Buffer.from(value)];
    const body = Buffer.concat([Buffer.of(0x0a, k.length), k, Buffer.of(0x12, v.length), v]);
    return Buffer.concat([Buffer.of(0x72, body.length), body]);
  };
  expect(bytes.includes(entry("model", "vit-small"))).toBe(true);
  expect(bytes.includes(entry("note", "Größe"))).toBe(true);
});
