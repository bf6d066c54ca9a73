import { CoreError } from "../../util/errors.ts";
import { binaryRule, defineOp, pair, type None } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import { formatType, type Shape, type Value } from "../value.ts";
import { again } from "./again.ts";
import { reduceTo } from "./broadcast.ts";
import { flipped, reshape } from "./movement.ts";

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
    gradient: binaryRule(
      (g, a, b) => reduceTo(matMul(g, flipped(b)), a.shape),
      (g, a, b) => {
        // One matrix for a whole stack, as every weight is: one product over all rows sums up along the way.
        const [rows, rowsOut] = [asMatrix(again(a)), asMatrix(g)];
        if (b.shape.length === 2 && rows !== undefined && rowsOut !== undefined) return matMul(flipped(rows), rowsOut);
        return reduceTo(matMul(flipped(a), g), b.shape);
      },
    ),
  }),
};

/** A stack of matrices as one, its rows one after the other; undefined where their number is not known. */
function asMatrix(a: Value): Value | undefined {
  if (a.shape.length === 2) return a;
  const [columns = 1] = a.shape.slice(-1);
  const rows = product(a.shape.slice(0, -1));
  return rows === undefined ? undefined : reshape(a, [rows, columns]);
}

function product(shape: Shape): number | undefined {
  return shape.reduce<number | undefined>(
    (all, size) => (all === undefined || typeof size === "string" ? undefined : all * size),
    1,
  );
}

/** Matrix product over the last two dimensions: [..., n, k] by [..., k, m] gives [..., n, m]. */
export const matMul = (a: Value, b: Value): Value => linearOps.matMul.apply([a, b], {});
