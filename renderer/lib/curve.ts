/** Arithmetic of line charts: numbers in, places out. */

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Whether it cannot be compared with those before, so that the line begins anew. */
  readonly apart?: boolean;
}

/** From a number to a place; both ends are kept where all numbers are the same. */
export function scale(from: readonly [number, number], to: readonly [number, number]): (value: number) => number {
  const span = from[1] - from[0];
  return (value) => (span === 0 ? (to[0] + to[1]) / 2 : to[0] + ((value - from[0]) / span) * (to[1] - to[0]));
}

/** Least and most of some numbers, with a little air; null without any. */
export function extent(values: readonly number[]): readonly [number, number] | null {
  let least = Infinity;
  let most = -Infinity;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (least > most) return null;
  const air = most > least ? (most - least) * 0.06 : Math.max(Math.abs(most) * 0.1, 0.5);
  return [least - air, most + air];
}

/** Round numbers within a range, about `count` of them: steps of 1, 2 or 5. */
export function ticks([low, high]: readonly [number, number], count: number): number[] {
  if (!(high > low)) return [];
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const found: number[] = [];
  for (let at = Math.ceil(low / step); at * step <= high; at++) found.push(Number((at * step).toPrecision(12)));
  return found;
}

/** The point nearest to `x`, by its place in the list, which is in order; -1 in an empty one. */
export function nearest(points: readonly Point[], x: number): number {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.x ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  const before = points[low - 1];
  const here = points[low];
  if (here === undefined) return -1;
  return before !== undefined && x - before.x <= here.x - x ? low - 1 : low;
}

/** An SVG path through points, in pieces where some are apart. */
export function lineThrough(points: readonly Point[], toX: (x: number) => number, toY: (y: number) => number): string {
  const sign = (at: number, apart: boolean): string => (at === 0 || apart ? "M" : "L");
  return points
    .map(({ x, y, apart = false }, at) => `${sign(at, apart)}${toX(x).toFixed(1)} ${toY(y).toFixed(1)}`)
    .join("");
}

/** A list at most `most` long: pairs of neighbours become one, as often as it takes. */
export function thinned<Value>(list: readonly Value[], most: number, merge: (a: Value, b: Value) => Value): Value[] {
  let shorter = [...list];
  while (shorter.length > most) {
    const pairs: Value[] = [];
    for (let at = 0; at < shorter.length; at += 2) {
      const [a, b] = [shorter[at], shorter[at + 1]];
      if (a !== undefined) pairs.push(b === undefined ? a : merge(a, b));
    }
    shorter = pairs;
  }
  return shorter;
}
