import type * as tensorflow from "@tensorflow/tfjs-core";
import { normalizeAxis } from "../graph/shape.ts";
import type { AttributesOf, OpName } from "../graph/table.ts";
import type { Shape } from "../graph/value.ts";
import { CoreError } from "../util/errors.ts";

/** The module `@tensorflow/tfjs-core`, which is loaded only when someone asks for it. */
export type Tfjs = typeof tensorflow;

type Tensor = tensorflow.Tensor;

/**
 * Computes one operator. The results are tensors of their own, never an input itself: inputs are disposed of while
 * results live on. `sizes` gives the numbers for a shape with names in it.
 */
export type Kernel<Attributes> = (
  inputs: readonly Tensor[],
  attributes: Attributes,
  sizes: (shape: Shape) => number[],
) => Tensor[];

/** A kernel for every operator of the table: an operator without one does not compile. */
export type Kernels = { readonly [Name in OpName]: Kernel<AttributesOf<Name>> };

/** All kernels, on whatever backend tfjs is set to when they run. */
export function createKernels(tf: Tfjs): Kernels {
  return {
    add: binary(tf.add),
    subtract: binary(tf.sub),
    multiply: binary(tf.mul),
    divide: binary(tf.div),
    detach: ([a]) => [tf.clone(present(a))],
    negate: unary((a) => tf.neg(a)),
    squareRoot: unary((a) => tf.sqrt(a)),
    exp: unary((a) => tf.exp(a)),
    log: unary((a) => tf.log(a)),
    erf: unary((a) => tf.erf(a)),
    // The exact form, x * Phi(x); tfjs computes erf by Abramowitz and Stegun 7.1.26, within 1.5e-7.
    gelu: unary((a) => tf.mul(tf.mul(a, 0.5), tf.add(tf.erf(tf.mul(a, Math.SQRT1_2)), 1))),

    matMul: binary((a, b) => multiplyMatrices(tf, a, b)),

    reshape: ([a], { shape }, sizes) => [tf.reshape(present(a), sizes(shape))],
    transpose: ([a], { order }) => [tf.transpose(present(a), [...order])],
    concat: (inputs, { axis }) => [tf.concat([...inputs], axis)],
    slice: ([a], { axis, start, end }) => {
      const { shape } = present(a);
      const along = normalizeAxis(axis, shape.length, "slice");
      const begin = shape.map((_, i) => (i === along ? start : 0));
      return [
        tf.slice(
          present(a),
          begin,
          shape.map((size, i) => (i === along ? end - start : size)),
        ),
      ];
    },
    split: ([a], { axis, parts }) => tf.split(present(a), parts, axis),
    pad: ([a], { axis, before, after }) => {
      const { shape } = present(a);
      const along = normalizeAxis(axis, shape.length, "pad");
      return [
        tf.pad(
          present(a),
          shape.map((_, i): [number, number] => (i === along ? [before, after] : [0, 0])),
        ),
      ];
    },
    expand: ([a], { shape }, sizes) => [tf.broadcastTo(present(a), sizes(shape))],

    greater: binary(tf.greater),
    equal: binary(tf.equal),
    minimum: binary(tf.minimum),
    maximum: binary(tf.maximum),
    where: ([condition, a, b]) => [tf.where(present(condition), present(a), present(b))],
    floor: unary((a) => tf.floor(a)),

    sum: ([a], { axes, keep }) => [tf.sum(real(a), [...axes], keep)],
    mean: ([a], { axes, keep }) => [tf.mean(real(a), [...axes], keep)],
    largest: ([a], { axes, keep }) => [tf.max(real(a), [...axes], keep)],
    argMax: unary((a) => tf.argMax(a, -1)),
    softmax: unary((a) => tf.softmax(a, -1)),
    layerNorm: ([a, scale, offset], { epsilon }) => {
      const mean = tf.mean(present(a), -1, true);
      const centred = tf.sub(present(a), mean);
      const deviation = tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
      const normal = tf.div(centred, deviation);
      return [tf.add(tf.mul(normal, present(scale)), present(offset)), mean, tf.reciprocal(deviation)];
    },
    topK: ([a], { count }) => {
      const { values, indices } = tf.topk(present(a), count, true);
      return [values, indices];
    },
  };
}

function unary(compute: (a: Tensor) => Tensor): Kernel<unknown> {
  return ([a]) => [compute(real(a))];
}

function binary(compute: (a: Tensor, b: Tensor) => Tensor): Kernel<unknown> {
  return ([a, b]) => [compute(real(a), real(b))];
}

/** An operand to compute with. tfjs rounds whole numbers its own way, so int64 is only moved about and picked from. */
function real(tensor: Tensor | undefined): Tensor {
  if (present(tensor).dtype !== "float32") {
    throw new CoreError("runtime-input", "TensorFlow.js computes on float32 here, got whole numbers.");
  }
  return present(tensor);
}

/** The graph's shape rules have counted the inputs; this tells the compiler. */
function present(tensor: Tensor | undefined): Tensor {
  if (tensor === undefined) throw new CoreError("internal", "A kernel got too few inputs.");
  return tensor;
}

/**
 * a b with broadcasting over the stack of matrices. tfjs' own backends take matrix number i of the result from number
 * (i modulo length) of each operand, which is right for one matrix or a full stack and wrong, beyond the end even, for
 * [2,1,...] by [1,3,...]. So anything between is filled up first.
 */
function multiplyMatrices(tf: Tfjs, a: Tensor, b: Tensor): Tensor {
  const stackOf = ({ shape }: Tensor): number[] => shape.slice(0, -2);
  const stack = tf.broadcast_util.assertAndGetBroadcastShape(stackOf(a), stackOf(b));
  const fill = (x: Tensor): Tensor => {
    const length = tf.util.sizeFromShape(stackOf(x));
    const complete = length === 1 || length === tf.util.sizeFromShape(stack);
    return complete ? x : tf.broadcastTo(x, [...stack, ...x.shape.slice(-2)]);
  };
  return tf.matMul(fill(a), fill(b));
}
