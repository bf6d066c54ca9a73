import { broadcastShapes } from "../shape.ts";
import type { Shape, Value } from "../value.ts";
import { reshape } from "./movement.ts";
import { sum } from "./reduce.ts";

/**
 * The way back through broadcasting: where a value of `shape` was repeated to take part in something as large as
 * `gradient`, the repetitions' gradients add up. A gradient of that shape already is returned as it is.
 */
export function reduceTo(gradient: Value, shape: Shape): Value {
  const missing = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((size, i) => (i < missing || size !== shape[i - missing] ? [i] : []));
  if (axes.length === 0) return gradient;
  if (axes.length === missing) {
    // The innermost first, one at a time: sums of sums round less than one long sum, have more of them side by side, and
    // take onnxruntime half as long on the CPU.
    return axes.reduceRight((partial, axis) => sum(partial, [axis], false), gradient);
  }
  const reduced = sum(gradient, axes, true);
  return missing === 0 ? reduced : reshape(reduced, shape);
}

/**
 * A gradient that is about to be combined with `other` element by element, without an `expand` at its end where that
 * combination repeats it anyway: what a sum hands back is mostly multiplied next, and need not be written out in full.
 */
export function unexpanded(gradient: Value, other: Value): Value {
  const { source } = gradient;
  const inner = source.kind === "node" && source.node.op === "expand" ? source.node.inputs[0] : undefined;
  if (inner === undefined) return gradient;
  return String(broadcastShapes(inner.shape, other.shape, "expand")) === String(gradient.shape) ? inner : gradient;
}
