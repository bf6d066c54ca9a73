import { createRandom } from "../util/random.ts";
import { componentOf, type Components } from "./components.ts";
import type { ScoreGrid } from "./bitmap.ts";
import { secondEigenvector } from "./spectral.ts";

/** Cosine above which two patches are taken for alike, and the weight of those that are not (TokenCut, section 3.2). */
const alike = 0.2;
const unlikeWeight = 1e-5;

/**
 * Which patches are alike. Each row keeps its members or, where those are the majority, the others: whichever list is
 * shorter. Weights are 1 within, `unlikeWeight` without.
 */
export interface SimilarityGraph {
  readonly count: number;
  /** Row i's list is `lists` from `starts[i]` to `starts[i + 1]`. */
  readonly starts: Uint32Array;
  readonly lists: Uint32Array;
  /** 1 where a row lists the patches that are not alike. */
  readonly complement: Uint8Array;
}

/** What a cut through the patches found. */
export interface TokenCut {
  /** 1 for each patch of the foreground side, everywhere in the picture. */
  readonly partition: Uint8Array;
  /** The patch that differs most: it says which side is the foreground. */
  readonly seed: number;
  /** The cut as scores: 0.5 at the border, 1 at the patch farthest from it. */
  readonly scores: Float32Array;
}

/** The graph of patches with a cosine above 0.2. `features` is [count, width]; a row of zeros is alike only itself. */
export function similarityGraph(features: Float32Array, count: number): SimilarityGraph {
  const width = features.length / count;
  const unit = unitRows(features, count, width);
  const joined = new Uint8Array(count * count);
  const join = (i: number, j: number, cosine: number): void => {
    if (i >= count || j >= count || (i !== j && cosine <= alike)) return;
    joined[i * count + j] = 1;
    joined[j * count + i] = 1;
  };
  // Two rows by two: each value that is read is used twice.
  for (let i = 0; i < count; i += 2) {
    for (let j = i; j < count; j += 2) {
      const [a, b] = [i * width, j * width];
      let upperLeft = 0;
      let upperRight = 0;
      let lowerLeft = 0;
      let lowerRight = 0;
      for (let k = 0; k < width; k++) {
        const first = unit[a + k] as number;
        const second = unit[a + width + k] as number;
        const left = unit[b + k] as number;
        const right = unit[b + width + k] as number;
        upperLeft += first * left;
        upperRight += first * right;
        lowerLeft += second * left;
        lowerRight += second * right;
      }
      join(i, j, upperLeft);
      join(i, j + 1, upperRight);
      join(i + 1, j, lowerLeft);
      join(i + 1, j + 1, lowerRight);
    }
  }
  return graphOfMatrix(joined, count);
}

/** The graph of a symmetric 0/1 matrix [count, count]. */
export function graphOfMatrix(joined: Uint8Array, count: number): SimilarityGraph {
  const starts = new Uint32Array(count + 1);
  const complement = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    let members = 0;
    for (let j = 0; j < count; j++) members += joined[i * count + j] ?? 0;
    complement[i] = 2 * members > count ? 1 : 0;
    starts[i + 1] = (starts[i] ?? 0) + Math.min(members, count - members);
  }
  const lists = new Uint32Array(starts[count] ?? 0);
  for (let i = 0, at = 0; i < count; i++) {
    const listed = complement[i] === 1 ? 0 : 1;
    for (let j = 0; j < count; j++) if (joined[i * count + j] === listed) lists[at++] = j;
  }
  return { count, starts, lists, complement };
}

/**
 * TokenCut (Wang et al. 2022, section 3.2): the normalised cut of the graph by the eigenvector of the second smallest
 * eigenvalue of (D - W) y = lambda D y, split at its mean; foreground is the side of the patch with the largest |y|.
 */
export function cutGraph(graph: SimilarityGraph): TokenCut {
  const y = generalisedEigenvector(graph);
  const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
  let seed = 0;
  y.forEach((value, i) => {
    if (Math.abs(value) > Math.abs(y[seed] ?? 0)) seed = i;
  });
  // The seed's own side is foreground, whichever sign the eigenvector came with.
  const above = (y[seed] ?? 0) > mean;
  const partition = Uint8Array.from(y, (value) => (value > mean === above ? 1 : 0));
  const farthest = y.reduce((largest, value) => Math.max(largest, Math.abs(value - mean)), Number.MIN_VALUE);
  const scores = Float32Array.from(y, (value, i) => {
    const depth = Math.abs(value - mean) / farthest / 2;
    // A background patch on the very border must stay below 0.5 after rounding.
    return partition[i] === 1 ? 0.5 + depth : Math.min(0.5 - 2 ** -20, 0.5 - depth);
  });
  return { partition, seed, scores };
}

/**
 * TokenCut on the keys of the last block, [rows * columns, width]. With `largest` the foreground is the part that holds
 * the seed, as in the paper; with `all` the whole side. Scores of patches that are left out are turned to the other side
 * of 0.5.
 */
export function tokenCut(
  keys: Float32Array,
  { rows, columns }: Pick<ScoreGrid, "rows" | "columns">,
  components: Components,
): ScoreGrid & Pick<TokenCut, "seed"> {
  const { partition, seed, scores } = cutGraph(similarityGraph(keys, rows * columns));
  if (components === "all") return { rows, columns, values: scores, seed };
  const { data } = componentOf({ width: columns, height: rows, data: partition }, seed);
  const values = scores.map((score, i) => (partition[i] === 1 && data[i] === 0 ? 1 - score - 2 ** -20 : score));
  return { rows, columns, values, seed };
}

/** y = D^-1/2 z, where z is the second eigenvector of D^-1/2 W D^-1/2. */
function generalisedEigenvector(graph: SimilarityGraph): Float64Array {
  const { count } = graph;
  const degrees = weigh(graph, new Float64Array(count).fill(1), new Float64Array(count));
  const root = degrees.map(Math.sqrt);
  const length = Math.sqrt(degrees.reduce((sum, degree) => sum + degree, 0));
  const trivial = root.map((value) => value / length);
  const scaled = new Float64Array(count);
  const multiply = (x: Float64Array, result: Float64Array): void => {
    for (let i = 0; i < count; i++) scaled[i] = (x[i] ?? 0) / (root[i] ?? 1);
    weigh(graph, scaled, result);
    // Half the identity on top: then the wanted eigenvalue is also the largest by size.
    for (let i = 0; i < count; i++) result[i] = ((x[i] ?? 0) + (result[i] ?? 0) / (root[i] ?? 1)) / 2;
  };
  const random = createRandom(1);
  const start = Float64Array.from({ length: count }, () => random.normal());
  return secondEigenvector(multiply, trivial, start).map((value, i) => value / (root[i] ?? 1));
}

/** W x: 1 for alike patches, `unlikeWeight` for the others. */
function weigh(
  { count, starts, lists, complement }: SimilarityGraph,
  x: Float64Array,
  result: Float64Array,
): Float64Array {
  let total = 0;
  for (let i = 0; i < count; i++) total += x[i] as number;
  for (let i = 0; i < count; i++) {
    let listed = 0;
    const end = starts[i + 1] as number;
    for (let at = starts[i] as number; at < end; at++) listed += x[lists[at] as number] as number;
    const joined = complement[i] === 1 ? total - listed : listed;
    result[i] = unlikeWeight * total + (1 - unlikeWeight) * joined;
  }
  return result;
}

/** Rows at length 1; an odd number of them gets a row of zeros on top, so that they come in pairs. */
function unitRows(features: Float32Array, count: number, width: number): Float32Array {
  const unit = new Float32Array(2 * Math.ceil(count / 2) * width);
  for (let i = 0; i < count; i++) {
    const row = features.subarray(i * width, (i + 1) * width);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (length > 0)
      unit.set(
        row.map((value) => value / length),
        i * width,
      );
  }
  return unit;
}
