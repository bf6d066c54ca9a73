/** Float32 values as the bytes of a blob: little-endian, which is what every machine that `openLibrary` accepts uses. */

/** The bytes of a vector, without a copy. */
export function bytesOf(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

/** The vector that bytes stand for, copied; their number must be a multiple of 4. */
export function float32Of(bytes: Uint8Array): Float32Array {
  // A blob may start anywhere in memory, a Float32Array only at a multiple of 4.
  return new Float32Array(bytes.slice().buffer);
}

/** Whether no value is infinite or not a number. */
export function isFiniteVector(vector: Float32Array): boolean {
  for (const value of vector) if (!Number.isFinite(value)) return false;
  return true;
}
