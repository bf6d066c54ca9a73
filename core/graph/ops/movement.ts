import { CoreError } from "../../util/errors.ts";
import { defineOp, first, present, unaryRule } from "../op.ts";
import { broadcastShapes, checkReshape, normalizeAxis } from "../shape.ts";
import { formatShape, formatType, known, scalar, type Shape, type Value } from "../value.ts";
import { reduceTo } from "./broadcast.ts";
import { matMul } from "./linear.ts";

export const movementOps = {
  reshape: defineOp<{ readonly shape: Shape }>("reshape", {
    onnx: "Reshape",
    infer: (inputs, { shape }) => {
      const from = first(inputs, "reshape");
      checkReshape(from.shape, shape);
      return [{ element: from.element, shape }];
    },
    // A size that is known by name only becomes ONNX's "whatever is left".
    toOnnx: ({ shape }) => ({ constants: [shape.map((d) => (typeof d === "number" ? d : -1))] }),
    gradient: unaryRule((a, _, g) => reshape(g, a.shape)),
  }),

  transpose: defineOp<{ readonly order: readonly number[] }>("transpose", {
    onnx: "Transpose",
    infer: (inputs, { order }) => {
      const { element, shape } = first(inputs, "transpose");
      const shuffled = order.map((axis) => shape[axis]).filter((d) => d !== undefined);
      if (new Set(order).size !== shape.length || shuffled.length !== shape.length) {
        throw new CoreError("graph-shape", `transpose cannot order ${formatShape(shape)} as ${formatShape(order)}.`);
      }
      return [{ element, shape: shuffled }];
    },
    toOnnx: ({ order }) => ({ attributes: { perm: { type: "ints", value: order } } }),
    gradient: unaryRule((_, _y, g, { order }) => {
      if (String(order) === String(lastFlip(order.length))) return flipped(g);
      return transpose(
        g,
        order.map((_axis, i) => order.indexOf(i)),
      );
    }),
  }),

  concat: defineOp<{ readonly axis: number }>("concat", {
    onnx: "Concat",
    infer: (inputs, { axis }) => {
      const { element, shape } = first(inputs, "concat");
      const along = normalizeAxis(axis, shape.length, "concat");
      const rest = (s: Shape): string => formatShape(s.map((d, i) => (i === along ? "*" : d)));
      if (inputs.some((other) => other.element !== element || rest(other.shape) !== rest(shape))) {
        throw new CoreError(
          "graph-shape",
          `concat along axis ${axis} needs one element type and equal shapes beside it, got ${inputs.map(formatType).join(", ")}.`,
        );
      }
      const total = inputs.reduce((sum, { shape: s }) => sum + known(s[along], "concat's axis"), 0);
      return [{ element, shape: shape.map((d, i) => (i === along ? total : d)) }];
    },
    toOnnx: ({ axis }) => ({ attributes: { axis: { type: "int", value: axis } } }),
    gradient: ({ inputs, gradients: [g], attributes: { axis } }) => {
      let end = 0;
      return inputs.map(({ shape }) => {
        const start = end;
        end += known(shape.at(axis), "concat's axis");
        return () => slice(present(g), axis, start, start + known(shape.at(axis), "concat's axis"));
      });
    },
  }),

  slice: defineOp<{ readonly axis: number; readonly start: number; readonly end: number }>("slice", {
    onnx: "Slice",
    infer: (inputs, { axis, start, end }) => {
      const { element, shape } = first(inputs, "slice");
      const along = normalizeAxis(axis, shape.length, "slice");
      const size = known(shape[along], "slice's axis");
      if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end > size || start >= end) {
        throw new CoreError(
          "graph-shape",
          `slice cannot take ${start} to ${end} of axis ${axis} of ${formatShape(shape)}.`,
        );
      }
      return [{ element, shape: shape.map((d, i) => (i === along ? end - start : d)) }];
    },
    toOnnx: ({ axis, start, end }) => ({ constants: [[start], [end], [axis]] }),
    gradient: unaryRule(({ shape }, _, g, { axis, start, end }) =>
      String(g.shape) === String(shape) ? g : pad(g, axis, start, known(shape.at(axis), "slice's axis") - end),
    ),
  }),

  split: defineOp<{ readonly axis: number; readonly parts: number }>("split", {
    onnx: "Split",
    infer: (inputs, { axis, parts }) => {
      const { element, shape } = first(inputs, "split");
      const along = normalizeAxis(axis, shape.length, "split");
      const size = known(shape[along], "split's axis");
      if (!Number.isInteger(parts) || parts < 1 || size % parts !== 0) {
        throw new CoreError(
          "graph-shape",
          `split cannot cut axis ${axis} of ${formatShape(shape)} into ${parts} equal parts.`,
        );
      }
      const part = shape.map((d, i) => (i === along ? size / parts : d));
      return Array.from({ length: parts }, () => ({ element, shape: part }));
    },
    toOnnx: ({ axis, parts }) => ({
      attributes: { axis: { type: "int", value: axis }, num_outputs: { type: "int", value: parts } },
    }),
    gradient: ({ outputs, gradients, attributes: { axis } }) => [
      () =>
        concat(
          outputs.map(({ shape }, i) => gradients[i] ?? expand(scalar(0), shape)),
          axis,
        ),
    ],
  }),

  /** Zeros at the two ends of one axis. */
  pad: defineOp<{ readonly axis: number; readonly before: number; readonly after: number }>("pad", {
    onnx: "Pad",
    infer: (inputs, { axis, before, after }) => {
      const { element, shape } = first(inputs, "pad");
      const along = normalizeAxis(axis, shape.length, "pad");
      const size = known(shape[along], "pad's axis");
      if (!Number.isInteger(before) || !Number.isInteger(after) || before < 0 || after < 0) {
        throw new CoreError(
          "graph-shape",
          `pad cannot put ${before} zeros in front of ${formatShape(shape)} and ${after} behind it.`,
        );
      }
      return [{ element, shape: shape.map((d, i) => (i === along ? before + size + after : d)) }];
    },
    toOnnx: ({ axis, before, after }, inputs) => {
      const { shape } = first(inputs, "pad");
      const along = normalizeAxis(axis, shape.length, "pad");
      return { constants: [[before, after].flatMap((count) => shape.map((_, i) => (i === along ? count : 0)))] };
    },
    gradient: unaryRule(({ shape }, _, g, { axis, before }) =>
      slice(g, axis, before, before + known(shape.at(axis), "pad's axis")),
    ),
  }),

  /** The value repeated along axes of size 1 and along new ones in front, until it has a shape. */
  expand: defineOp<{ readonly shape: Shape }>("expand", {
    onnx: "Expand",
    infer: (inputs, { shape }) => {
      const from = first(inputs, "expand");
      // ONNX wants numbers; where the value has a size by the same name already, a 1 keeps it.
      const kept = (size: Shape[number], i: number): boolean =>
        from.shape[i - shape.length + from.shape.length] === size;
      const whole = shape.every((size, i) =>
        typeof size === "number" ? Number.isInteger(size) && size > 0 : kept(size, i),
      );
      if (!whole || String(broadcastShapes(from.shape, shape, "expand")) !== String(shape)) {
        throw new CoreError(
          "graph-shape",
          `expand cannot repeat ${formatShape(from.shape)} until it is ${formatShape(shape)}.`,
        );
      }
      return [{ element: from.element, shape }];
    },
    toOnnx: ({ shape }) => ({ constants: [shape.map((size) => (typeof size === "number" ? size : 1))] }),
    gradient: unaryRule((a, _, g) => reduceTo(g, a.shape)),
  }),
};

/** The same elements in another shape; sizes known by name may move but not change. */
export const reshape = (a: Value, shape: Shape): Value => movementOps.reshape.apply([a], { shape });
/** Axis i of the result is axis `order[i]` of `a`. */
export const transpose = (a: Value, order: readonly number[]): Value => movementOps.transpose.apply([a], { order });
/** The values one after the other along `axis`. */
export const concat = (values: readonly Value[], axis: number): Value => movementOps.concat.apply(values, { axis });
/** Elements `start` to `end` (not included) of one axis. */
export const slice = (a: Value, axis: number, start: number, end: number): Value =>
  movementOps.slice.apply([a], { axis, start, end });
/** `a` cut into `parts` equal pieces along `axis`. */
export const split = (a: Value, axis: number, parts: number): readonly Value[] =>
  movementOps.split.applyAll([a], { axis, parts });
/** `a` with zeros along `axis`: `before` in front of it and `after` behind it. */
export const pad = (a: Value, axis: number, before: number, after: number): Value =>
  movementOps.pad.apply([a], { axis, before, after });
/** `a` with `count` zeros in front along `axis`. */
export const padFront = (a: Value, axis: number, count: number): Value => pad(a, axis, count, 0);
/** `a` repeated along axes of size 1, and along new ones in front, until it has `shape`. */
export const expand = (a: Value, shape: Shape): Value => movementOps.expand.apply([a], { shape });
/** `a` with its last two dimensions exchanged. */
export const transposeLast = (a: Value): Value => transpose(a, lastFlip(a.shape.length));

/**
 * The same as `transposeLast`, with as few steps as it takes: a value that is a flip itself is unflipped, and the flip of
 * a product with a flip on its left is the product of the two the other way round. In a graph of gradients, where every
 * weight is flipped on the way there and back, that leaves one flip in each product; onnxruntime takes it into the product.
 */
export function flipped(a: Value): Value {
  const inner = unflipped(a);
  if (inner !== undefined) return inner;
  if (a.source.kind === "node" && a.source.node.op === "matMul") {
    const [left, right] = a.source.node.inputs;
    const leftInner = left && unflipped(left);
    if (right !== undefined && leftInner !== undefined) return matMul(flipped(right), leftInner);
  }
  return transposeLast(a);
}

/** What `a` is the flip of; undefined when it is none. */
function unflipped({ source, shape }: Value): Value | undefined {
  if (source.kind !== "node" || source.node.op !== "transpose") return undefined;
  const { order } = source.node.attributes as { order: readonly number[] };
  return String(order) === String(lastFlip(shape.length)) ? source.node.inputs[0] : undefined;
}

/** The order of axes that exchanges the last two of `rank`. */
function lastFlip(rank: number): readonly number[] {
  return Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
}
