import { defineOp, first, pair, type None, type Op } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import type { Value } from "../value.ts";

function binary(name: string, onnx: string): Op<None> {
  return defineOp<None>(name, {
    onnx,
    infer: (inputs) => {
      const [a, b] = pair(inputs, name);
      return [{ element: a.element, shape: broadcastShapes(a.shape, b.shape, name) }];
    },
  });
}

function unary(name: string, onnx: string): Op<None> {
  return defineOp<None>(name, {
    onnx,
    infer: (inputs) => {
      const { element, shape } = first(inputs, name);
      return [{ element, shape }];
    },
  });
}

export const elementwiseOps = {
  add: binary("add", "Add"),
  subtract: binary("subtract", "Sub"),
  multiply: binary("multiply", "Mul"),
  divide: binary("divide", "Div"),
  squareRoot: unary("squareRoot", "Sqrt"),
  gelu: unary("gelu", "Gelu"),
};

/** a + b, with broadcasting. */
export const add = (a: Value, b: Value): Value => elementwiseOps.add.apply([a, b], {});
/** a - b, with broadcasting. */
export const subtract = (a: Value, b: Value): Value => elementwiseOps.subtract.apply([a, b], {});
/** a * b element by element, with broadcasting. */
export const multiply = (a: Value, b: Value): Value => elementwiseOps.multiply.apply([a, b], {});
/** a / b element by element, with broadcasting. */
export const divide = (a: Value, b: Value): Value => elementwiseOps.divide.apply([a, b], {});
/** Square root of each element. */
export const squareRoot = (a: Value): Value => elementwiseOps.squareRoot.apply([a], {});
/** x * Phi(x), the exact form with the error function that DINO's feed-forward parts use. */
export const gelu = (a: Value): Value => elementwiseOps.gelu.apply([a], {});
