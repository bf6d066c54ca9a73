import { CoreError } from "../../util/errors.ts";
import { defineOp, first, type None, type Op } from "../op.ts";
import { normalizeAxis } from "../shape.ts";
import { formatShape, formatType, type Value } from "../value.ts";

/** A reduction along the last axis, which is kept with size 1. */
function reduceLast(name: string, onnx: string): Op<None> {
  return defineOp<None>(name, {
    onnx,
    infer: (inputs) => {
      const { element, shape } = first(inputs, name);
      normalizeAxis(-1, shape.length, name);
      return [{ element, shape: [...shape.slice(0, -1), 1] }];
    },
    toOnnx: () => ({ constants: [[-1]], attributes: { keepdims: { type: "int", value: 1 } } }),
  });
}

export const reduceOps = {
  sumLast: reduceLast("sumLast", "ReduceSum"),
  meanLast: reduceLast("meanLast", "ReduceMean"),

  softmax: defineOp<None>("softmax", {
    onnx: "Softmax",
    infer: (inputs) => {
      const { element, shape } = first(inputs, "softmax");
      normalizeAxis(-1, shape.length, "softmax");
      return [{ element, shape }];
    },
    toOnnx: () => ({ attributes: { axis: { type: "int", value: -1 } } }),
  }),

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
      return [{ element, shape }];
    },
    toOnnx: ({ epsilon }) => ({
      attributes: { axis: { type: "int", value: -1 }, epsilon: { type: "float", value: epsilon } },
    }),
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
  }),
};

/** Sum along the last axis, kept with size 1. */
export const sumLast = (a: Value): Value => reduceOps.sumLast.apply([a], {});
/** Mean along the last axis, kept with size 1. */
export const meanLast = (a: Value): Value => reduceOps.meanLast.apply([a], {});
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
