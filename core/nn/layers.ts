import { add } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linear.ts";
import { transposeLast } from "../graph/ops/movement.ts";
import type { Value } from "../graph/value.ts";

/** Gives the weight of a name: a constant for inference, an input for training. */
export type WeightSource = (name: string) => Value;

/** x W^T + b over the last axis: [..., inputs] to [..., outputs], with the weight [outputs, inputs] as PyTorch keeps it. */
export function linear(x: Value, weight: Value, bias: Value): Value {
  return add(matMul(x, transposeLast(weight)), bias);
}
