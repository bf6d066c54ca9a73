/**
 * UMAP (McInnes, Healy and Melville 2018) in two dimensions, from a graph of nearest neighbours. State between epochs is
 * nothing but the coordinates: which edge is drawn in which epoch follows from its weight, and each epoch has random
 * numbers of its own. So a layout that was stopped goes on to the very end it would have had.
 */
import type { NeighbourTable } from "./nearest.ts";

/** Weighted edges in both directions, by first row: the edges of `row` are `starts[row]` to `starts[row + 1]`. */
export interface FuzzyGraph {
  readonly rows: number;
  readonly starts: Int32Array;
  readonly targets: Int32Array;
  /** How many epochs pass from one use of an edge to the next: largest weight / weight. */
  readonly intervals: Float32Array;
}

/** Curve of similarity on the map, 1 / (1 + a d^2b), fitted by UMAP's authors to a least distance of 0.1 at spread 1. */
const curve = { a: 1.576943460405378, b: 0.8950608781227859 };

/** Rows that are pushed away for each that is drawn near (UMAP's negative sample rate). */
const negatives = 5;

/** Longest move along one axis for one pair, as in the authors' program. */
const longestMove = 4;

/** Epochs of a layout: small libraries need more, as in the authors' program. */
export function epochsFor(rows: number): number {
  return rows <= 10_000 ? 500 : 200;
}

/**
 * How strongly each row belongs with each of its neighbours (section 3.1): 1 for the nearest, falling with the distance
 * 1 - cosine at a rate that makes every row's memberships sum to log2 of the neighbourhood's size (itself counted).
 */
export function membershipStrengths({ count, indices, similarities }: NeighbourTable): Float32Array {
  const strengths = new Float32Array(indices.length);
  const target = Math.log2(count + 1);
  for (let start = 0; start < indices.length; start += count) {
    const distances: number[] = [];
    for (let slot = start; slot < start + count && (indices[slot] ?? -1) >= 0; slot++) {
      distances.push(Math.max(0, 1 - (similarities[slot] ?? 0)));
    }
    const nearest = distances.find((distance) => distance > 0) ?? 0;
    const mean = distances.reduce((sum, distance) => sum + distance, 0) / Math.max(1, distances.length);
    let [low, high, scale] = [0, Infinity, 1];
    for (let step = 0; step < 64; step++) {
      let sum = 0;
      for (const distance of distances) sum += distance > nearest ? Math.exp((nearest - distance) / scale) : 1;
      if (Math.abs(sum - target) < 1e-5) break;
      if (sum > target) high = scale;
      else low = scale;
      scale = high === Infinity ? scale * 2 : (low + high) / 2;
    }
    // The authors' floor: a thousandth of the mean distance.
    scale = Math.max(scale, 1e-3 * mean, Number.MIN_VALUE);
    distances.forEach((distance, i) => {
      strengths[start + i] = distance > nearest ? Math.exp((nearest - distance) / scale) : 1;
    });
  }
  return strengths;
}

/**
 * The fuzzy union a + b - ab of what the two ends of each edge say (section 3.1). Edges so weak that they would never be
 * drawn in `epochs` are left out.
 */
export function fuzzyGraph(table: NeighbourTable, epochs: number): FuzzyGraph {
  const { count, indices } = table;
  const rows = count === 0 ? 0 : indices.length / count;
  const strengths = membershipStrengths(table);
  const edges = indices.reduce((sum, target) => (target >= 0 ? sum + 1 : sum), 0);
  // Edges as neighbours gave them, and turned around: those of a row together, sorted by target, pairs side by side.
  const starts = new Int32Array(rows + 1);
  for (let slot = 0; slot < indices.length; slot++) {
    const target = indices[slot] as number;
    if (target < 0) continue;
    const row = Math.floor(slot / count);
    starts[row + 1] = (starts[row + 1] as number) + 1;
    starts[target + 1] = (starts[target + 1] as number) + 1;
  }
  for (let row = 0; row < rows; row++) starts[row + 1] = (starts[row + 1] as number) + (starts[row] as number);
  const next = starts.slice(0, rows);
  const targets = new Int32Array(2 * edges);
  const weights = new Float32Array(2 * edges);
  const put = (row: number, target: number, weight: number): void => {
    const at = next[row] as number;
    next[row] = at + 1;
    targets[at] = target;
    weights[at] = weight;
  };
  for (let slot = 0; slot < indices.length; slot++) {
    const target = indices[slot] as number;
    if (target < 0) continue;
    const row = Math.floor(slot / count);
    put(row, target, strengths[slot] as number);
    put(target, row, strengths[slot] as number);
  }
  return union(rows, starts, targets, weights, epochs);
}

/** Joins edges of one row to one target, and keeps those that are strong enough. */
function union(
  rows: number,
  starts: Int32Array,
  targets: Int32Array,
  weights: Float32Array,
  epochs: number,
): FuzzyGraph {
  const joined = new Int32Array(rows + 1);
  let edges = 0;
  let largest = 0;
  for (let row = 0; row < rows; row++) {
    const own = Array.from({ length: (starts[row + 1] ?? 0) - (starts[row] ?? 0) }, (_, i) => {
      const at = (starts[row] ?? 0) + i;
      return { target: targets[at] ?? 0, weight: weights[at] ?? 0 };
    }).sort((a, b) => a.target - b.target);
    // Written over what has been read: there is never more of it.
    for (const [i, { target, weight }] of own.entries()) {
      const before = own[i - 1];
      if (before?.target === target) {
        weights[edges - 1] = before.weight + weight - before.weight * weight;
      } else {
        targets[edges] = target;
        weights[edges++] = weight;
      }
      largest = Math.max(largest, weights[edges - 1] ?? 0);
    }
    joined[row + 1] = edges;
  }
  const kept = new Int32Array(rows + 1);
  let strong = 0;
  for (let row = 0; row < rows; row++) {
    for (let edge = joined[row] ?? 0; edge < (joined[row + 1] ?? 0); edge++) {
      const weight = weights[edge] ?? 0;
      if (weight < largest / epochs) continue;
      targets[strong] = targets[edge] ?? 0;
      weights[strong++] = largest / weight;
    }
    kept[row + 1] = strong;
  }
  return { rows, starts: kept, targets: targets.slice(0, strong), intervals: weights.slice(0, strong) };
}

/**
 * One epoch of the layout (section 3.2 and appendix): the two ends of each edge whose turn it is move together, and the
 * first away from rows drawn at random. `coordinates` [rows, 2] are changed. `epoch` counts from 1 to `epochs`; the
 * length of a move falls from 1 towards 0.
 */
export function layoutEpoch(
  graph: FuzzyGraph,
  coordinates: Float32Array,
  epoch: number,
  epochs: number,
  seed: number,
): void {
  const { rows, starts, targets, intervals } = graph;
  const { a, b } = curve;
  const rate = 1 - (epoch - 1) / epochs;
  // xorshift32 (Marsaglia 2003), inlined below: hundreds of millions of draws.
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(epoch, 0x85ebca6b)) | 1;
  for (let row = 0; row < rows; row++) {
    const end = starts[row + 1] as number;
    for (let edge = starts[row] as number; edge < end; edge++) {
      const interval = intervals[edge] as number;
      if (Math.floor(epoch / interval) === Math.floor((epoch - 1) / interval)) continue;
      const target = targets[edge] as number;
      let x = coordinates[2 * row] as number;
      let y = coordinates[2 * row + 1] as number;
      let dx = x - (coordinates[2 * target] as number);
      let dy = y - (coordinates[2 * target + 1] as number);
      let squared = dx * dx + dy * dy;
      if (squared > 0) {
        const power = Math.pow(squared, b);
        const pull = (-2 * a * b * (power / squared)) / (a * power + 1);
        const moveX = rate * Math.max(-longestMove, Math.min(longestMove, pull * dx));
        const moveY = rate * Math.max(-longestMove, Math.min(longestMove, pull * dy));
        x += moveX;
        y += moveY;
        coordinates[2 * target] = (coordinates[2 * target] as number) - moveX;
        coordinates[2 * target + 1] = (coordinates[2 * target + 1] as number) - moveY;
      }
      for (let i = 0; i < negatives; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        const other = Math.floor(((state >>> 0) / 2 ** 32) * rows);
        if (other === row) continue;
        dx = x - (coordinates[2 * other] as number);
        dy = y - (coordinates[2 * other + 1] as number);
        squared = dx * dx + dy * dy;
        if (squared > 0) {
          const push = (2 * b) / ((0.001 + squared) * (a * Math.pow(squared, b) + 1));
          x += rate * Math.max(-longestMove, Math.min(longestMove, push * dx));
          y += rate * Math.max(-longestMove, Math.min(longestMove, push * dy));
        } else {
          x += rate * longestMove;
          y += rate * longestMove;
        }
      }
      coordinates[2 * row] = x;
      coordinates[2 * row + 1] = y;
    }
  }
}

/**
 * Where new rows belong on a finished map: the mean of their neighbours' places, weighted by membership, as in the start
 * of UMAP's transform. Nothing else moves. `table` has the neighbours among the rows of `coordinates`; a row without any
 * gets NaN.
 */
export function placeAmong(table: NeighbourTable, coordinates: Float32Array): Float32Array {
  const strengths = membershipStrengths(table);
  const { count, indices } = table;
  const rows = count === 0 ? 0 : indices.length / count;
  const places = new Float32Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    let [x, y, total] = [0, 0, 0];
    for (let slot = row * count; slot < (row + 1) * count; slot++) {
      const other = indices[slot] ?? -1;
      if (other < 0) break;
      const weight = strengths[slot] ?? 0;
      x += weight * (coordinates[2 * other] ?? 0);
      y += weight * (coordinates[2 * other + 1] ?? 0);
      total += weight;
    }
    places[2 * row] = x / total;
    places[2 * row + 1] = y / total;
  }
  return places;
}
