import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { beforeAll, describe, expect, test } from "vitest";
import { gradients } from "../../core/graph/gradient.ts";
import { createGraph } from "../../core/graph/graph.ts";
import * as elementwise from "../../core/graph/ops/elementwise.ts";
import { matMul } from "../../core/graph/ops/linear.ts";
import { concat, expand, pad, reshape, slice, split, transpose, transposeLast } from "../../core/graph/ops/movement.ts";
import * as reduce from "../../core/graph/ops/reduce.ts";
import * as select from "../../core/graph/ops/select.ts";
import { ops, type OpName } from "../../core/graph/table.ts";
import { input, sizeOf, type Value } from "../../core/graph/value.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats, type Runtime } from "../../core/runtime/runtime.ts";
import { createTfjsRuntime } from "../../core/runtime/tfjs.ts";
import { createRandom } from "../../core/util/random.ts";
import { evaluate, type Tensor64 } from "../helpers/float64.ts";
import { refusalOf } from "../helpers/refusal.ts";
import { largestDifference, uniformFloats } from "../helpers/tensors.ts";

type Apply<T> = (...inputs: [T, T, T]) => T;

interface GradientCase {
  readonly shapes: readonly (readonly number[])[];
  readonly apply: (...inputs: [Value, Value, Value]) => Value | readonly Value[];
  /** The same function in TensorFlow.js, which differentiates it by rules of its own; left out where it has none. */
  readonly peer?: Apply<tf.Tensor> | undefined;
  /** Range of the random inputs; -2 to 2 without it. */
  readonly range?: readonly [low: number, high: number];
}

/** The functions of two inputs are tried on these: equal shapes, repetition on either side and on both, a number. */
const broadcasts: readonly (readonly (readonly number[])[])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3, 4], [4]],
  [[3], [2, 1]],
  [
    [2, 1, 3, 1],
    [4, 1, 2],
  ],
  [[], [2, 2]],
];
const binary = (apply: Apply<Value>, peer: Apply<tf.Tensor>, range: readonly [number, number] = [-2, 2]) =>
  broadcasts.map((shapes): GradientCase => ({ shapes, apply, peer, range }));
const unary = (apply: Apply<Value>, peer: Apply<tf.Tensor>, range: readonly [number, number] = [-2, 2]) =>
  [[2, 3], []].map((shape): GradientCase => ({ shapes: [shape], apply, peer, range }));
const positive = [0.3, 3] as const;

const peerGelu = (x: tf.Tensor): tf.Tensor => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
const peerNorm = (x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor): tf.Tensor => {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const deviation = tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-3));
  return tf.add(tf.mul(tf.div(centred, deviation), scale), offset);
};

const cases: Partial<
  Record<OpName | "square" | "lengths" | "logSoftmax" | "clip" | "sumAll", readonly GradientCase[]>
> = {
  add: binary(elementwise.add, tf.add),
  subtract: binary(elementwise.subtract, tf.sub),
  multiply: binary(elementwise.multiply, tf.mul),
  square: unary(
    (x) => elementwise.multiply(x, x),
    (x) => tf.square(x),
  ),
  // Sums on the way to a product, a quotient and a power, which the way back does not write out.
  lengths: [
    {
      shapes: [[2, 3]],
      apply: (x) => elementwise.divide(x, elementwise.squareRoot(reduce.sumLast(elementwise.multiply(x, x)))),
      peer: (x) => tf.div(x, tf.sqrt(tf.sum(tf.square(x), -1, true))),
    },
    {
      shapes: [[2, 3], [3]],
      apply: (x, z) => reduce.sum(elementwise.multiply(elementwise.divide(x, elementwise.exp(z)), z), [0], false),
      peer: (x, z) => tf.sum(tf.mul(tf.div(x, tf.exp(z)), z), 0),
    },
    {
      shapes: [[2, 3], [1]],
      apply: (x, z) => reduce.sumLast(elementwise.log(elementwise.add(elementwise.exp(x), elementwise.multiply(z, z)))),
      peer: (x, z) => tf.sum(tf.log(tf.add(tf.exp(x), tf.square(z))), -1, true),
    },
  ],
  divide: binary(elementwise.divide, tf.div, positive),
  negate: unary(elementwise.negate, tf.neg),
  squareRoot: unary(elementwise.squareRoot, tf.sqrt, positive),
  exp: unary(elementwise.exp, tf.exp),
  log: unary(elementwise.log, tf.log, positive),
  erf: unary(elementwise.erf, tf.erf),
  gelu: unary(elementwise.gelu, peerGelu, [-2.8, 2.8]),
  // tfjs does not reduce the gradients of repeated operands of these two.
  minimum: binary(select.minimum, tf.minimum).map((c, i) => (i === 0 ? c : { ...c, peer: undefined })),
  maximum: binary(select.maximum, tf.maximum).map((c, i) => (i === 0 ? c : { ...c, peer: undefined })),
  clip: unary(
    (x) => select.clip(x, -1, 0.5),
    (x) => tf.clipByValue(x, -1, 0.5),
  ),
  where: [
    {
      shapes: [[2, 3], [2, 1], [3]],
      apply: (x, a, b) => select.where(select.greater(x, elementwise.negate(x)), a, elementwise.multiply(b, x)),
    },
  ],
  matMul: [
    [
      [3, 4],
      [4, 2],
    ],
    [
      [2, 3, 4],
      [4, 5],
    ],
    [
      [2, 2, 3, 4],
      [4, 2],
    ],
    [
      [3, 4],
      [2, 4, 2],
    ],
    [
      [2, 2, 3, 2],
      [2, 2, 2, 4],
    ],
    // Stacks that are widened on both sides.
    [
      [2, 1, 3, 4],
      [1, 3, 4, 2],
    ],
    [
      [1, 3, 4],
      [4, 2],
    ],
  ].map((shapes) => ({
    shapes,
    apply: (a, b) => matMul(a, b),
    // tfjs differentiates products of equal stacks only.
    ...(shapes[0]?.length === 2 && shapes[1]?.length === 2
      ? { peer: (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b) }
      : {}),
  })),
  reshape: [{ shapes: [[2, 6]], apply: (x) => reshape(x, [3, 4]), peer: (x) => tf.reshape(x, [3, 4]) }],
  transpose: [
    { shapes: [[2, 3, 4, 2]], apply: (x) => transpose(x, [3, 0, 2, 1]), peer: (x) => tf.transpose(x, [3, 0, 2, 1]) },
    { shapes: [[2, 3, 4]], apply: transposeLast, peer: (x) => tf.transpose(x, [0, 2, 1]) },
    // Flips in front of and behind a product, which the way back takes apart.
    {
      shapes: [
        [4, 3],
        [2, 4],
      ],
      apply: (a, b) => transposeLast(matMul(transposeLast(a), transposeLast(b))),
      peer: (a, b) => tf.transpose(tf.matMul(a, b, true, true)),
    },
    {
      shapes: [
        [2, 3, 4],
        [5, 4],
      ],
      apply: (a, b) => matMul(a, transposeLast(b)),
    },
    {
      shapes: [
        [2, 3, 4],
        [2, 5, 4],
      ],
      apply: (a, b) => matMul(a, transposeLast(b)),
      peer: (a, b) => tf.matMul(a, b, false, true),
    },
  ],
  concat: [
    {
      shapes: [
        [2, 1, 2],
        [2, 3, 2],
        [2, 2, 2],
      ],
      apply: (a, b, c) => concat([a, b, c, a], -2),
      peer: (a, b, c) => tf.concat([a, b, c, a], 1),
    },
  ],
  slice: [
    { shapes: [[2, 5]], apply: (x) => slice(x, -1, 1, 4), peer: (x) => tf.slice(x, [0, 1], [2, 3]) },
    { shapes: [[3, 2]], apply: (x) => slice(x, 0, 0, 3) },
  ],
  split: [
    { shapes: [[2, 6]], apply: (x) => split(x, 1, 3) },
    // Only one of the parts is read.
    {
      shapes: [[2, 6]],
      apply: (x) => elementwise.exp(split(x, -1, 3)[1] ?? x),
      peer: (x) => tf.exp(tf.slice(x, [0, 2], [2, 2])),
    },
  ],
  pad: [
    {
      shapes: [[2, 3]],
      apply: (x) => pad(x, -1, 2, 1),
      peer: (x) =>
        tf.pad(x, [
          [0, 0],
          [2, 1],
        ]),
    },
  ],
  expand: [
    { shapes: [[3, 1]], apply: (x) => expand(x, [2, 3, 4]), peer: (x) => tf.broadcastTo(x, [2, 3, 4]) },
    { shapes: [[]], apply: (x) => expand(x, [2]), peer: (x) => tf.broadcastTo(x, [2]) },
  ],
  sum: [
    { shapes: [[2, 3, 4]], apply: (x) => reduce.sum(x, [0, -1], false), peer: (x) => tf.sum(x, [0, 2]) },
    { shapes: [[2, 3, 4]], apply: (x) => reduce.sum(x, [1], true), peer: (x) => tf.sum(x, [1], true) },
    { shapes: [[2, 1]], apply: (x) => reduce.sum(x, [1], false), peer: (x) => tf.sum(x, [1]) },
  ],
  sumAll: [{ shapes: [[2, 3]], apply: (x) => reduce.sumAll(x), peer: (x) => tf.sum(x) }],
  mean: [
    { shapes: [[2, 3, 4]], apply: (x) => reduce.mean(x, [0, 2], false), peer: (x) => tf.mean(x, [0, 2]) },
    { shapes: [[2, 3]], apply: (x) => reduce.meanLast(x), peer: (x) => tf.mean(x, -1, true) },
  ],
  softmax: [{ shapes: [[2, 2, 5]], apply: (x) => reduce.softmax(x), peer: (x) => tf.softmax(x) }],
  logSoftmax: [{ shapes: [[2, 2, 5]], apply: (x) => reduce.logSoftmax(x), peer: (x) => tf.logSoftmax(x) }],
  layerNorm: [
    {
      shapes: [[2, 3, 5], [5], [5]],
      apply: (x, scale, offset) => reduce.layerNorm(x, scale, offset, 1e-3),
      peer: peerNorm,
    },
  ],
};

// Differences over 2e-4 in float64: the third derivatives below 100 leave 1e-6 of error, rounding 1e-11. The rules'
// numbers, such as sqrt(1/2), are float32 and out by 3e-8.
const step = 1e-4;
const closeness = 2e-6;
// Float32 in a handful of operations; tfjs' error function is good to 1.5e-7 absolute.
const rounding = 3e-6;
/** Largest difference over the largest figure, or over 1 where all are small: some gradients are 0 throughout. */
const errorOf = (got: ArrayLike<number>, wanted: ArrayLike<number>): number =>
  largestDifference(got, wanted) / Math.max(1, ...Array.from(wanted, Math.abs));

let runtimes: readonly Runtime[] = [];
beforeAll(async () => {
  runtimes = [createOrtRuntime("cpu"), (await createTfjsRuntime("cpu")).runtime];
});

/** The gradient graph of a case with random seeds, and what to feed. */
function differentiate({ shapes, apply, range }: GradientCase, name: string) {
  const random = createRandom(shapes.flat().length + name.length);
  const inputs = shapes.map((shape, i) => input(`x${i}`, shape));
  const outputs = [apply(...(inputs as [Value, Value, Value]))].flat();
  const seeds = outputs.map((value, i) => ({ value, gradient: input(`seed${i}`, value.shape) }));
  const results = gradients(seeds, inputs);
  const feeds = Object.fromEntries(
    [...inputs, ...seeds.map(({ gradient }) => gradient)].map((value) => {
      const shape = value.shape.map(Number);
      const drawn = uniformFloats(
        random,
        sizeOf(shape),
        ...(value.source.kind === "input" && inputs.includes(value) ? (range ?? []) : []),
      );
      return [value.source.kind === "input" ? value.source.name : "", { shape, data: Float64Array.from(drawn) }];
    }),
  );
  const forward = createGraph("forward", Object.fromEntries(outputs.map((value, i) => [`y${i}`, value])));
  const backward = createGraph("backward", Object.fromEntries(results.map((value, i) => [`g${i}`, value])));
  /** The sum of seeds times outputs, of which `backward` is the gradient. */
  const objective = (changed: Readonly<Record<string, Tensor64>>): number => {
    const values = evaluate(forward, changed);
    return outputs.reduce((total, _, i) => {
      const [y, seed] = [values[`y${i}`]?.data ?? [], feeds[`seed${i}`]?.data ?? []];
      return total + Array.from(y).reduce((sum, value, k) => sum + value * (seed[k] ?? NaN), 0);
    }, 0);
  };
  return { inputs, outputs, feeds, backward, objective, exact: evaluate(backward, feeds) };
}

describe.each(Object.entries(cases))("the gradient of %s", (name, all) => {
  test.each(
    all.map((gradientCase, i) => ({
      ...gradientCase,
      i,
      title: gradientCase.shapes.map((s) => `[${s.join()}]`).join(" "),
    })),
  )(
    "matches central differences, TensorFlow.js and itself in float32, for $title",
    async ({ i, title, ...gradientCase }) => {
      const { inputs, feeds, backward, objective, exact } = differentiate(gradientCase, `${name} ${title} ${i}`);
      for (const [k] of inputs.entries()) {
        const { shape, data } = feeds[`x${k}`] ?? { shape: [], data: new Float64Array() };
        const numeric = data.map((value, position) => {
          const at = (moved: number): number =>
            objective({ ...feeds, [`x${k}`]: { shape, data: data.with(position, moved) } });
          return (at(value + step) - at(value - step)) / (2 * step);
        });
        const got = exact[`g${k}`]?.data ?? [];
        expect(got.length).toBe(numeric.length);
        numeric.forEach((slope, position) => {
          expect(Math.abs((got[position] ?? NaN) - slope), `x${k}[${position}]`).toBeLessThan(
            closeness * (1 + Math.abs(slope)),
          );
        });
      }

      const fed = Object.fromEntries(
        Object.entries(feeds).map(([key, { shape, data }]) => [key, floats(Float32Array.from(data), shape)]),
      );
      for (const runtime of runtimes) {
        const program = await runtime.load(backward);
        const results = await program.run(fed);
        await program.release();
        for (const [k] of inputs.entries()) {
          const error = errorOf(floatOutput(results, `g${k}`).data, exact[`g${k}`]?.data ?? []);
          expect(error, `x${k} on ${runtime.device}`).toBeLessThan(rounding);
        }
      }

      const { peer } = gradientCase;
      if (peer === undefined) return;
      await tf.setBackend("cpu");
      tf.tidy(() => {
        const tensors = inputs.map((_, k) =>
          tf.tensor(fed[`x${k}`]?.data as Float32Array, fed[`x${k}`]?.shape as number[]),
        );
        const seed = tf.tensor(fed["seed0"]?.data as Float32Array, fed["seed0"]?.shape as number[]);
        const theirs = tf.grads(peer)(tensors, seed);
        for (const [k, tensor] of theirs.entries()) {
          expect(errorOf(tensor.dataSync(), exact[`g${k}`]?.data ?? []), `x${k}`).toBeLessThan(rounding);
        }
      });
    },
  );
});

test("every operator has a gradient that is tried above, or is refused by name with a reason", () => {
  const refused: string[] = [];
  for (const [name, { gradient }] of Object.entries(ops)) {
    if (typeof gradient === "function") expect(Object.hasOwn(cases, name) || name === "detach", name).toBe(true);
    else refused.push(name);
  }
  expect(refused).toEqual(["largest", "argMax", "topK", "greater", "equal", "floor"]);
  const x = input("x", [2, 3]);
  const seeded = (value: Value) => refusalOf(() => gradients([{ value, gradient: input("seed", value.shape) }], [x]));
  expect(seeded(reduce.largest(x, [0], false))).toBe(
    "graph-gradient: largest has no gradient: it is used to compare and to count, never to learn.",
  );
  expect(seeded(reduce.topK(x, 1)[0])).toBe(
    "graph-gradient: topK has no gradient: it is used to search, never to learn.",
  );
  expect(seeded(select.floor(x))).toBe(
    "graph-gradient: floor has no gradient: its steps are flat, so nothing would be learned through it.",
  );
});
