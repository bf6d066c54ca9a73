/** Finds points of the map by place: a grid of cells, each a stretch of one list. A million points take a fraction of a second. */
import { boundsOf, type Bounds, type Point } from "./map-camera.ts";

export interface PointIndex {
  readonly xs: Float32Array;
  readonly ys: Float32Array;
  readonly bounds: Bounds;
  readonly across: number;
  readonly down: number;
  /** Side of a cell in the map's units. */
  readonly cell: number;
  /** [cells + 1]: where each cell begins in `order`. */
  readonly starts: Uint32Array;
  /** [points]: places of the points, cell by cell. */
  readonly order: Uint32Array;
}

/** Points that a cell holds, about. */
const cellPoints = 8;

/** Sorts points into cells. */
export function indexPoints(xs: Float32Array, ys: Float32Array): PointIndex {
  const count = xs.length;
  const bounds = boundsOf(xs, ys);
  const wide = Math.max(bounds.right - bounds.left, Number.MIN_VALUE);
  const tall = Math.max(bounds.top - bounds.bottom, Number.MIN_VALUE);
  const cells = Math.max(1, Math.ceil(count / cellPoints));
  const least = Math.max(wide, tall) / 2048;
  const cell = Math.max(Math.sqrt((wide * tall) / cells), least, 1e-12);
  const across = Math.floor(wide / cell) + 1;
  const down = Math.floor(tall / cell) + 1;
  const starts = new Uint32Array(across * down + 1);
  const cellOf = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    const column = Math.min(across - 1, Math.floor(((xs[at] ?? 0) - bounds.left) / cell));
    const row = Math.min(down - 1, Math.floor(((ys[at] ?? 0) - bounds.bottom) / cell));
    const into = row * across + column;
    cellOf[at] = into;
    starts[into + 1] = (starts[into + 1] ?? 0) + 1;
  }
  for (let at = 1; at < starts.length; at++) starts[at] = (starts[at] ?? 0) + (starts[at - 1] ?? 0);
  const next = starts.slice();
  const order = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    const into = cellOf[at] ?? 0;
    const slot = next[into] ?? 0;
    order[slot] = at;
    next[into] = slot + 1;
  }
  return { xs, ys, bounds, across, down, cell, starts, order };
}

/** Places of the points in a box, edges included. */
export function* pointsInBox(index: PointIndex, box: Bounds): Generator<number, void, undefined> {
  const { xs, ys, bounds, across, down, cell, starts, order } = index;
  const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, Math.floor(value)));
  if (box.right < bounds.left || box.left > bounds.right || box.top < bounds.bottom || box.bottom > bounds.top) return;
  const [fromColumn, toColumn] = [box.left, box.right].map((x) => clamp((x - bounds.left) / cell, across - 1));
  const [fromRow, toRow] = [box.bottom, box.top].map((y) => clamp((y - bounds.bottom) / cell, down - 1));
  for (let row = fromRow ?? 0; row <= (toRow ?? -1); row++) {
    for (let column = fromColumn ?? 0; column <= (toColumn ?? -1); column++) {
      const here = row * across + column;
      for (let slot = starts[here] ?? 0; slot < (starts[here + 1] ?? 0); slot++) {
        const at = order[slot] ?? 0;
        const x = xs[at] ?? 0;
        const y = ys[at] ?? 0;
        if (x >= box.left && x <= box.right && y >= box.bottom && y <= box.top) yield at;
      }
    }
  }
}

/** Places of the points inside a closed line, by the even-odd rule. */
export function* pointsInLasso(index: PointIndex, line: readonly Point[]): Generator<number, void, undefined> {
  if (line.length < 3) return;
  const corners = { x: Float32Array.from(line, ({ x }) => x), y: Float32Array.from(line, ({ y }) => y) };
  for (const at of pointsInBox(index, boundsOf(corners.x, corners.y))) {
    if (isInside(line, index.xs[at] ?? 0, index.ys[at] ?? 0)) yield at;
  }
}

function isInside(line: readonly Point[], x: number, y: number): boolean {
  let inside = false;
  let before = line.at(-1) ?? { x: 0, y: 0 };
  for (const corner of line) {
    if (
      corner.y > y !== before.y > y &&
      x < ((before.x - corner.x) * (y - corner.y)) / (before.y - corner.y) + corner.x
    ) {
      inside = !inside;
    }
    before = corner;
  }
  return inside;
}

/** The nearest point no further away than `reach` for which `wanted` holds; -1 where there is none. */
export function nearestPoint(
  index: PointIndex,
  { x, y }: Point,
  reach: number,
  wanted: (at: number) => boolean = () => true,
): number {
  let best = -1;
  let least = reach * reach;
  for (const at of pointsInBox(index, { left: x - reach, right: x + reach, bottom: y - reach, top: y + reach })) {
    const away = ((index.xs[at] ?? 0) - x) ** 2 + ((index.ys[at] ?? 0) - y) ** 2;
    if (away <= least && wanted(at)) [best, least] = [at, away];
  }
  return best;
}

/**
 * The point to go to from another one by an arrow key: the nearest within 45 degrees of the direction; -1 where there is
 * none. `dx` and `dy` are -1, 0 or 1 in the map's own axes. Looks ever further, so near points are found at once.
 */
export function pointTowards(
  index: PointIndex,
  from: number,
  { dx, dy }: { dx: number; dy: number },
  wanted: (at: number) => boolean = () => true,
): number {
  const x = index.xs[from] ?? 0;
  const y = index.ys[from] ?? 0;
  const { bounds } = index;
  const furthest = 2 * Math.max(bounds.right - bounds.left, bounds.top - bounds.bottom, index.cell);
  const ahead = (at: number): boolean => {
    const along = ((index.xs[at] ?? 0) - x) * dx + ((index.ys[at] ?? 0) - y) * dy;
    const aside = Math.abs(((index.xs[at] ?? 0) - x) * dy) + Math.abs(((index.ys[at] ?? 0) - y) * dx);
    return along > 0 && along >= aside && wanted(at);
  };
  for (let reach = index.cell; reach < 2 * furthest; reach *= 2) {
    const found = nearestPoint(index, { x, y }, reach, (at) => at !== from && ahead(at));
    if (found >= 0) return found;
  }
  return -1;
}
