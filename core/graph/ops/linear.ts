import { CoreError } from "../../util/errors.ts";
import { defineOp, pair, type None } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import { formatType, type Value } from "../value.ts";

export const linearOps = {
  matMul: defineOp<None>("matMul", {
    onnx: "MatMul",
    infer: (inputs) => {
      const [a, b] = pair(inputs, "matMul");
      const [rows, inner] = a.shape.slice(-2);
      const [innerB, columns] = b.shape.slice(-2);
      if (rows === undefined || columns === undefined || inner === undefined || inner !== innerB) {
        throw new CoreError("graph-shape", `matMul cannot multiply ${formatType(a)} by ${formatType(b)}.`);
      }
      const stack = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), "matMul");
      return [{ element: a.element, shape: [...stack, rows, columns] }];
    },
  }),
};

/** Matrix product over the last two dimensions: [..., n, k] by [..., k, m] gives [..., n, m]. */
export const matMul = (a: Value, b: Value): Value => linearOps.matMul.apply([a, b], {});
