/// <reference lib="es2025.float16" />
import { CoreError } from "../util/errors.ts";

/** The formats of real numbers that weights come in. */
export type FloatType = "F32" | "F16" | "BF16" | "F64";

/** Bytes of one number of each format. */
export const floatBytes: Readonly<Record<FloatType, number>> = { F32: 4, F16: 2, BF16: 2, F64: 8 };

/**
 * Little-endian numbers as float32. F32 that lies on a multiple of four bytes is a view of `bytes`, everything else a
 * copy; F64 is rounded. Every platform that onnxruntime and Electron are built for is little-endian.
 */
export function floatsFrom(bytes: Uint8Array, type: FloatType): Float32Array {
  const size = floatBytes[type];
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const count = Math.floor(bytes.byteLength / size);
  switch (type) {
    case "F32":
      return new Float32Array(aligned.buffer, aligned.byteOffset, count);
    case "F64":
      return new Float32Array(new Float64Array(aligned.buffer, aligned.byteOffset, count));
    case "F16":
      return new Float32Array(new Float16Array(aligned.buffer, aligned.byteOffset, count));
    case "BF16": {
      // bfloat16 is the upper half of a float32.
      const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, count);
      const words = new Uint32Array(count);
      for (let i = 0; i < count; i++) words[i] = (halves[i] as number) << 16;
      return new Float32Array(words.buffer);
    }
  }
}

/** The bytes of float32 values as float16, rounded to nearest even. Throws `weights-overflow` above 65504. */
export function float16Bytes(name: string, values: Float32Array): Uint8Array {
  const halves = new Float16Array(values);
  for (let i = 0; i < halves.length; i++) {
    if (!Number.isFinite(halves[i])) {
      throw new CoreError(
        "weights-overflow",
        `${name} holds ${values[i]}, which float16 cannot hold (65504 at most).`,
        {
          hint: "Export as float32.",
        },
      );
    }
  }
  return new Uint8Array(halves.buffer);
}

/** The bytes of float32 values, as a view of them. */
export function float32Bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Number of values in a tensor of this shape, or undefined where it is not a safe integer. */
export function valueCount(shape: readonly number[]): number | undefined {
  // A zero anywhere makes the product zero, however large the other sides are.
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const side of shape) {
    count *= side;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** A shape for a sentence: `[197, 384]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** Whether two shapes are the same. */
export function sameShape(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((side, axis) => side === other[axis]);
}
