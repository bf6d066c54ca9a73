import { CoreError } from "../../util/errors.ts";
import {
  defineOp,
  first,
  present,
  unaryRule,
  type GradientStep,
  type InputGradient,
  type None,
  type Op,
} from "../op.ts";
import { normalizeAxis } from "../shape.ts";
import { formatShape, formatType, known, scalar, sizeOf, type Value } from "../value.ts";
import { reduceTo } from "./broadcast.ts";
import { detach, exp, log, multiply, subtract } from "./elementwise.ts";
import { expand, reshape } from "./movement.ts";

interface Reduction {
  /** Axes to reduce, counted from the front. */
  readonly axes: readonly number[];
  /** Whether reduced axes stay, with size 1. */
  readonly keep: boolean;
}

function reduction(name: string, onnx: string, gradient: Op<Reduction>["gradient"]): Op<Reduction> {
  return defineOp<Reduction>(name, {
    onnx,
    infer: (inputs, { axes, keep }) => {
      const { element, shape } = first(inputs, name);
      const along = new Set(axes.map((axis) => normalizeAxis(axis, shape.length, name)));
      if (along.size !== axes.length || along.size === 0) {
        throw new CoreError("graph-shape", `${name} cannot reduce axes ${formatShape(axes)} of ${formatShape(shape)}.`);
      }
      return [
        { element, shape: keep ? shape.map((d, i) => (along.has(i) ? 1 : d)) : shape.filter((_, i) => !along.has(i)) },
      ];
    },
    toOnnx: ({ axes, keep }) => ({ constants: [axes], attributes: { keepdims: { type: "int", value: keep ? 1 : 0 } } }),
    gradient,
  });
}

/** What a sum hands back: its gradient, repeated for each element that it added up. */
function spread(a: Value, gradient: Value, { axes, keep }: Reduction): Value {
  const kept = keep
    ? gradient
    : reshape(
        gradient,
        a.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
      );
  return String(kept.shape) === String(a.shape) ? kept : expand(kept, a.shape);
}

export const reduceOps = {
  sum: reduction(
    "sum",
    "ReduceSum",
    unaryRule((a, _, g, reduced) => spread(a, g, reduced)),
  ),
  mean: reduction(
    "mean",
    "ReduceMean",
    unaryRule((a, _, g, reduced) => {
      const count = sizeOf(reduced.axes.map((axis) => known(a.shape[axis], "The size of what a mean is taken of")));
      return spread(a, multiply(g, scalar(1 / count)), reduced);
    }),
  ),
  largest: reduction("largest", "ReduceMax", { because: "it is used to compare and to count, never to learn" }),

  /** Position of the largest element of the last axis, which is dropped; the first of equal ones. */
  argMax: defineOp<None>("argMax", {
    onnx: "ArgMax",
    infer: (inputs) => {
      const { shape } = first(inputs, "argMax");
      normalizeAxis(-1, shape.length, "argMax");
      return [{ element: "int64", shape: shape.slice(0, -1) }];
    },
    toOnnx: () => ({ attributes: { axis: { type: "int", value: -1 }, keepdims: { type: "int", value: 0 } } }),
    gradient: { because: "a position does not change by a little" },
  }),

  softmax: defineOp<None>("softmax", {
    onnx: "Softmax",
    infer: (inputs) => {
      const { element, shape } = first(inputs, "softmax");
      normalizeAxis(-1, shape.length, "softmax");
      return [{ element, shape }];
    },
    toOnnx: () => ({ attributes: { axis: { type: "int", value: -1 } } }),
    gradient: unaryRule((_, y, g) => multiply(subtract(g, sumLast(multiply(g, y))), y)),
  }),

  /** Outputs: the result, and for the gradient the mean and one over the standard deviation, [..., 1]. */
  layerNorm: defineOp<{ readonly epsilon: number }>("layerNorm", {
    onnx: "LayerNormalization",
    infer: (inputs) => {
      const { element, shape } = first(inputs, "layerNorm");
      const width = shape.at(-1);
      const [, scale, offset] = inputs;
      if (
        scale?.shape.length !== 1 ||
        scale.shape[0] !== width ||
        offset?.shape.length !== 1 ||
        offset.shape[0] !== width ||
        scale.element !== element ||
        offset.element !== element
      ) {
        throw new CoreError(
          "graph-shape",
          `layerNorm needs a scale and an offset of ${width} values, got ${inputs.map(formatType).join(", ")}.`,
        );
      }
      const statistic = { element, shape: [...shape.slice(0, -1), 1] };
      return [{ element, shape }, statistic, statistic];
    },
    toOnnx: ({ epsilon }) => ({
      attributes: { axis: { type: "int", value: -1 }, epsilon: { type: "float", value: epsilon } },
    }),
    optionalFrom: 1,
    gradient: layerNormGradient,
  }),

  /** Largest `count` elements of the last axis, sorted, and their positions. */
  topK: defineOp<{ readonly count: number }>("topK", {
    onnx: "TopK",
    infer: (inputs, { count }) => {
      const { element, shape } = first(inputs, "topK");
      const size = shape.at(-1);
      const fits = Number.isInteger(count) && count > 0 && (typeof size !== "number" || count <= size);
      if (size === undefined || !fits) {
        throw new CoreError("graph-shape", `topK cannot take ${count} of ${formatShape(shape)}.`);
      }
      const kept = [...shape.slice(0, -1), count];
      return [
        { element, shape: kept },
        { element: "int64", shape: kept },
      ];
    },
    toOnnx: ({ count }) => ({ constants: [[count]] }),
    gradient: { because: "it is used to search, never to learn" },
  }),
};

/**
 * With the normal form n = (x - mean) / deviation and u = scale * gradient: (u - mean(u) - n mean(u n)) / deviation for x,
 * and sums of gradient * n and of the gradient for scale and offset.
 */
function layerNormGradient({ inputs, outputs, gradients }: GradientStep<object>): readonly InputGradient[] {
  const [x, scale, offset] = inputs;
  const [, mean, inverse] = outputs;
  const [g, ...statistics] = gradients;
  if (g === undefined || statistics.some((gradient) => gradient !== undefined)) {
    throw new CoreError(
      "graph-gradient",
      "layerNorm has no gradient: it was asked to pass one through its statistics.",
    );
  }
  const normal = multiply(subtract(present(x), present(mean)), present(inverse));
  const stretched = multiply(g, normal);
  return [
    () => {
      const u = multiply(g, present(scale));
      const parallel = multiply(normal, meanLast(multiply(stretched, present(scale))));
      return multiply(subtract(subtract(u, meanLast(u)), parallel), present(inverse));
    },
    () => reduceTo(stretched, present(scale).shape),
    () => reduceTo(g, present(offset).shape),
  ];
}

/** Sum over `axes`, which count from the back where negative; with `keep` they stay, with size 1. */
export const sum = (a: Value, axes: readonly number[], keep: boolean): Value =>
  reduceOps.sum.apply([a], { axes: fromFront(a, axes, "sum"), keep });
/** Mean over `axes`, which count from the back where negative; with `keep` they stay, with size 1. */
export const mean = (a: Value, axes: readonly number[], keep: boolean): Value =>
  reduceOps.mean.apply([a], { axes: fromFront(a, axes, "mean"), keep });
/** Largest element over `axes`, which count from the back where negative; with `keep` they stay, with size 1. */
export const largest = (a: Value, axes: readonly number[], keep: boolean): Value =>
  reduceOps.largest.apply([a], { axes: fromFront(a, axes, "largest"), keep });
/** Sum of all elements, without dimensions. */
export const sumAll = (a: Value): Value => sum(a, [...a.shape.keys()], false);
/** Sum along the last axis, kept with size 1. */
export const sumLast = (a: Value): Value => sum(a, [-1], true);
/** Mean along the last axis, kept with size 1. */
export const meanLast = (a: Value): Value => mean(a, [-1], true);
/** Position of the largest element along the last axis, which is dropped: int64, the first of equal ones. */
export const argMax = (a: Value): Value => reduceOps.argMax.apply([a], {});
/**
 * Logarithm of the softmax along the last axis, exact also where the softmax is 0 in float32. WebGPU lacks ONNX's own.
 * A shift changes nothing, so no gradient has to pass the largest element.
 */
export function logSoftmax(a: Value): Value {
  const shifted = subtract(a, detach(largest(a, [-1], true)));
  return subtract(shifted, log(sumLast(exp(shifted))));
}
/** exp(x) over its sum along the last axis. */
export const softmax = (a: Value): Value => reduceOps.softmax.apply([a], {});
/** (x - mean) / sqrt(variance + epsilon) * scale + offset along the last axis; the variance is the biased one. */
export const layerNorm = (a: Value, scale: Value, offset: Value, epsilon: number): Value =>
  reduceOps.layerNorm.apply([a, scale, offset], { epsilon });
/** The `count` largest elements along the last axis, largest first: [values, positions]. */
export function topK(a: Value, count: number): readonly [Value, Value] {
  const [values, positions] = reduceOps.topK.applyAll([a], { count });
  if (values === undefined || positions === undefined) throw new CoreError("internal", "topK gave no outputs.");
  return [values, positions];
}

function fromFront(a: Value, axes: readonly number[], op: string): readonly number[] {
  return axes.map((axis) => normalizeAxis(axis, a.shape.length, op));
}
