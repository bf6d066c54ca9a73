import { CoreError } from "../../util/errors.ts";
import { defineOp, first } from "../op.ts";
import { checkReshape, normalizeAxis } from "../shape.ts";
import { formatShape, formatType, known, type Shape, type Value } from "../value.ts";

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
  }),

  /** Zeros before the first element of one axis. */
  padFront: defineOp<{ readonly axis: number; readonly count: number }>("padFront", {
    onnx: "Pad",
    infer: (inputs, { axis, count }) => {
      const { element, shape } = first(inputs, "padFront");
      const along = normalizeAxis(axis, shape.length, "padFront");
      const size = known(shape[along], "padFront's axis");
      if (!Number.isInteger(count) || count < 0) {
        throw new CoreError("graph-shape", `padFront cannot put ${count} zeros in front of ${formatShape(shape)}.`);
      }
      return [{ element, shape: shape.map((d, i) => (i === along ? size + count : d)) }];
    },
    toOnnx: ({ axis, count }, inputs) => {
      const { shape } = first(inputs, "padFront");
      const along = normalizeAxis(axis, shape.length, "padFront");
      const pads = Array.from({ length: 2 * shape.length }, (_, i) => (i === along ? count : 0));
      return { constants: [pads] };
    },
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
/** `a` with `count` zeros in front along `axis`. */
export const padFront = (a: Value, axis: number, count: number): Value =>
  movementOps.padFront.apply([a], { axis, count });
/** `a` with its last two dimensions exchanged. */
export function transposeLast(a: Value): Value {
  const rank = a.shape.length;
  const order = Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
  return transpose(a, order);
}
