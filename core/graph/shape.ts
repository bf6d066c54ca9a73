import { CoreError } from "../util/errors.ts";
import { formatShape, type Dimension, type Shape } from "./value.ts";

/** The shape of an element-wise operation on `a` and `b` under NumPy's broadcasting. Throws `graph-shape`. */
export function broadcastShapes(a: Shape, b: Shape, op: string): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i): Dimension => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new CoreError("graph-shape", `${op} cannot broadcast ${formatShape(a)} with ${formatShape(b)}.`);
  });
}

/** `axis` counted from the front. Throws `graph-shape` when the shape has no such axis. */
export function normalizeAxis(axis: number, rank: number, op: string): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new CoreError("graph-shape", `${op} got axis ${axis} for a tensor of ${rank} dimensions.`);
  }
  return positive;
}

/**
 * Checks that `to` holds as many elements as `from`. One size known by name only may be carried over, as ONNX has one
 * placeholder for "whatever is left": then the numbers must have the same product. Throws `graph-shape`.
 */
export function checkReshape(from: Shape, to: Shape): void {
  const product = (shape: Shape): number => shape.reduce<number>((p, d) => (typeof d === "number" ? p * d : p), 1);
  const names = (shape: Shape): string =>
    shape
      .filter((d) => typeof d === "string")
      .sort()
      .join();
  const named = to.filter((d) => typeof d === "string").length;
  // ONNX reads a 0 as "as before" and a negative size as the placeholder.
  const whole = to.every((d) => typeof d === "string" || (Number.isInteger(d) && d > 0));
  if (!whole || named > 1 || product(from) !== product(to) || names(from) !== names(to)) {
    throw new CoreError("graph-shape", `reshape cannot turn ${formatShape(from)} into ${formatShape(to)}.`);
  }
}
