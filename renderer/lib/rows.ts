/**
 * Where every picture of the grid is, by arithmetic alone: 100,000 pictures are laid out in a few milliseconds and only
 * those on screen become elements.
 */

export interface GridShape {
  /** Pixels between the edges of the grid. */
  readonly width: number;
  /** Wanted height of a row; rows of the justified layout differ a little, so that they fill the width. */
  readonly height: number;
  readonly gap: number;
  readonly layout: "justified" | "square";
}

/** Rows of pictures. Picture `i` of row `r` is at `left[i]`, `widths[i]`, `tops[r]`, `heights[r]`. */
export interface GridRows {
  readonly count: number;
  /** [rows + 1]: the first picture of each row, then the number of pictures. */
  readonly starts: Uint32Array;
  /** [rows + 1]: upper edges, then the height of everything. */
  readonly tops: Float64Array;
  readonly heights: Float32Array;
  readonly lefts: Float32Array;
  readonly widths: Float32Array;
}

/** Wider or taller than this and a picture is shown cropped: a panorama must not make a row of its own. */
const widest = 3;
const tallest = 0.4;

/** Lays pictures with these aspects (width over height, [pictures]) out in rows. */
export function layRows(aspects: Float32Array, shape: GridShape): GridRows {
  return shape.layout === "square" ? squareRows(aspects.length, shape) : justifiedRows(aspects, shape);
}

function squareRows(total: number, { width, height, gap }: GridShape): GridRows {
  const across = Math.max(1, Math.round((width + gap) / (height + gap)));
  const side = (width - gap * (across - 1)) / across;
  const count = Math.ceil(total / across);
  const rows = emptyRows(count, total);
  for (let row = 0; row <= count; row++) {
    rows.starts[row] = Math.min(total, row * across);
    rows.tops[row] = row * (side + gap);
  }
  rows.tops[count] = Math.max(0, (rows.tops[count] ?? 0) - gap);
  rows.heights.fill(side);
  rows.widths.fill(side);
  for (let at = 0; at < total; at++) rows.lefts[at] = (at % across) * (side + gap);
  return rows;
}

function justifiedRows(aspects: Float32Array, { width, height, gap }: GridShape): GridRows {
  const total = aspects.length;
  // As many rows as pictures at most; cut to size at the end.
  const rows = emptyRows(total, total);
  const aspectAt = (at: number): number => Math.min(widest, Math.max(tallest, aspects[at] ?? 1));
  let count = 0;
  let top = 0;
  let first = 0;
  while (first < total) {
    let end = first;
    let sum = 0;
    let scaled = Infinity;
    while (end < total) {
      const more = sum + aspectAt(end);
      const next = (width - gap * (end - first)) / more;
      // One more picture makes the row lower than wanted: keep it where that is nearer to what is wanted.
      if (next < height && end > first && height / next > scaled / height) break;
      sum = more;
      scaled = next;
      end += 1;
      if (next <= height) break;
    }
    // The last row is not blown up to fill the width.
    const rowHeight = end === total ? Math.min(scaled, height) : scaled;
    rows.starts[count] = first;
    rows.tops[count] = top;
    rows.heights[count] = rowHeight;
    let left = 0;
    for (let at = first; at < end; at++) {
      rows.lefts[at] = left;
      rows.widths[at] = aspectAt(at) * rowHeight;
      left += aspectAt(at) * rowHeight + gap;
    }
    top += rowHeight + gap;
    first = end;
    count += 1;
  }
  rows.starts[count] = total;
  rows.tops[count] = Math.max(0, top - gap);
  return {
    ...rows,
    count,
    starts: rows.starts.slice(0, count + 1),
    tops: rows.tops.slice(0, count + 1),
    heights: rows.heights.slice(0, count),
  };
}

function emptyRows(count: number, total: number): GridRows {
  return {
    count,
    starts: new Uint32Array(count + 1),
    tops: new Float64Array(count + 1),
    heights: new Float32Array(count),
    lefts: new Float32Array(total),
    widths: new Float32Array(total),
  };
}

/** Height of all rows together, in pixels. */
export function totalHeight(rows: GridRows): number {
  return rows.tops[rows.count] ?? 0;
}

/** The last entry that is not above `value`, at least 0. */
function lastNotAbove(values: Uint32Array | Float64Array, count: number, value: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((values[middle] ?? Infinity) <= value) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}

/** The row of a picture. */
export function rowOf(rows: GridRows, at: number): number {
  return lastNotAbove(rows.starts, rows.count, at);
}

/** The pictures [from, to) with rows between two heights. */
export function picturesBetween(rows: GridRows, top: number, bottom: number): { from: number; to: number } {
  if (rows.count === 0) return { from: 0, to: 0 };
  const first = lastNotAbove(rows.tops, rows.count, top);
  const last = lastNotAbove(rows.tops, rows.count, bottom);
  return { from: rows.starts[first] ?? 0, to: rows.starts[last + 1] ?? 0 };
}

/** Left, top, width and height of a picture. */
export function boxOf(rows: GridRows, at: number): { left: number; top: number; width: number; height: number } {
  const row = rowOf(rows, at);
  return {
    left: rows.lefts[at] ?? 0,
    top: rows.tops[row] ?? 0,
    width: rows.widths[at] ?? 0,
    height: rows.heights[row] ?? 0,
  };
}

/** The picture one row up (-1) or down (1): the one whose middle is nearest; the same one at the ends. */
export function beside(rows: GridRows, at: number, by: -1 | 1): number {
  const row = rowOf(rows, at) + by;
  if (row < 0 || row >= rows.count) return at;
  const middle = (rows.lefts[at] ?? 0) + (rows.widths[at] ?? 0) / 2;
  return nearestInRow(rows, row, middle);
}

function nearestInRow(rows: GridRows, row: number, middle: number): number {
  const from = rows.starts[row] ?? 0;
  const to = rows.starts[row + 1] ?? from + 1;
  let best = from;
  let least = Infinity;
  for (let other = from; other < to; other++) {
    const away = Math.abs((rows.lefts[other] ?? 0) + (rows.widths[other] ?? 0) / 2 - middle);
    if (away < least) [best, least] = [other, away];
  }
  return best;
}

/** The pictures that a box touches, in the coordinates of the layout. */
export function* picturesInBox(
  rows: GridRows,
  box: { left: number; top: number; right: number; bottom: number },
): Generator<number, void, undefined> {
  if (rows.count === 0) return;
  const first = lastNotAbove(rows.tops, rows.count, box.top);
  for (let row = first; row < rows.count; row++) {
    const top = rows.tops[row] ?? 0;
    if (top > box.bottom) return;
    if (top + (rows.heights[row] ?? 0) < box.top) continue;
    for (let at = rows.starts[row] ?? 0; at < (rows.starts[row + 1] ?? 0); at++) {
      const left = rows.lefts[at] ?? 0;
      if (left <= box.right && left + (rows.widths[at] ?? 0) >= box.left) yield at;
    }
  }
}
