import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createGraph, type Graph } from "../../core/graph/graph.ts";
import {
  add,
  detach,
  divide,
  erf,
  exp,
  gelu,
  log,
  multiply,
  negate,
  squareRoot,
  subtract,
} from "../../core/graph/ops/elementwise.ts";
import { matMul } from "../../core/graph/ops/linear.ts";
import { concat, expand, pad, padFront, reshape, slice, split, transpose } from "../../core/graph/ops/movement.ts";
import { argMax, largest, layerNorm, mean, reduceOps, softmax, sum, topK } from "../../core/graph/ops/reduce.ts";
import { equal, floor, greater, maximum, minimum, where } from "../../core/graph/ops/select.ts";
import { ops, type OpName } from "../../core/graph/table.ts";
import { input, scalar, sizeOf, type Shape, type Value } from "../../core/graph/value.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats, type Runtime, type TensorData, type Tensors } from "../../core/runtime/runtime.ts";
import { createTfjsRuntime } from "../../core/runtime/tfjs.ts";
import { createRandom } from "../../core/util/random.ts";
import { largestDifference, uniformFloats } from "../helpers/tensors.ts";

/** One graph with the operator in it, on inputs of the given shapes. */
interface OpCase {
  readonly shapes: readonly Shape[];
  readonly apply: (...inputs: Value[]) => Value | readonly Value[];
  /** Range of the random inputs; -2 to 2 without it. */
  readonly range?: readonly [low: number, high: number];
}

interface OpCases {
  /** Largest difference allowed between two backends, absolute. */
  readonly tolerance: number;
  readonly cases: readonly OpCase[];
}

// Moving numbers changes none, and IEEE 754 rounds + - * / and the square root correctly: one right answer each.
const exact = 0;
// Sums of up to 400 terms of size 4 at most, in whatever order a backend likes: partial sums near 30 round by up to 1e-6,
// and 400 such roundings that mostly cancel come to 2e-5. Five times that.
const sums = 1e-4;
// Values in [0, 1] out of an exponential that each backend approximates to a few float32 steps of 6e-8.
const exponentials = 5e-7;
// 0.5 |x| times the 1.5e-7 of tfjs' error function (Abramowitz and Stegun 7.1.26), and float32 steps of 4.8e-7 near 6.
const errorFunction = 1.5e-6;

const broadcasts: readonly (readonly [Shape, Shape])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [["batch", 4, 5], [5]],
  [[3], ["batch", 1]],
  [
    [2, 1, 3, 1],
    [4, 1, 5],
  ],
  [[], [2, 2]],
];
const positive = [0.1, 9] as const;

const cases: Record<OpName, OpCases> = {
  add: { tolerance: exact, cases: broadcasts.map((shapes) => ({ shapes, apply: add2 })) },
  subtract: {
    tolerance: exact,
    cases: broadcasts.map((shapes) => ({ shapes, apply: (a, b) => subtract(some(a), some(b)) })),
  },
  multiply: {
    tolerance: exact,
    cases: broadcasts.map((shapes) => ({ shapes, apply: (a, b) => multiply(some(a), some(b)) })),
  },
  divide: {
    tolerance: exact,
    cases: broadcasts.map((shapes) => ({
      shapes,
      apply: (a, b) => divide(some(a), some(b)),
      range: positive,
    })),
  },
  squareRoot: {
    tolerance: exact,
    cases: [
      { shapes: [["batch", 7]], apply: (a) => squareRoot(some(a)), range: positive },
      { shapes: [[]], apply: (a) => squareRoot(some(a)), range: positive },
    ],
  },
  negate: { tolerance: exact, cases: unaries(negate) },
  detach: { tolerance: exact, cases: unaries(detach) },
  exp: { tolerance: exponentials, cases: unaries(exp, [-5, 0]) },
  log: { tolerance: exponentials, cases: unaries(log, [0.2, 5]) },
  erf: { tolerance: exponentials, cases: unaries(erf, [-3, 3]) },
  gelu: {
    tolerance: errorFunction,
    cases: [
      { shapes: [["batch", 500]], apply: (a) => gelu(some(a)), range: [-6, 6] },
      { shapes: [[2, 3, 1, 2]], apply: (a) => gelu(some(a)) },
    ],
  },
  matMul: {
    tolerance: sums,
    cases: (
      [
        [
          [3, 4],
          [4, 5],
        ],
        [
          ["batch", 17, 33],
          [33, 6],
        ],
        [
          [2, 7],
          ["batch", 7, 3],
        ],
        [
          ["batch", 2, 5, 8],
          ["batch", 2, 8, 5],
        ],
        // Stacks that are widened on both sides.
        [
          [2, 1, 3, 4],
          [1, 3, 4, 2],
        ],
        [
          [3, 1, 2, 4],
          [5, 4, 2],
        ],
        [
          ["batch", 1, 2, 2],
          [4, 2, 2],
        ],
        [
          [1, 400],
          [400, 1],
        ],
      ] as const
    ).map((shapes) => ({ shapes, apply: (a, b) => matMul(some(a), some(b)) })),
  },
  reshape: {
    tolerance: exact,
    cases: [
      { shapes: [["batch", 6]], apply: (a) => reshape(some(a), [2, "batch", 3]) },
      { shapes: [[2, 3, 4]], apply: (a) => reshape(some(a), [24]) },
      { shapes: [[1, 1]], apply: (a) => reshape(some(a), []) },
    ],
  },
  transpose: {
    tolerance: exact,
    cases: [
      { shapes: [[3, 4]], apply: (a) => transpose(some(a), [1, 0]) },
      { shapes: [["batch", 2, 5, 3]], apply: (a) => transpose(some(a), [0, 2, 1, 3]) },
      // Patches out of pixels.
      { shapes: [["batch", 3, 2, 4, 3, 4]], apply: (a) => transpose(some(a), [0, 2, 4, 1, 3, 5]) },
      { shapes: [[2, 3, 4, 5, 2]], apply: (a) => transpose(some(a), [4, 2, 0, 3, 1]) },
    ],
  },
  concat: {
    tolerance: exact,
    cases: [
      {
        shapes: [
          ["batch", 2],
          ["batch", 1],
          ["batch", 4],
        ],
        apply: (...all) => concat(all, 1),
      },
      {
        shapes: [
          [1, 2, 3],
          [3, 2, 3],
        ],
        apply: (...all) => concat(all, -3),
      },
      { shapes: [[4]], apply: (...all) => concat(all, 0) },
    ],
  },
  slice: {
    tolerance: exact,
    cases: [
      { shapes: [["batch", 5, 3]], apply: (a) => slice(some(a), 1, 1, 4) },
      { shapes: [[2, 3, 4, 5]], apply: (a) => slice(some(a), -1, 4, 5) },
      { shapes: [[6]], apply: (a) => slice(some(a), 0, 0, 6) },
    ],
  },
  split: {
    tolerance: exact,
    cases: [
      { shapes: [[3, "batch", 2, 4]], apply: (a) => split(some(a), 0, 3) },
      { shapes: [["batch", 6]], apply: (a) => split(some(a), -1, 2) },
      { shapes: [[4]], apply: (a) => split(some(a), 0, 1) },
    ],
  },
  pad: {
    tolerance: exact,
    cases: [
      { shapes: [["batch", 4, 3]], apply: (a) => padFront(some(a), 1, 2) },
      { shapes: [[5]], apply: (a) => pad(some(a), -1, 0, 1) },
      { shapes: [[2, 2, 2, 2]], apply: (a) => pad(some(a), 3, 0, 0) },
      { shapes: [[2, "batch", 3]], apply: (a) => pad(some(a), 0, 2, 3) },
    ],
  },
  expand: {
    tolerance: exact,
    cases: [
      { shapes: [["batch", 1]], apply: (a) => expand(some(a), [4, "batch", 3]) },
      { shapes: [[]], apply: (a) => expand(some(a), [2, 3]) },
    ],
  },
  sum: { tolerance: sums, cases: reductions(sum) },
  mean: { tolerance: sums, cases: reductions(mean) },
  largest: { tolerance: exact, cases: reductions(largest) },
  argMax: {
    tolerance: exact,
    cases: [
      { shapes: [["batch", 50]], apply: (a) => argMax(some(a)) },
      { shapes: [[9]], apply: (a) => argMax(some(a)) },
    ],
  },
  greater: { tolerance: exact, cases: comparisons(greater) },
  equal: { tolerance: exact, cases: comparisons(equal) },
  minimum: {
    tolerance: exact,
    cases: broadcasts.map((shapes) => ({ shapes, apply: (a, b) => minimum(some(a), some(b)) })),
  },
  maximum: {
    tolerance: exact,
    cases: broadcasts.map((shapes) => ({ shapes, apply: (a, b) => maximum(some(a), some(b)) })),
  },
  where: {
    tolerance: exact,
    cases: [
      {
        shapes: [["batch", 3], [3], [2, 1, 1]],
        apply: (x, a, b) => where(greater(some(x), scalar(0)), some(a), some(b)),
      },
    ],
  },
  floor: {
    tolerance: exact,
    cases: [{ shapes: [["batch", 40]], apply: (a) => floor(some(a)), range: [-9, 9] }],
  },
  softmax: {
    tolerance: exponentials,
    cases: [
      { shapes: [["batch", 3, 9]], apply: (a) => softmax(some(a)) },
      // exp(200) is no float32: only the differences may be exponentiated.
      { shapes: [[4, 7]], apply: (a) => softmax(some(a)), range: [190, 210] },
      { shapes: [[1]], apply: (a) => softmax(some(a)) },
    ],
  },
  layerNorm: {
    tolerance: sums,
    cases: [
      { shapes: [["batch", 5, 24], [24], [24]], apply: normalize },
      { shapes: [[3, 384], [384], [384]], apply: normalize, range: [3, 9] },
      // With the mean and one over the deviation, which a gradient reads.
      {
        shapes: [["batch", 24], [24], [24]],
        apply: (a, scale, offset) =>
          reduceOps.layerNorm.applyAll([some(a), some(scale), some(offset)], { epsilon: 1e-6 }),
      },
    ],
  },
  topK: {
    tolerance: exact,
    cases: [
      { shapes: [["batch", 50]], apply: (a) => topK(some(a), 7) },
      { shapes: [[2, 3, 4]], apply: (a) => topK(some(a), 4) },
      { shapes: [[9]], apply: (a) => topK(some(a), 1) },
    ],
  },
};

function unaries(apply: (a: Value) => Value, range: readonly [number, number] = [-2, 2]): readonly OpCase[] {
  return [["batch", 50], []].map((shape) => ({ shapes: [shape], apply: (a) => apply(some(a)), range }));
}

function reductions(apply: (a: Value, axes: readonly number[], keep: boolean) => Value): readonly OpCase[] {
  return [
    { shapes: [["batch", 3, 400]], apply: (a) => apply(some(a), [-1], true) },
    { shapes: [["batch", 3, 4]], apply: (a) => apply(some(a), [0, 1], false) },
    { shapes: [[2, 3, 4]], apply: (a) => apply(some(a), [2, 0], true) },
    { shapes: [[5]], apply: (a) => apply(some(a), [0], false) },
  ];
}

/** Truth values are no outputs, so they choose between two numbers. On whole numbers, so that some are equal. */
function comparisons(apply: (a: Value, b: Value) => Value): readonly OpCase[] {
  return broadcasts.map((shapes) => ({
    shapes,
    apply: (a, b) => where(apply(floor(some(a)), floor(some(b))), scalar(1), scalar(0)),
  }));
}

function add2(a?: Value, b?: Value): Value {
  return add(some(a), some(b));
}

function normalize(a?: Value, scale?: Value, offset?: Value): Value {
  return layerNorm(some(a), some(scale), some(offset), 1e-6);
}

function some(value: Value | undefined): Value {
  if (value === undefined) throw new Error("The case names too few shapes.");
  return value;
}

const batch = 3;
const numbers = (shape: Shape): number[] => shape.map((size) => (typeof size === "number" ? size : batch));

let onnxruntime: Runtime;
const others: { name: string; runtime: Runtime }[] = [];
let tensorsAtStart = 0;

async function tensorCount(): Promise<number> {
  return (await import("@tensorflow/tfjs-core")).memory().numTensors;
}

beforeAll(async () => {
  onnxruntime = createOrtRuntime("cpu");
  for (const backend of ["wasm", "cpu"] as const) {
    others.push({ name: backend, runtime: (await createTfjsRuntime(backend)).runtime });
  }
  tensorsAtStart = await tensorCount();
});

afterAll(async () => {
  // Every graph of this file has run by now, some in vain.
  expect(await tensorCount()).toBe(tensorsAtStart);
});

async function runOn(runtime: Runtime, graph: Graph, feeds: Tensors): Promise<Tensors> {
  const program = await runtime.load(graph);
  try {
    return await program.run(feeds);
  } finally {
    await program.release();
  }
}

/** Runs a graph on both libraries and holds every output of tfjs against onnxruntime's and against the graph's types. */
async function compare(graph: Graph, feeds: Tensors, tolerance: number): Promise<Tensors> {
  const wanted = await runOn(onnxruntime, graph, feeds);
  for (const { name, runtime } of others) {
    const got = await runOn(runtime, graph, feeds);
    expect(Object.keys(got).sort()).toEqual(Object.keys(wanted).sort());
    for (const [output, value] of Object.entries(graph.outputs)) {
      const [a, b] = [got[output], wanted[output]] as [TensorData, TensorData];
      expect([a.element, b.element]).toEqual([value.element, value.element]);
      expect([a.shape, b.shape]).toEqual([numbers(value.shape), numbers(value.shape)]);
      const [x, y] = [Array.from(a.data, Number), Array.from(b.data, Number)];
      expect(largestDifference(x, y), `${output} on ${name}`).toBeLessThanOrEqual(
        value.element === "int64" ? 0 : tolerance,
      );
    }
  }
  return wanted;
}

describe.each(Object.keys(ops) as OpName[])("%s gives the same on onnxruntime and TensorFlow.js", (name) => {
  const { cases: all = [], tolerance = NaN } = (cases as Partial<typeof cases>)[name] ?? {};

  test("has a case", () => {
    expect(all.length).toBeGreaterThan(0);
  });

  test.each(all.map((opCase, i) => ({ ...opCase, i, title: opCase.shapes.map((s) => `[${s.join()}]`).join(" ") })))(
    "for $title",
    async ({ shapes, apply, range, i }) => {
      const random = createRandom(i + 1);
      const inputs = shapes.map((shape, k) => input(`x${k}`, shape));
      const outputs = [apply(...inputs)].flat();
      const graph = createGraph(name, Object.fromEntries(outputs.map((value, k) => [`y${k}`, value])));
      expect(graph.nodes.map(({ op }) => op)).toContain(name);
      const feeds = shapes.map((shape, k): [string, TensorData] => {
        const sizes = numbers(shape);
        return [`x${k}`, floats(uniformFloats(random, sizeOf(sizes), ...(range ?? [])), sizes)];
      });
      await compare(graph, Object.fromEntries(feeds), tolerance);
    },
  );
});

test("GELU is the exact one, with the error function and not the tanh approximation", async () => {
  const x = Float32Array.from({ length: 121 }, (_, i) => (i - 60) / 10);
  const graph = createGraph("gelu", { y: gelu(input("x", [121])) });
  const { data } = floatOutput(await compare(graph, { x: floats(x, [121]) }, errorFunction), "y");
  const wanted = Array.from(x, (value) => (value / 2) * (1 + errorFunctionSeries(value / Math.SQRT2)));
  expect(largestDifference(data, wanted)).toBeLessThan(errorFunction);
  // The approximation is out by 4.7e-4 near 2.3, so the line above tells the two apart.
  const tanh = Array.from(x, (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))));
  expect(largestDifference(tanh, wanted)).toBeGreaterThan(1e-4);
});

/** erf by its Taylor series, which converges everywhere; in float64 good to 1e-9 for |x| below 4.3. */
function errorFunctionSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

test("equal elements are ranked by position on every backend", async () => {
  const [values, rows] = topK(input("x", [2, 6]), 4);
  const x = floats(Float32Array.of(1, 3, 3, 2, 3, 0, 5, 5, 5, 5, 5, 5), [2, 6]);
  const outputs = await compare(createGraph("ties", { values, rows }), { x }, exact);
  expect([...(outputs["rows"]?.data ?? [])]).toEqual([1n, 2n, 4n, 3n, 0n, 1n, 2n, 3n]);
});

test("positions can be moved about like numbers", async () => {
  const rows = input("rows", ["batch", 4], "int64");
  const pieces = split(padFront(transpose(concat([rows, rows], 1), [1, 0]), 0, 2), 0, 5);
  const outputs = { last: pieces[4] as Value, first: reshape(slice(pieces[0] as Value, 0, 0, 1), [1, "batch", 1]) };
  const data = BigInt64Array.from({ length: 12 }, (_, i) => BigInt(i) - 3n);
  await compare(createGraph("positions", outputs), { rows: { element: "int64", shape: [3, 4], data } }, exact);
});
