/** A point of a curve over shares of the vote. */
export interface CurvePoint {
  readonly share: number;
  readonly value: number;
}

/**
 * Isotonic regression by pooling adjacent violators (Ayer et al. 1955): the rising sequence that is nearest to `points`
 * by weighted squares. Neighbours that fall are joined into blocks at their weighted mean.
 */
export function isotonicRegression(points: readonly { readonly value: number; readonly weight: number }[]): number[] {
  const blocks: { readonly value: number; readonly weight: number; readonly length: number }[] = [];
  for (const point of points) {
    let block = { ...point, length: 1 };
    for (let last = blocks.at(-1); last !== undefined && last.value >= block.value; last = blocks.at(-1)) {
      const weight = last.weight + block.weight;
      const value = (last.value * last.weight + block.value * block.weight) / weight;
      block = { value, weight, length: last.length + block.length };
      blocks.pop();
    }
    blocks.push(block);
  }
  return blocks.flatMap(({ value, length }) => Array.from({ length }, () => value));
}

/** The curve's value at a share: straight lines between its points (by rising share, at least one), flat outside. */
export function valueAt(curve: readonly CurvePoint[], share: number): number {
  let before = 0;
  let after = curve.length;
  // Invariant: points before `before` are at or below the share, points from `after` on are above it.
  while (before < after) {
    const middle = (before + after) >> 1;
    if ((curve[middle]?.share ?? Infinity) <= share) before = middle + 1;
    else after = middle;
  }
  const left = curve[before - 1] ?? curve[0];
  const right = curve[before] ?? left;
  if (left === undefined || right === undefined) return NaN;
  if (right.share === left.share) return left.value;
  return left.value + ((share - left.share) / (right.share - left.share)) * (right.value - left.value);
}
