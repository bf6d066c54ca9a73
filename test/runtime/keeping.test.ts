import { describe, expect, test } from "vitest";
import { createGraph } from "../../core/graph/graph.ts";
import { add, multiply } from "../../core/graph/ops/elementwise.ts";
import { sumAll } from "../../core/graph/ops/reduce.ts";
import { input, scalar } from "../../core/graph/value.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats, type KeepingProgram, type Runtime } from "../../core/runtime/runtime.ts";
import { createTfjsRuntime } from "../../core/runtime/tfjs.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";

const runtimes: { name: string; runtime: () => Promise<Runtime> }[] = [
  { name: "onnxruntime", runtime: () => Promise.resolve(createOrtRuntime("cpu")) },
  { name: "TensorFlow.js", runtime: async () => (await createTfjsRuntime("cpu")).runtime },
];

/** next = 2 w + step, and its sum. */
function doubling(runtime: Runtime, size: number): Promise<KeepingProgram> {
  const next = add(multiply(input("w", [size]), scalar(2)), input("step", [1]));
  return runtime.loadKeeping(createGraph("doubling", { total: sumAll(next), next }), ["next"]);
}

const one = { step: floats(Float32Array.of(1), [1]) };

describe.each(runtimes)("on $name", ({ runtime }) => {
  test("an output that is kept feeds the next run, which replaces it", async () => {
    const program = await doubling(await runtime(), 3);
    let w = program.adopt(floats(Float32Array.of(0, 1, 2), [3]));
    const totals: number[] = [];
    for (let i = 0; i < 3; i++) {
      const { outputs, kept } = await program.run({ w, ...one }, { next: w });
      totals.push(floatOutput(outputs, "total").data[0] ?? NaN);
      expect(Object.keys(outputs)).toEqual(["total"]);
      if (kept["next"] === undefined) throw new Error("next is kept");
      w = kept["next"];
    }
    expect(totals).toEqual([9, 21, 45]);
    expect(w.shape).toEqual([3]);
    expect([...(await w.read()).data]).toEqual([7, 15, 23]);
    w.release();
    await program.release();
  });

  test("what was read is a copy", async () => {
    const program = await doubling(await runtime(), 2);
    const w = program.adopt(floats(Float32Array.of(1, 1), [2]));
    const before = await w.read();
    const { kept } = await program.run({ w, ...one }, { next: w });
    expect([...before.data]).toEqual([1, 1]);
    kept["next"]?.release();
    await program.release();
  });
});

test("on the CPU a tensor is written over where it is, and runs leave no memory behind", async () => {
  const size = 1_000_000;
  const program = await doubling(createOrtRuntime("cpu"), size);
  const array = new Float32Array(size);
  let w = program.adopt(floats(array, [size]));
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 10; i++) w = (await program.run({ w, ...one }, { next: w })).kept["next"] ?? w;
  expect(array[size - 1]).toBe(2 ** 10 - 1);
  // Ten runs of 4 MB; the binding's copies are gone without waiting for the collector.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * size);
  await program.release();
});

test("a tensor that was replaced or released cannot be fed any more", async () => {
  const program = await doubling(createOrtRuntime("cpu"), 1);
  const old = program.adopt(floats(Float32Array.of(1), [1]));
  const { kept } = await program.run({ w: old, ...one }, { next: old });
  expect(await refusalOfAsync(() => program.run({ w: old, ...one }, {}))).toMatch(/^runtime-released: /);
  kept["next"]?.release();
  await program.release();
});
