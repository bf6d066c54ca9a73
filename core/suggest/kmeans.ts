/**
 * Spherical k-means (Dhillon and Modha 2001): unit vectors, cosine instead of distance, centres scaled back to length 1.
 * The arithmetic over all rows is handed in, so that it can run as graphs in another process.
 */
import { CoreError } from "../util/errors.ts";
import { createRandom, type Random } from "../util/random.ts";

/** What k-means asks of whoever holds the rows. */
export interface KMeansRows {
  readonly rows: number;
  readonly width: number;
  /** Rows chosen as a start, by k-means++ with `seed`. As many as asked, or fewer where fewer rows differ. */
  seed(count: number, seed: number): Promise<Int32Array>;
  /** The nearest centre of each row, ties by lower centre, and the sum of the rows of each centre. */
  assign(centres: Float32Array): Promise<Assignment>;
  /** For each row, how much nearer it is to its centre than to the next one: the difference of the cosines. */
  gaps(centres: Float32Array): Promise<Float32Array>;
  /** The vectors of rows, one after the other. */
  vectors(rows: Int32Array): Float32Array;
}

/** One assignment of all rows. */
export interface Assignment {
  readonly nearest: Int32Array;
  /** Cosine of each row with its centre. */
  readonly similarities: Float32Array;
  /** [centres, width]: sum of the rows of each centre, in float64. */
  readonly sums: Float64Array;
}

export interface KMeansOptions {
  readonly count: number;
  readonly restarts: number;
  readonly seed: number;
  /** A restart ends when the objective grows by less than this share; the best one then runs until nothing moves. */
  readonly tolerance?: number;
  readonly maxSteps?: number;
}

/** Where k-means stands between two restarts: enough to go on from, with the same end. */
export interface KMeansState {
  readonly restartsDone: number;
  readonly objective: number;
  /** Centres of the best restart so far, each of length 1. */
  readonly centres: Float32Array;
}

export interface KMeansResult {
  readonly centres: Float32Array;
  readonly nearest: Int32Array;
  readonly similarities: Float32Array;
  /** Sum over the centres of the length of their rows' sum: the cosines to the best centres for this assignment. */
  readonly objective: number;
}

/** How k-means is followed, stopped and gone on with. */
export interface KMeansWatch {
  readonly signal?: AbortSignal | undefined;
  /** After each step: restarts done, steps of this one. */
  readonly onStep?: (restartsDone: number, steps: number) => void;
  /** After each restart. */
  readonly onRestart?: (state: KMeansState) => void;
  readonly resume?: KMeansState | undefined;
}

/** A gain below this share of the objective ends a run; what is still to gain comes in the last run of the best. */
const usualTolerance = 1e-5;

/** Steps that may fill empty centres: where fewer rows differ than there are centres, some stay empty for good. */
const mostRefills = 10;

/** Lloyd's steps at most: k-means may circle for long over ties in float32. */
const usualMaxSteps = 300;

/**
 * Runs k-means `restarts` times, each from its own k-means++ start, keeps the one with the largest sum of cosines, and
 * betters that by moving centres.
 * Centres without rows move to the rows that fit their own centres worst. The same seed gives the same result. Throws
 * `option-invalid` for a count that is not from 1 to the number of rows.
 */
export async function sphericalKMeans(
  rows: KMeansRows,
  options: KMeansOptions,
  watch: KMeansWatch = {},
): Promise<KMeansResult> {
  const { count, restarts, seed, tolerance = usualTolerance, maxSteps = usualMaxSteps } = options;
  if (!(Number.isInteger(count) && count >= 1 && count <= rows.rows)) {
    throw new CoreError(
      "option-invalid",
      `There can be 1 to ${rows.rows} clusters of ${rows.rows} images, not ${count}.`,
    );
  }
  let best: KMeansState | undefined = watch.resume;
  for (let restart = best?.restartsDone ?? 0; restart < restarts; restart++) {
    // Each restart has a seed of its own, so that going on after a stop draws what would have been drawn.
    const start = rows.vectors(await rows.seed(count, createRandom(seed + 1_000_003 * restart).integer(2 ** 32)));
    const step = (steps: number): void => watch.onStep?.(restart, steps);
    const { centres, objective } = await lloyd(rows, start, { tolerance, maxSteps, signal: watch.signal, step });
    const better = best === undefined || objective > best.objective;
    best = better
      ? { restartsDone: restart + 1, objective, centres }
      : { restartsDone: restart + 1, objective: best?.objective ?? objective, centres: best?.centres ?? centres };
    watch.onRestart?.(best);
  }
  if (best === undefined) throw new CoreError("option-invalid", `k-means needs 1 restart or more, not ${restarts}.`);
  const step = (steps: number): void => watch.onStep?.(restarts, steps);
  const run = { maxSteps, signal: watch.signal, step };
  const better = await breathe(rows, best, seed, { ...run, tolerance, maxSteps: Math.min(maxSteps, breathSteps) });
  return lloyd(rows, better.centres, { ...run, tolerance: 0 });
}

/** Centres that breathing moves at once, at most; and how often it does. */
const mostMoved = 8;
const mostBreaths = 6;

/** Steps after each move: what they leave to gain comes in the last run. */
const breathSteps = 6;

/**
 * Breathing k-means (Fritzke 2020): a few centres are added where rows fit badly, the same number taken away where they
 * are missed least, and what comes of it kept while it is better. Finds what more restarts seldom find: a group with two
 * centres beside two groups with one.
 */
async function breathe(
  rows: KMeansRows,
  start: { readonly centres: Float32Array; readonly objective: number },
  seed: number,
  options: LloydOptions,
): Promise<{ readonly centres: Float32Array; readonly objective: number }> {
  const count = start.centres.length / rows.width;
  const random = createRandom(seed);
  let best = start;
  let moved = Math.min(mostMoved, Math.ceil(count / 10), rows.rows - count);
  for (let breath = 0; breath < mostBreaths && moved >= 1 && count >= 2; breath++) {
    const { nearest, similarities } = await rows.assign(best.centres);
    const added = badlyFitting(nearest, similarities, count, moved, random);
    const more = new Float32Array(start.centres.length + added.length * rows.width);
    more.set(best.centres);
    more.set(rows.vectors(added), start.centres.length);
    const larger = await lloyd(rows, more, options);
    const kept = await mostMissed(rows, larger, count);
    const found = await lloyd(rows, kept, options);
    if (found.objective > best.objective * (1 + options.tolerance)) best = found;
    else moved = Math.floor(moved / 2);
  }
  return best;
}

/** A row drawn from each of the `wanted` centres whose rows are together farthest away. */
function badlyFitting(
  nearest: Int32Array,
  similarities: Float32Array,
  count: number,
  wanted: number,
  random: Random,
): Int32Array {
  const errors = new Float64Array(count);
  nearest.forEach((centre, row) => (errors[centre] = (errors[centre] ?? 0) + 1 - (similarities[row] ?? 0)));
  const worst = [...errors.keys()].sort((a, b) => (errors[b] ?? 0) - (errors[a] ?? 0) || a - b).slice(0, wanted);
  return Int32Array.from(
    worst.flatMap((centre) => {
      const members = [...nearest.keys()].filter((row) => nearest[row] === centre);
      return members[random.integer(members.length)] ?? [];
    }),
  );
}

/** The `count` centres whose rows would lose most without them. Of two that stand in for each other one stays. */
async function mostMissed(rows: KMeansRows, { centres, nearest }: KMeansResult, count: number): Promise<Float32Array> {
  const { width } = rows;
  const total = centres.length / width;
  const losses = new Float64Array(total);
  const gaps = await rows.gaps(centres);
  nearest.forEach((centre, row) => (losses[centre] = (losses[centre] ?? 0) + (gaps[row] ?? 0)));
  const removed = new Set<number>();
  const frozen = new Set<number>();
  const order = [...losses.keys()].sort((a, b) => (losses[a] ?? 0) - (losses[b] ?? 0) || a - b);
  for (const centre of [...order, ...order]) {
    if (removed.size === total - count) break;
    // The second time round nothing is spared: there may be fewer that stand alone.
    if (removed.has(centre) || frozen.delete(centre)) continue;
    removed.add(centre);
    frozen.add(mostAlike(centres, width, centre, removed));
  }
  const kept = [...losses.keys()].filter((centre) => !removed.has(centre));
  return Float32Array.from(kept.flatMap((centre) => [...centres.subarray(centre * width, (centre + 1) * width)]));
}

function mostAlike(centres: Float32Array, width: number, centre: number, without: ReadonlySet<number>): number {
  let best = { other: -1, cosine: -Infinity };
  for (let other = 0; other * width < centres.length; other++) {
    if (without.has(other)) continue;
    let cosine = 0;
    for (let i = 0; i < width; i++) {
      cosine += (centres[centre * width + i] as number) * (centres[other * width + i] as number);
    }
    if (cosine > best.cosine) best = { other, cosine };
  }
  return best.other;
}

interface LloydOptions {
  readonly tolerance: number;
  readonly maxSteps: number;
  readonly signal: AbortSignal | undefined;
  readonly step: (steps: number) => void;
}

/** Lloyd's iteration: assign, average, until the objective grows by `tolerance` of itself or less. */
async function lloyd(
  rows: KMeansRows,
  start: Float32Array,
  { tolerance, maxSteps, signal, step }: LloydOptions,
): Promise<KMeansResult> {
  let centres = start;
  let before = -Infinity;
  let previous: Int32Array | undefined;
  let refills = 0;
  for (let steps = 1; ; steps++) {
    signal?.throwIfAborted();
    const { nearest, similarities, sums } = await rows.assign(centres);
    const objective = sumOfLengths(sums, rows.width);
    const moved = previous === undefined || nearest.some((centre, row) => centre !== previous?.[row]);
    step(steps);
    const empty = emptyCentres(nearest, start.length / rows.width);
    const settled = !moved || objective - before <= tolerance * Math.abs(objective);
    const filled = empty.length === 0 || refills++ === mostRefills;
    if ((settled && filled) || steps >= maxSteps) {
      return { centres: unitRows(sums, rows.width, centres), nearest, similarities, objective };
    }
    centres = unitRows(sums, rows.width, centres);
    fillEmptyCentres(rows, centres, empty, nearest, similarities);
    before = filled ? objective : -Infinity;
    previous = nearest;
  }
}

function emptyCentres(nearest: Int32Array, count: number): number[] {
  const members = new Int32Array(count);
  for (const centre of nearest) members[centre] = (members[centre] ?? 0) + 1;
  return [...members.keys()].filter((centre) => members[centre] === 0);
}

/** Puts each centre without rows on a row far from its own centre: the worst first, each row once. */
function fillEmptyCentres(
  rows: KMeansRows,
  centres: Float32Array,
  empty: readonly number[],
  nearest: Int32Array,
  similarities: Float32Array,
): void {
  if (empty.length === 0) return;
  const sizes = new Map<number, number>();
  for (const centre of nearest) sizes.set(centre, (sizes.get(centre) ?? 0) + 1);
  const worst = Array.from(nearest.keys()).sort((a, b) => (similarities[a] ?? 0) - (similarities[b] ?? 0) || a - b);
  let next = 0;
  for (const centre of empty) {
    // The only row of a centre stays: taking it would only empty another one.
    while (next < worst.length && (sizes.get(nearest[worst[next] ?? 0] ?? 0) ?? 0) <= 1) next++;
    const row = worst[next++];
    if (row === undefined) return;
    const own = nearest[row] ?? 0;
    sizes.set(own, (sizes.get(own) ?? 1) - 1);
    centres.set(rows.vectors(Int32Array.of(row)), centre * rows.width);
  }
}

/** Rows of a matrix scaled to length 1; a row of zeros is taken from `fallback`. */
export function unitRows(matrix: Float64Array, width: number, fallback: Float32Array): Float32Array {
  const units = new Float32Array(matrix.length);
  for (let start = 0; start < matrix.length; start += width) {
    const row = matrix.subarray(start, start + width);
    const length = lengthOf(row);
    if (length > 0) for (let i = 0; i < width; i++) units[start + i] = (row[i] as number) / length;
    else units.set(fallback.subarray(start, start + width), start);
  }
  return units;
}

/** The sum of the lengths of rows: what spherical k-means makes large. */
export function sumOfLengths(matrix: Float64Array, width: number): number {
  let sum = 0;
  for (let start = 0; start < matrix.length; start += width) sum += lengthOf(matrix.subarray(start, start + width));
  return sum;
}

function lengthOf(row: Float64Array): number {
  let sum = 0;
  for (const value of row) sum += value * value;
  return Math.sqrt(sum);
}
