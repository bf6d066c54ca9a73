import fc from "fast-check";
import { expect, test } from "vitest";
import { gradients } from "../../core/graph/gradient.ts";
import { createGraph, type Graph } from "../../core/graph/graph.ts";
import { defineOp, type OpRecord } from "../../core/graph/op.ts";
import { add, detach, divide, exp, gelu, multiply, squareRoot, subtract } from "../../core/graph/ops/elementwise.ts";
import { matMul } from "../../core/graph/ops/linear.ts";
import { split, transposeLast } from "../../core/graph/ops/movement.ts";
import { layerNorm, mean, reduceOps, sum, sumAll, sumLast } from "../../core/graph/ops/reduce.ts";
import { printGraph } from "../../core/graph/print.ts";
import { constant, formatType, input, scalar, type Shape, type Value } from "../../core/graph/value.ts";
import { namedArchitecture, weightShapes, type Architecture } from "../../core/nn/architecture.ts";
import { linear } from "../../core/nn/layers.ts";
import { visionTransformer } from "../../core/nn/vision-transformer.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats } from "../../core/runtime/runtime.ts";
import { createRandom } from "../../core/util/random.ts";
import { evaluate, tensor64, type Tensor64 } from "../helpers/float64.ts";
import { refusalOf } from "../helpers/refusal.ts";
import { relativeError } from "../helpers/tensors.ts";

interface Seeded {
  readonly value: Value;
  readonly gradient: Value;
}

const seed = (value: Value): Seeded => ({ value, gradient: input("seed", value.shape) });

/** The gradient of a number with respect to inputs, each a number too, where they have the given values. */
function slopes(y: Value, wanted: readonly Value[], at: Readonly<Record<string, number>>): readonly number[] {
  const results = gradients([{ value: y, gradient: scalar(1) }], wanted);
  const graph = createGraph("slopes", Object.fromEntries(results.map((value, i) => [`g${i}`, value])));
  const feeds = Object.fromEntries(Object.entries(at).map(([name, value]) => [name, tensor64([], () => value)]));
  const outputs = evaluate(graph, feeds);
  return wanted.map((_, i) => outputs[`g${i}`]?.data[0] ?? NaN);
}

function drawFeeds(graph: Graph, start: number): Record<string, Tensor64> {
  const random = createRandom(start);
  return Object.fromEntries(
    graph.inputs.map(({ source, shape }) => {
      if (source.kind !== "input") throw new Error("Inputs are inputs.");
      return [source.name, tensor64(shape.map(Number), () => Math.fround(random.uniform(-1, 1)))];
    }),
  );
}

/**
 * Checks gradients along one random direction for each input: the derivative of the seeded sum of outputs by central
 * differences against the product of gradient and direction. The gradient of an input is called `d.` and its name.
 */
function checkDirections(seeded: Seeded, results: Readonly<Record<string, Value>>, tolerance: number): void {
  const weighted = multiply(seeded.value, seeded.gradient);
  const objective = weighted.shape.length === 0 ? weighted : sumAll(weighted);
  const graph = createGraph("both", { objective, ...results });
  const feeds = drawFeeds(graph, 1);
  const exact = evaluate(graph, feeds);
  const forward = createGraph("forward", { objective });
  const random = createRandom(2);
  const step = 1e-4;
  for (const key of Object.keys(results)) {
    const name = key.replace("d.", "");
    const { shape, data } = feeds[name] ?? tensor64([], () => NaN);
    const gradient = exact[key]?.data ?? new Float64Array();
    const direction = data.map(() => random.uniform(-1, 1));
    const at = (distance: number): number => {
      const moved = { shape, data: data.map((value, i) => value + distance * (direction[i] ?? NaN)) };
      return evaluate(forward, { ...feeds, [name]: moved })["objective"]?.data[0] ?? NaN;
    };
    const numeric = (at(step) - at(-step)) / (2 * step);
    const got = gradient.reduce((total, slope, i) => total + slope * (direction[i] ?? NaN), 0);
    expect(Math.abs(got - numeric), name).toBeLessThan(tolerance * (1 + Math.abs(numeric)));
  }
}

test("a layer and its gradient print as one graph, with one product for all rows of a weight", () => {
  const [x, weight, bias] = [input("x", [2, 3, 4]), input("weight", [5, 4]), input("bias", [5])] as const;
  const y = linear(gelu(x), weight, bias);
  const [toX, toWeight, toBias] = gradients([seed(y)], [x, weight, bias]) as [Value, Value, Value];
  expect(printGraph(createGraph("backward", { toWeight, toBias, toX }))).toMatchInlineSnapshot(`
    "graph backward(seed: float32[2,3,5], x: float32[2,3,4], weight: float32[5,4]) {
      constant constant: float32[]
      constant constant_1: float32[]
      constant constant_2: float32[]
      constant constant_3: float32[]
      constant constant_4: float32[]
      constant constant_5: float32[]
      constant constant_6: float32[]
      reshape_1: float32[6,5] = reshape(seed, shape=[6,5])
      transpose_1: float32[5,6] = transpose(reshape_1, order=[1,0])
      multiply_1: float32[2,3,4] = multiply(x, constant)
      erf_1: float32[2,3,4] = erf(multiply_1)
      add_1: float32[2,3,4] = add(erf_1, constant_1)
      multiply_2: float32[2,3,4] = multiply(add_1, constant_2)
      multiply_3: float32[2,3,4] = multiply(x, multiply_2)
      reshape_2: float32[6,4] = reshape(multiply_3, shape=[6,4])
      matMul_1: float32[5,4] = matMul(transpose_1, reshape_2)
      sum_1: float32[2,5] = sum(seed, axes=[1], keep=false)
      sum_2: float32[5] = sum(sum_1, axes=[0], keep=false)
      matMul_2: float32[2,3,4] = matMul(seed, weight)
      multiply_4: float32[2,3,4] = multiply(matMul_2, constant_3)
      multiply_5: float32[2,3,4] = multiply(x, constant_4)
      erf_2: float32[2,3,4] = erf(multiply_5)
      multiply_6: float32[2,3,4] = multiply(multiply_5, multiply_5)
      subtract_1: float32[2,3,4] = subtract(constant_5, multiply_6)
      exp_1: float32[2,3,4] = exp(subtract_1)
      multiply_7: float32[2,3,4] = multiply(multiply_5, exp_1)
      add_2: float32[2,3,4] = add(erf_2, multiply_7)
      add_3: float32[2,3,4] = add(add_2, constant_6)
      multiply_8: float32[2,3,4] = multiply(multiply_4, add_3)
      return { toWeight: matMul_1, toBias: sum_2, toX: multiply_8 }
    }"
  `);
});

test("a value that is read twice adds up what comes back", () => {
  const x = input("x", []);
  // d/dx (x^3 + 2x + x / (x + 1)) = 3 x^2 + 2 + 1 / (x + 1)^2.
  const cube = multiply(multiply(x, x), x);
  const y = add(add(cube, add(x, x)), divide(x, add(x, scalar(1))));
  expect(slopes(y, [x], { x: 3 })[0]).toBeCloseTo(27 + 2 + 1 / 16, 9);
});

test("a gradient can be differentiated again", () => {
  const x = input("x", []);
  const y = multiply(exp(x), multiply(x, x));
  const [first] = gradients([{ value: y, gradient: scalar(1) }], [x]) as [Value];
  // (e^x x^2)'' = e^x (x^2 + 4 x + 2).
  expect(slopes(first, [x], { x: 0.5 })[0]).toBeCloseTo(Math.exp(0.5) * (0.25 + 2 + 2), 9);
});

test("several seeds add up, one value may have two of them, and a seed may be wanted itself", () => {
  const [x, z] = [input("x", []), input("z", [])];
  const left = multiply(x, z);
  const right = exp(left);
  const seeds = [
    { value: left, gradient: scalar(2) },
    { value: right, gradient: scalar(3) },
    { value: left, gradient: scalar(5) },
  ];
  const results = gradients(seeds, [x, left, right, x]);
  const graph = createGraph("g", Object.fromEntries(results.map((value, i) => [`g${i}`, value])));
  const feeds = { x: tensor64([], () => 0.5), z: tensor64([], () => 2) };
  const outputs = evaluate(graph, feeds);
  const toLeft = 7 + 3 * Math.E;
  for (const [i, wanted] of [2 * toLeft, toLeft, 3, 2 * toLeft].entries()) {
    expect(outputs[`g${i}`]?.data[0]).toBeCloseTo(wanted, 9);
  }
});

test("nothing is built for pixels, constants, or what leads to no wanted value", () => {
  const pixels = exp(multiply(input("pixels", [6, 4]), constant(new Float32Array(4).fill(2), [4])));
  const weight = input("weight", [4, 3]);
  const y = matMul(pixels, weight);
  const [gradient] = gradients([seed(y)], [weight]) as [Value];
  const { nodes } = createGraph("g", { gradient });
  // The way there to the operand, its flip, the product; no gradient of exp, no product for the pixels.
  expect(nodes.map(({ op }) => op)).toEqual(["multiply", "exp", "transpose", "matMul"]);
});

test("a weight's gradient does not hold on to results that are cheap to compute again", () => {
  const [x, scale, offset] = [input("x", [6, 4]), input("scale", [4]), input("offset", [4])];
  for (const operand of [gelu(x), layerNorm(x, scale, offset, 1e-6)]) {
    const weight = input("weight", [4, 3]);
    const y = matMul(operand, weight);
    const [gradient] = gradients([seed(y)], [weight]) as [Value];
    const { nodes } = createGraph("g", { y, gradient });
    const readers = nodes.filter(({ inputs }) => inputs.some(({ source }) => source === operand.source));
    // The product of the way there, and no other.
    expect(readers.map(({ outputs: [type] }) => type?.shape)).toEqual([[6, 3]]);
  }
});

test("lengths are differentiated without writing repeated numbers out, nor both sides of a square", () => {
  const x = input("x", [4, 256]);
  const y = divide(x, squareRoot(sumLast(multiply(x, x))));
  const [gradient] = gradients([seed(y)], [x]) as [Value];
  const large = createGraph("g", { gradient }).nodes.filter(({ outputs: [type] }) => type?.shape.at(-1) === 256);
  // There: the square, the quotient. Back: g / length, g times the quotient, what the square gets, the sum.
  expect(large.map(({ op }) => op).sort()).toEqual(["add", "divide", "divide", "multiply", "multiply", "multiply"]);
});

test("a value that no seed depends on is refused, and so is what is cut off", () => {
  const [x, other] = [input("x", [2]), input("other", [3])];
  expect(refusalOf(() => gradients([seed(exp(x))], [x, other]))).toBe(
    "graph-gradient: No gradient reaches other: float32[3]: no seed depends on it.",
  );
  expect(refusalOf(() => gradients([seed(exp(detach(x)))], [x]))).toBe(
    "graph-gradient: No gradient reaches x: float32[2]: no seed depends on it.",
  );
  expect(refusalOf(() => gradients([], [exp(x)]))).toBe(
    "graph-gradient: No gradient reaches exp: float32[2]: no seed depends on it.",
  );
});

test("a seed must be float32 and of its value's shape", () => {
  const x = input("x", ["batch", 2]);
  const attempt = (gradient: Value) => refusalOf(() => gradients([{ value: exp(x), gradient }], [x]));
  const wish = "graph-gradient: A gradient is float32 and of its value's shape; float32[batch,2] is seeded with";
  expect(attempt(input("seed", [2]))).toBe(`${wish} float32[2].`);
  expect(attempt(input("seed", ["batch", 2], "int64"))).toBe(`${wish} int64[batch,2].`);
});

test("a layer norm has one output without its gradient and three with it, and passes none through its statistics", () => {
  const [x, scale, offset] = [input("x", [2, 3]), input("scale", [3]), input("offset", [3])] as const;
  const y = layerNorm(x, scale, offset, 1e-6);
  expect(printGraph(createGraph("g", { y }))).toContain("layerNorm_1: float32[2,3] = layerNorm(");
  const [toX, toOffset] = gradients([seed(y)], [x, offset]) as [Value, Value];
  expect(printGraph(createGraph("g", { toX }))).toContain(
    "layerNorm_1.0: float32[2,3], layerNorm_1.1: float32[2,1], layerNorm_1.2: float32[2,1] = layerNorm(",
  );
  expect(createGraph("g", { toOffset }).nodes.map(({ op }) => op)).toEqual(["sum"]);
  const [, average] = reduceOps.layerNorm.applyAll([x, scale, offset], { epsilon: 1e-6 });
  expect(refusalOf(() => gradients([seed(average ?? x)], [x]))).toBe(
    "graph-gradient: layerNorm has no gradient: it was asked to pass one through its statistics.",
  );
});

test("a size known by name goes through layers, and is refused where a number is needed", async () => {
  const [x, weight] = [input("x", ["batch", 2, 3]), input("weight", [4, 3])] as const;
  const y = gelu(matMul(x, transposeLast(weight)));
  const [toX, toWeight] = gradients([seed(y)], [x, weight]) as [Value, Value];
  expect([formatType(toX), formatType(toWeight)]).toEqual(["float32[batch,2,3]", "float32[4,3]"]);
  const graph = createGraph("g", { toX, toWeight });
  const feeds = Object.fromEntries(
    Object.entries({ x: [5, 2, 3], seed: [5, 2, 4], weight: [4, 3] }).map(([name, shape], k) => [
      name,
      tensor64(shape, ([i = 0, j = 0, l = 0]) => Math.fround(Math.sin(7 * i + 3 * j + l + k))),
    ]),
  );
  const program = await createOrtRuntime("cpu").load(graph);
  const got = await program.run(
    Object.fromEntries(
      Object.entries(feeds).map(([name, { shape, data }]) => [name, floats(Float32Array.from(data), shape)]),
    ),
  );
  await program.release();
  // Float32 sums of ten terms.
  const wanted = evaluate(graph, feeds);
  for (const name of ["toX", "toWeight"]) {
    expect(relativeError(floatOutput(got, name).data, wanted[name]?.data ?? [])).toBeLessThan(1e-6);
  }
  expect(refusalOf(() => gradients([seed(sum(x, [0], false))], [x]))).toBe(
    "graph-shape: expand cannot repeat [1,2,3] until it is [batch,2,3].",
  );
  expect(refusalOf(() => gradients([seed(mean(x, [0], false))], [x]))).toBe(
    "graph-shape: The size of what a mean is taken of must be a known size, got batch.",
  );
});

test("2^60 paths and ten thousand nodes in a row are no trouble", () => {
  const x = input("x", []);
  let y = x;
  for (let i = 0; i < 60; i++) y = add(y, y);
  expect(slopes(y, [x], { x: 1 })[0]).toBe(2 ** 60);
  let chain = x;
  for (let i = 0; i < 10_000; i++) chain = subtract(scalar(i), chain);
  const [gradient] = gradients([{ value: chain, gradient: scalar(1) }], [x]) as [Value];
  expect(createGraph("deep", { gradient }).nodes).toHaveLength(10_000);
});

test("expressions of any shapes that fit have the gradients that differences show", () => {
  const size = fc.constantFrom(1, 2, 3);
  const operators = fc.constantFrom(add, subtract, multiply);
  const random = fc.record({
    shape: fc.array(size, { maxLength: 4 }),
    repeated: fc.tuple(
      ...[0, 1, 2].map(() =>
        fc.record({ ones: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), cut: fc.nat(4) }),
      ),
    ),
    operators: fc.tuple(operators, operators),
  });
  fc.assert(
    fc.property(random, ({ shape, repeated, operators: [outer, inner] }) => {
      const [a, b, c] = repeated.map(({ ones, cut }, i) =>
        input(`x${i}`, shape.map((d, axis) => (ones[axis] === true ? 1 : d)).slice(Math.min(cut, shape.length))),
      ) as [Value, Value, Value];
      const y = outer(inner(a, b), exp(multiply(inner(b, c), scalar(0.25))));
      const seeded = seed(y);
      const results = gradients([seeded], [a, b, c]);
      results.forEach((result, i) => expect(result.shape).toEqual([a, b, c][i]?.shape));
      // Sums of up to 81 terms; the third derivatives are small.
      checkDirections(seeded, Object.fromEntries(results.map((result, i) => [`d.x${i}`, result])), 1e-6);
    }),
    { numRuns: 60 },
  );
});

const tiny: Architecture = {
  width: 8,
  depth: 2,
  heads: 2,
  hidden: 12,
  patch: 2,
  grid: 2,
  registers: 1,
  layerScale: true,
  positionOffset: 0,
  positionAntialias: false,
};

/** A transformer with its weights as inputs, and the gradients of all of them. */
function transformerGradients(architecture: Architecture, pixels: Shape, output: "cls" | "tokens") {
  const names = weightShapes(architecture);
  const weights = new Map([...names].map(([name, shape]) => [name, input(name, shape)]));
  const weight = (name: string): Value => weights.get(name) ?? scalar(NaN);
  const { [output]: y } = visionTransformer(architecture, weight, input("pixels", pixels), [output]);
  if (y === undefined) throw new Error("No output.");
  const seeded = seed(y);
  const results = gradients([seeded], [...weights.values()]);
  return { y, seeded, results: Object.fromEntries([...names.keys()].map((name, i) => [`d.${name}`, results[i] ?? y])) };
}

test.each(["cls", "tokens"] as const)("every weight of a transformer has the gradient of its %s", (output) => {
  // Four by six pixels on a grid of two by two patches: the position embeddings are resized.
  const { seeded, results } = transformerGradients(tiny, [2, 3, 4, 6], output);
  // float32 constants in the rules and in the resizing, and differences through two blocks.
  checkDirections(seeded, results, 1e-5);
});

test("the gradient of a ViT-S is built in a fraction of a second and holds no more products than it needs", () => {
  const architecture = namedArchitecture("vit-small");
  const start = performance.now();
  const { results } = transformerGradients(architecture, [4, 3, 224, 224], "tokens");
  const graph = createGraph("backward", results);
  // A tenth of this on an idle machine.
  expect(performance.now() - start).toBeLessThan(1000);
  const products = graph.nodes.filter(({ op }) => op === "matMul");
  // Forwards one for the patches, two for the positions, and six a block; twice that backwards, but for the pixels and the
  // two constant matrices of the positions.
  expect(products.length).toBeLessThanOrEqual(3 * (1 + 6 * architecture.depth) + 4 - 1);
  // No weight's gradient is a stack of matrices that is summed up afterwards.
  const weightSized = products.filter(
    ({ outputs: [type] }) => (type?.shape.length ?? 0) > 2 && Number(type?.shape.at(-2)) > 197,
  );
  expect(weightSized).toEqual([]);
  // One copy of each weight's size at most: no gradient of a weight is flipped after it is computed.
  for (const [name, value] of Object.entries(results)) {
    if (/(qkv|proj|fc\d)\.weight$/.test(name) && name.includes("blocks")) {
      expect(value.source.kind === "node" && value.source.node.op, name).toBe("matMul");
    }
  }
});

test("a graph with its gradient runs on onnxruntime as in float64", async () => {
  const { y, results } = transformerGradients(tiny, [2, 3, 4, 6], "tokens");
  const graph = createGraph("both", { y, ...results });
  const feeds = drawFeeds(graph, 3);
  const program = await createOrtRuntime("cpu").load(graph);
  const got = await program.run(
    Object.fromEntries(
      Object.entries(feeds).map(([name, { shape, data }]) => [name, floats(Float32Array.from(data), shape)]),
    ),
  );
  await program.release();
  const wanted = evaluate(graph, feeds);
  for (const name of Object.keys(graph.outputs)) {
    // Keys get no gradient through a softmax, so their bias has rounding in its gradient and nothing else.
    const cut = (data: ArrayLike<number>): number[] =>
      Array.from(data).filter((_, i) => !name.endsWith("qkv.bias") || i < 8 || i >= 16);
    expect(relativeError(cut(floatOutput(got, name).data), cut(wanted[name]?.data ?? [])), name).toBeLessThan(1e-5);
  }
});

test("parts of a split that nobody reads count as zeros", () => {
  const x = input("x", [1, 6]);
  const [, middle] = split(x, 1, 3);
  const [gradient] = gradients([seed(multiply(middle ?? x, scalar(2)))], [x]) as [Value];
  const { g } = evaluate(createGraph("g", { g: gradient }), { seed: tensor64([1, 2], ([, i = 0]) => i + 1) });
  expect([...(g?.data ?? [])]).toEqual([0, 0, 2, 4, 0, 0]);
});

test("an operator without a gradient does not compile", () => {
  // The line below is checked by the compiler, which complains when there is nothing to expect.
  // @ts-expect-error: gradient is missing
  const record: OpRecord<object> = { onnx: "Abs", infer: ([a]) => (a === undefined ? [] : [a]) };
  expect(defineOp).toBeTypeOf("function");
  expect(record.gradient).toBeUndefined();
});
