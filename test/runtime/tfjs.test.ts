import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { createGraph } from "../../core/graph/graph.ts";
import { encodeOnnx } from "../../core/graph/onnx.ts";
import { add, gelu, multiply } from "../../core/graph/ops/elementwise.ts";
import { matMul } from "../../core/graph/ops/linear.ts";
import { topK } from "../../core/graph/ops/reduce.ts";
import { constant, input, scalar } from "../../core/graph/value.ts";
import { floatOutput, floats } from "../../core/runtime/runtime.ts";
import type { Kernels } from "../../core/runtime/tfjs-kernels.ts";
import { createTfjsRuntime } from "../../core/runtime/tfjs.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";

const doubling = createGraph("doubling", { y: multiply(input("x", ["batch", 2]), scalar(2)) });
describe.each(["wasm", "cpu"] as const)("a program on %s", (backend) => {
  const load = async (graph = doubling) => (await createTfjsRuntime(backend)).runtime.load(graph);

  test("takes any size for a named one", async () => {
    const program = await load();
    for (const batch of [1, 4]) {
      const { y } = await program.run({ x: floats(new Float32Array(2 * batch).fill(3), [batch, 2]) });
      expect(y).toEqual(floats(new Float32Array(2 * batch).fill(6), [batch, 2]));
    }
    await program.release();
  });

  test("leaves no tensor behind: not by running, nor by failing, nor after its release", async () => {
    await createTfjsRuntime(backend);
    const before = tf.memory();
    const x = input("x", [4, 4]);
    const [values, rows] = topK(gelu(matMul(x, constant(new Float32Array(16).fill(0.5), [4, 4]))), 2);
    const program = await load(createGraph("g", { values, rows, same: x, one: scalar(1) }));
    const loaded = tf.memory();
    expect(loaded.numTensors).toBe(before.numTensors + 2);
    for (let i = 0; i < 3; i++) await program.run({ x: floats(new Float32Array(16).fill(i), [4, 4]) });
    await expect(program.run({})).rejects.toThrow();
    expect(tf.memory().numTensors).toBe(loaded.numTensors);
    expect(tf.memory().numBytes).toBe(loaded.numBytes);
    await program.release();
    await program.release();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numBytes).toBe(before.numBytes);
  });

  test("holds no intermediate longer than someone reads it", async () => {
    const count = 1000;
    let y = input("x", [count]);
    for (let i = 0; i < 200; i++) y = add(y, y);
    const program = await load(createGraph("chain", { y }));
    const start = tf.memory().numBytes;
    const { peakBytes } = await tf.profile(async () => {
      await program.run({ x: floats(new Float32Array(count), [count]) });
    });
    // The feed, one result and the next: three of the 201 tensors of 4 bytes an element.
    expect(peakBytes - start).toBeLessThanOrEqual(3 * 4 * count);
    await program.release();
  });

  test("gives outputs that are the caller's own", async () => {
    const x = input("x", [2]);
    const program = await load(createGraph("g", { same: x, fixed: constant(Float32Array.of(5, 6), [2]) }));
    const data = Float32Array.of(1, 2);
    const first = await program.run({ x: floats(data, [2]) });
    floatOutput(first, "same").data.fill(9);
    floatOutput(first, "fixed").data.fill(9);
    expect([...data]).toEqual([1, 2]);
    expect((await program.run({ x: floats(data, [2]) }))["fixed"]?.data).toEqual(Float32Array.of(5, 6));
    await program.release();
  });

  test("refuses feeds that do not fit, saying what was wanted and what came", async () => {
    const sum = add(input("x", ["batch", 2]), input("z", ["batch", 1]));
    const program = await load(createGraph("g", { sum }));
    const x = floats(new Float32Array(4), [2, 2]);
    const refused = (feeds: Parameters<typeof program.run>[0]) => refusalOfAsync(() => program.run(feeds));
    expect(await refused({ x })).toBe("runtime-input: The graph needs an input z, got none.");
    expect(await refused({ x, z: floats(new Float32Array(3), [3, 1]) })).toBe(
      "runtime-input: Input z must be float32[batch,1] with batch = 2, got 3 values as float32[3,1].",
    );
    expect(await refused({ x: floats(new Float32Array(3), [2, 2]), z: x })).toBe(
      "runtime-input: Input x must be float32[batch,2], got 3 values as float32[2,2].",
    );
    expect(await refused({ x: { element: "int64", shape: [1, 2], data: new BigInt64Array(2) }, z: x })).toBe(
      "runtime-input: Input x must be float32[batch,2], got 2 values as int64[1,2].",
    );
    await program.release();
  });

  test("refuses to compute on whole numbers, and those that int32 cannot hold", async () => {
    const rows = input("rows", [1], "int64");
    const program = await load(createGraph("g", { y: add(rows, rows) }));
    const run = (value: bigint) =>
      refusalOfAsync(() => program.run({ rows: { element: "int64", shape: [1], data: BigInt64Array.of(value) } }));
    expect(await run(1n)).toBe("runtime-input: TensorFlow.js computes on float32 here, got whole numbers.");
    expect(await run(2n ** 31n)).toBe(
      "runtime-input: TensorFlow.js holds whole numbers up to 2147483647, got a larger one.",
    );
    await program.release();
  });

  test("refuses ONNX bytes, and to run after its release", async () => {
    const { runtime } = await createTfjsRuntime(backend);
    expect(await refusalOfAsync(() => runtime.load(encodeOnnx(doubling)))).toBe(
      "runtime-source: TensorFlow.js runs graphs that were built here, got an ONNX file.",
    );
    const program = await runtime.load(doubling);
    await program.release();
    expect(await refusalOfAsync(() => program.run({ x: floats(new Float32Array(2), [1, 2]) }))).toBe(
      "runtime-released: The program was released and cannot run any more.",
    );
  });
});

test("programs on two backends may run at the same time, each on its own", async () => {
  const x = floats(
    Float32Array.from({ length: 50 }, (_, i) => i / 25),
    [50],
  );
  const bend = createGraph("bend", { y: gelu(input("x", [50])) });
  const load = async (backend: "wasm" | "cpu") => (await createTfjsRuntime(backend)).runtime.load(bend);
  const programs = [await load("wasm"), await load("cpu")] as const;
  const run = async (i: number) => floatOutput(await programs[i % 2 === 0 ? 0 : 1].run({ x }), "y").data;
  const alone = [await run(0), await run(1)];
  // The two compute erf with other roundings, so the last digits tell who ran.
  expect(alone[0]).not.toEqual(alone[1]);
  expect(await Promise.all([0, 1, 2, 3, 4, 5].map(run))).toEqual([...alone, ...alone, ...alone]);
  for (const program of programs) await program.release();
});

test("a table of kernels without one of the operators does not compile", () => {
  // The line below is checked by the compiler, which complains when there is nothing to expect.
  // @ts-expect-error: gelu is missing
  const table = (incomplete: Omit<Kernels, "gelu">): Kernels => incomplete;
  expect(table).toBeTypeOf("function");
});
