import { binaryOp, binaryRule, defineOp, present, sameType, unaryRule, type None, type Op } from "../op.ts";
import { scalar, type Value } from "../value.ts";
import { reduceTo, unexpanded } from "./broadcast.ts";

function unary(name: string, onnx: string, rule: (a: Value, y: Value, gradient: Value) => Value): Op<None> {
  return defineOp<None>(name, { ...sameType(name, onnx), gradient: unaryRule(rule) });
}

export const elementwiseOps = {
  add: binaryOp(
    "add",
    "Add",
    binaryRule(
      (g, a) => reduceTo(g, a.shape),
      (g, _, b) => reduceTo(g, b.shape),
    ),
  ),
  subtract: binaryOp(
    "subtract",
    "Sub",
    binaryRule(
      (g, a) => reduceTo(g, a.shape),
      (g, _, b) => negate(reduceTo(g, b.shape)),
    ),
  ),
  multiply: binaryOp("multiply", "Mul", ({ inputs: [a, b], gradients: [g] }) => {
    const toFirst = (x: Value, other: Value): Value =>
      reduceTo(multiply(unexpanded(present(g), other), other), x.shape);
    // A square: 2 g a, and the 2 meets the gradient while it may be small still.
    if (present(a).source === present(b).source) {
      return [() => multiply(multiply(unexpanded(present(g), present(a)), scalar(2)), present(a)), undefined];
    }
    return [() => toFirst(present(a), present(b)), () => toFirst(present(b), present(a))];
  }),
  divide: binaryOp(
    "divide",
    "Div",
    binaryRule(
      (g, a, b) => reduceTo(divide(unexpanded(g, b), b), a.shape),
      // -g a / b^2; the quotient is there already, and after the sum the division is a small one.
      (g, _, b, y) => negate(divide(reduceTo(multiply(unexpanded(g, y), y), b.shape), b)),
    ),
  ),
  negate: unary("negate", "Neg", (_, _y, g) => negate(g)),
  // The value goes on, its gradient does not: what comes before counts as fixed.
  detach: defineOp<None>("detach", { ...sameType("detach", "Identity"), gradient: () => [undefined] }),
  squareRoot: unary("squareRoot", "Sqrt", (_, y, g) => divide(multiply(g, scalar(0.5)), y)),
  exp: unary("exp", "Exp", (_, y, g) => multiply(unexpanded(g, y), y)),
  log: unary("log", "Log", (a, _, g) => divide(unexpanded(g, a), a)),
  erf: unary("erf", "Erf", (a, _, g) => multiply(g, bell(a))),
  // Phi(x) + x phi(x) = (1 + erf(s) + s erf'(s)) / 2 with s = x/sqrt(2). The half goes to the gradient, which mostly comes
  // out of a matrix product: there onnxruntime multiplies along the way.
  gelu: unary("gelu", "Gelu", (a, _, g) => {
    const s = multiply(a, scalar(Math.SQRT1_2));
    const slope = add(add(erf(s), multiply(s, bell(s))), scalar(1));
    return multiply(multiply(g, scalar(0.5)), slope);
  }),
};

/** The derivative of the error function, 2/sqrt(pi) exp(-x^2), with the factor inside: one pass over the data less. */
function bell(a: Value): Value {
  return exp(subtract(scalar(Math.log(2 / Math.sqrt(Math.PI))), multiply(a, a)));
}

/** a + b, with broadcasting. */
export const add = (a: Value, b: Value): Value => elementwiseOps.add.apply([a, b], {});
/** a - b, with broadcasting. */
export const subtract = (a: Value, b: Value): Value => elementwiseOps.subtract.apply([a, b], {});
/** a * b element by element, with broadcasting. */
export const multiply = (a: Value, b: Value): Value => elementwiseOps.multiply.apply([a, b], {});
/** a / b element by element, with broadcasting. */
export const divide = (a: Value, b: Value): Value => elementwiseOps.divide.apply([a, b], {});
/** -a. */
export const negate = (a: Value): Value => elementwiseOps.negate.apply([a], {});
/** The same value, through which no gradient passes. */
export const detach = (a: Value): Value => elementwiseOps.detach.apply([a], {});
/** Square root of each element. */
export const squareRoot = (a: Value): Value => elementwiseOps.squareRoot.apply([a], {});
/** e to the power of each element. */
export const exp = (a: Value): Value => elementwiseOps.exp.apply([a], {});
/** Natural logarithm of each element. */
export const log = (a: Value): Value => elementwiseOps.log.apply([a], {});
/** The error function of each element. */
export const erf = (a: Value): Value => elementwiseOps.erf.apply([a], {});
/** x * Phi(x), the exact form with the error function that DINO's feed-forward parts use. */
export const gelu = (a: Value): Value => elementwiseOps.gelu.apply([a], {});
