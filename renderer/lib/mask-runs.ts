/** Masks as run lengths, and strokes of a brush on them, without a bitmap of the picture's size. */

/** Lengths of background and foreground in turn, background first, down the columns. */
export interface Runs {
  readonly width: number;
  readonly height: number;
  readonly counts: readonly number[];
}

/** One movement of a brush, in pixels of the picture. */
export interface Stroke {
  readonly kind: "brush" | "eraser";
  readonly radius: number;
  /** x and y in turn, of every point that it went through. */
  readonly points: readonly number[];
}

/** Foreground of one column: from (included) and to (excluded), in turn, rising. */
type Spans = number[];

/** A mask without foreground. */
export function emptyRuns(width: number, height: number): Runs {
  return { width, height, counts: [width * height] };
}

/** The mask after strokes. A pixel belongs to a stroke when its centre is no further than the radius from its line. */
export function applyStrokes(runs: Runs, strokes: readonly Stroke[]): Runs {
  const columns = columnsOf(runs);
  for (const stroke of strokes) {
    const change = stroke.kind === "brush" ? joined : cutOut;
    eachSpan(runs, stroke, (x, from, to) => {
      columns[x] = change(columns[x] ?? [], from, to);
    });
  }
  return runsOf(columns, runs);
}

/** The mask at another size, a byte a pixel in rows: 1 for foreground, by the pixel that each centre falls on. */
export function sampleRuns({ width, height, counts }: Runs, toWidth: number, toHeight: number): Uint8Array {
  const sampled = new Uint8Array(toWidth * toHeight);
  const rows = Uint32Array.from({ length: toHeight }, (_, y) => Math.floor(((y + 0.5) * height) / toHeight));
  let run = 0;
  let end = counts[0] ?? 0;
  let before = -1;
  for (let x = 0; x < toWidth; x++) {
    const column = Math.floor(((x + 0.5) * width) / toWidth);
    for (let y = 0; y < toHeight; y++) {
      const at = y * toWidth + x;
      if (column === before) {
        sampled[at] = sampled[at - 1] ?? 0;
        continue;
      }
      const wanted = column * height + (rows[y] ?? 0);
      while (end <= wanted && run < counts.length) end += counts[++run] ?? 0;
      sampled[at] = run % 2;
    }
    before = column;
  }
  return sampled;
}

/** The share of the picture that is foreground. */
export function shareOf({ width, height, counts }: Runs): number {
  return counts.reduce((sum, count, i) => sum + (i % 2 === 1 ? count : 0), 0) / (width * height);
}

function columnsOf({ width, height, counts }: Runs): Spans[] {
  const columns = Array.from({ length: width }, (): Spans => []);
  let at = 0;
  counts.forEach((count, i) => {
    const end = at + count;
    while (i % 2 === 1 && at < end) {
      const column = Math.floor(at / height);
      const stop = Math.min(end, (column + 1) * height);
      columns[column]?.push(at - column * height, stop - column * height);
      at = stop;
    }
    at = end;
  });
  return columns;
}

function runsOf(columns: readonly Spans[], { width, height }: Runs): Runs {
  const counts: number[] = [];
  let end = 0;
  columns.forEach((spans, column) => {
    for (let i = 0; i < spans.length; i += 2) {
      const [from, to] = [column * height + (spans[i] ?? 0), column * height + (spans[i + 1] ?? 0)];
      // Foreground that goes on from the foot of one column to the head of the next is one run.
      if (from === end && counts.length > 0) counts[counts.length - 1] = (counts.at(-1) ?? 0) + to - from;
      else counts.push(from - end, to - from);
      end = to;
    }
  });
  if (end < width * height) counts.push(width * height - end);
  return { width, height, counts };
}

function joined(spans: Spans, from: number, to: number): Spans {
  const before: Spans = [];
  const after: Spans = [];
  let [low, high] = [from, to];
  for (let i = 0; i < spans.length; i += 2) {
    const [start, stop] = [spans[i] ?? 0, spans[i + 1] ?? 0];
    if (stop < low) before.push(start, stop);
    else if (start > high) after.push(start, stop);
    else [low, high] = [Math.min(low, start), Math.max(high, stop)];
  }
  return [...before, low, high, ...after];
}

function cutOut(spans: Spans, from: number, to: number): Spans {
  const left: Spans = [];
  for (let i = 0; i < spans.length; i += 2) {
    const [start, stop] = [spans[i] ?? 0, spans[i + 1] ?? 0];
    if (start < Math.min(stop, from)) left.push(start, Math.min(stop, from));
    if (Math.max(start, to) < stop) left.push(Math.max(start, to), stop);
  }
  return left;
}

/** Calls `visit` with the pixels of every column that a stroke covers, part by part. */
function eachSpan(
  { width, height }: Runs,
  { points, radius }: Stroke,
  visit: (x: number, from: number, to: number) => void,
): void {
  for (let i = 0; i < points.length; i += 2) {
    const [ax, ay] = [points[Math.max(0, i - 2)] ?? 0, points[Math.max(0, i - 2) + 1] ?? 0];
    const [bx, by] = [points[i] ?? 0, points[i + 1] ?? 0];
    const first = Math.max(0, Math.floor(Math.min(ax, bx) - radius));
    const last = Math.min(width - 1, Math.ceil(Math.max(ax, bx) + radius));
    for (let x = first; x <= last; x++) {
      const [low, high] = crossing(x + 0.5, ax, ay, bx, by, radius);
      const from = Math.max(0, Math.ceil(low - 0.5));
      const to = Math.min(height, Math.floor(high - 0.5) + 1);
      if (from < to) visit(x, from, to);
    }
  }
}

/** Where the vertical line at `x` enters and leaves what is within `radius` of a segment: that is convex, so one stretch. */
function crossing(x: number, ax: number, ay: number, bx: number, by: number, radius: number): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  const meet = (y: number): void => {
    low = Math.min(low, y);
    high = Math.max(high, y);
  };
  for (const [cx, cy] of [
    [ax, ay],
    [bx, by],
  ] as const) {
    const rest = radius * radius - (x - cx) * (x - cx);
    if (rest < 0) continue;
    meet(cy - Math.sqrt(rest));
    meet(cy + Math.sqrt(rest));
  }
  const length = Math.hypot(bx - ax, by - ay);
  if (length === 0 || bx === ax) return [low, high];
  for (const side of [1, -1]) {
    const [dx, dy] = [(-(by - ay) * side * radius) / length, ((bx - ax) * side * radius) / length];
    const share = (x - ax - dx) / (bx - ax);
    if (share >= 0 && share <= 1) meet(ay + dy + share * (by - ay));
  }
  return [low, high];
}
