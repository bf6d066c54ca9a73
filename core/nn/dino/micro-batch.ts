/** The sizes that a batch can be cut into evenly, in rising order, each about half as large again as the one before. */
export function microBatchesOf(batch: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = 1; size <= batch; size++) {
    if (batch % size === 0 && (size === batch || size >= 1.5 * (sizes.at(-1) ?? 0))) sizes.push(size);
  }
  return sizes;
}

/** The next smaller size that a batch can be cut into, at most half as large; null below one picture. */
export function smallerMicroBatch(batch: number, size: number): number | null {
  for (let smaller = Math.floor(size / 2); smaller >= 1; smaller--) if (batch % smaller === 0) return smaller;
  return null;
}
