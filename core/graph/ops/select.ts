import { CoreError } from "../../util/errors.ts";
import { binaryOp, binaryRule, defineOp, pair, present, sameType, type None, type Op } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import { formatType, scalar, type Value } from "../value.ts";
import { reduceTo } from "./broadcast.ts";

function comparison(name: string, onnx: string): Op<None> {
  return defineOp<None>(name, {
    onnx,
    infer: (inputs) => {
      const [a, b] = pair(inputs, name);
      return [{ element: "bool", shape: broadcastShapes(a.shape, b.shape, name) }];
    },
    gradient: { because: "a truth value does not change by a little" },
  });
}

const nothing = scalar(0);

/** Comparisons, and what chooses between values. Where two are equal, the first gets the gradient. */
export const selectOps = {
  greater: comparison("greater", "Greater"),
  equal: comparison("equal", "Equal"),

  minimum: binaryOp(
    "minimum",
    "Min",
    binaryRule(
      (g, a, b) => reduceTo(where(greater(a, b), nothing, g), a.shape),
      (g, a, b) => reduceTo(where(greater(a, b), g, nothing), b.shape),
    ),
  ),
  maximum: binaryOp(
    "maximum",
    "Max",
    binaryRule(
      (g, a, b) => reduceTo(where(greater(b, a), nothing, g), a.shape),
      (g, a, b) => reduceTo(where(greater(b, a), g, nothing), b.shape),
    ),
  ),

  where: defineOp<None>("where", {
    onnx: "Where",
    infer: (inputs) => {
      const [condition, ...choices] = inputs;
      if (condition?.element !== "bool") {
        throw new CoreError(
          "graph-shape",
          `where needs a bool to choose by, got ${inputs.map(formatType).join(", ")}.`,
        );
      }
      const [a, b] = pair(choices, "where's choice");
      const shape = broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape, "where"), "where");
      return [{ element: a.element, shape }];
    },
    gradient: ({ inputs: [condition, a, b], gradients: [g] }) => [
      undefined,
      () => reduceTo(where(present(condition), present(g), nothing), present(a).shape),
      () => reduceTo(where(present(condition), nothing, present(g)), present(b).shape),
    ],
  }),

  floor: defineOp<None>("floor", {
    ...sameType("floor", "Floor"),
    gradient: { because: "its steps are flat, so nothing would be learned through it" },
  }),
};

/** Whether a > b element by element, with broadcasting, as truth values for `where`. */
export const greater = (a: Value, b: Value): Value => selectOps.greater.apply([a, b], {});
/** Whether a = b element by element, with broadcasting, as truth values for `where`. */
export const equal = (a: Value, b: Value): Value => selectOps.equal.apply([a, b], {});
/** The smaller of a and b element by element, with broadcasting. */
export const minimum = (a: Value, b: Value): Value => selectOps.minimum.apply([a, b], {});
/** The larger of a and b element by element, with broadcasting. */
export const maximum = (a: Value, b: Value): Value => selectOps.maximum.apply([a, b], {});
/** a where the condition holds and b elsewhere, with broadcasting of all three. */
export const where = (condition: Value, a: Value, b: Value): Value => selectOps.where.apply([condition, a, b], {});
/** The largest whole number that is not above each element. */
export const floor = (a: Value): Value => selectOps.floor.apply([a], {});
/** Each element, or the nearer end of the range from `low` to `high`. */
export const clip = (a: Value, low: number, high: number): Value => minimum(maximum(a, scalar(low)), scalar(high));
