import { CoreError } from "../util/errors.ts";

/** A row of the bank and the cosine of its embedding with the query's. */
export interface Neighbour {
  readonly index: number;
  readonly similarity: number;
}

/**
 * Neighbours of many queries, row-major [queries, count], most similar first within a row. A row with fewer neighbours
 * is filled up with the index -1.
 */
export interface NeighbourTable {
  readonly count: number;
  readonly indices: Int32Array;
  readonly similarities: Float32Array | Float64Array;
}

/** Options of a search for neighbours. */
export interface NearestOptions {
  /** For each query one row of the bank that may not be its neighbour (itself, in leave-one-out), or -1. */
  readonly exclude?: ArrayLike<number>;
}

/** Number of queries that a table answers. */
export function queryCountOf(table: NeighbourTable): number {
  return table.count === 0 ? 0 : table.indices.length / table.count;
}

/** The neighbours of one query of a table, as a list. */
export function neighboursOf(table: NeighbourTable, query: number): Neighbour[] {
  const neighbours: Neighbour[] = [];
  for (let slot = query * table.count; slot < (query + 1) * table.count; slot++) {
    const index = table.indices[slot] ?? -1;
    if (index < 0) break;
    neighbours.push({ index, similarity: table.similarities[slot] ?? 0 });
  }
  return neighbours;
}

/**
 * The exact nearest rows of every query: the slow reference that every other search answers to. `bank` and `queries`
 * are row-major [rows, dimensions] with rows of length 1, so that a dot product is a cosine, as in DINO's evaluation
 * (which normalises features when it extracts them). Products are summed in float64 in index order; equal similarities
 * go by the lower index. Throws `embedding-shape` and `embedding-not-finite`.
 */
export function nearestRows(
  bank: Float32Array,
  queries: Float32Array,
  dimensions: number,
  count: number,
  options: NearestOptions = {},
): NeighbourTable {
  const rows = rowCount("bank", bank, dimensions);
  const queryCount = rowCount("queries", queries, dimensions);
  const kept = Math.min(wholeCount(count), rows);
  const indices = new Int32Array(queryCount * kept).fill(-1);
  const similarities = new Float64Array(queryCount * kept);
  for (let query = 0; query < queryCount; query++) {
    const vector = queries.subarray(query * dimensions, (query + 1) * dimensions);
    const excluded = options.exclude?.[query] ?? -1;
    const first = query * kept;
    let found = 0;
    for (let row = 0; row < rows; row++) {
      if (row === excluded) continue;
      const similarity = dotProduct(bank, row, vector);
      if (found === kept && !(similarity > (similarities[first + kept - 1] ?? 0))) continue;
      if (found < kept) found++;
      let slot = first + found - 1;
      // A row that is only as similar stays behind those before it, which have lower indices.
      for (; slot > first && (similarities[slot - 1] ?? 0) < similarity; slot--) {
        similarities[slot] = similarities[slot - 1] ?? 0;
        indices[slot] = indices[slot - 1] ?? -1;
      }
      similarities[slot] = similarity;
      indices[slot] = row;
    }
  }
  return { count: kept, indices, similarities };
}

/**
 * Bound on the error of a dot product of two unit vectors that was summed in any order, with or without fused
 * multiply-add: |computed - true| <= gamma_n |x|.|y| with gamma_n = n u / (1 - n u) (Higham, Accuracy and Stability of
 * Numerical Algorithms, 2nd ed., section 3.1), and |x|.|y| <= 1 by Cauchy-Schwarz. `unitRoundoff` u is 2^-24 for
 * float32 and 2^-53 for float64. Vectors that were scaled to unit length in float32 are up to 1e-6 longer.
 */
export function dotProductErrorBound(dimensions: number, unitRoundoff: number): number {
  const product = dimensions * unitRoundoff;
  return product < 1 ? (product / (1 - product)) * (1 + 1e-6) ** 2 : Infinity;
}

/** Settings of a refinement. */
export interface RefineOptions {
  /** Row of the bank that may not be a neighbour, or -1. */
  readonly exclude?: number;
  /** Unit roundoff of the device's products: 2^-24 (float32) unless said; 2^-11 where it multiplies in TF32. */
  readonly unitRoundoff?: number;
}

/** The best of a list of candidates, and whether they are proven to be the best of the whole bank. */
export interface Refined {
  readonly neighbours: Neighbour[];
  readonly exact: boolean;
}

/**
 * The `count` nearest rows among candidates that a device found by float32 products, with similarities as
 * `nearestRows` computes them. The candidates must be the device's best, by its own scores: then no other row scored
 * above the worst candidate, and if that score plus the error of float32 and float64 is still below the last neighbour
 * kept, no other row can belong to them and `exact` is true. Where it is false the caller searches that query with
 * `nearestRows`. The bank must be finite and of unit length; candidates of index -1 are ignored.
 */
export function refineCandidates(
  bank: Float32Array,
  query: Float32Array,
  candidates: readonly Neighbour[],
  count: number,
  options: RefineOptions = {},
): Refined {
  const { exclude = -1, unitRoundoff = 2 ** -24 } = options;
  const rows = rowCount("bank", bank, query.length);
  const wanted = wholeCount(count);
  let worst = Infinity;
  const similarities = new Map<number, number>();
  for (const { index, similarity } of candidates) {
    if (index < 0) continue;
    if (index >= rows) {
      throw new CoreError("candidate-invalid", `Candidate ${index} is not one of the ${rows} rows of the bank.`);
    }
    // Math.min passes on a score that is not a number; such a score proves nothing, so the comparison below is false.
    worst = Math.min(worst, similarity);
    if (index !== exclude) similarities.set(index, dotProduct(bank, index, query));
  }
  const ranked = Array.from(similarities, ([index, similarity]): Neighbour => ({ index, similarity })).sort(
    (a, b) => b.similarity - a.similarity || a.index - b.index,
  );
  const neighbours = ranked.slice(0, wanted);
  const eligible = exclude >= 0 && exclude < rows ? rows - 1 : rows;
  if (wanted === 0 || ranked.length === eligible) return { neighbours, exact: true };
  const last = neighbours[wanted - 1];
  const error = dotProductErrorBound(query.length, unitRoundoff) + dotProductErrorBound(query.length, 2 ** -53);
  return { neighbours, exact: last !== undefined && worst + error < last.similarity };
}

/** Dot product of a row of the bank with a vector, summed in float64 in index order. */
function dotProduct(bank: Float32Array, row: number, vector: Float32Array): number {
  const width = vector.length;
  const start = row * width;
  let sum = 0;
  // Both indices are inside by `rowCount`; a fallback value here would cost a third of the time.
  for (let i = 0; i < width; i++) sum += (bank[start + i] as number) * (vector[i] as number);
  if (!Number.isFinite(sum)) {
    throw new CoreError("embedding-not-finite", `The embedding in row ${row} or that of the query is not finite.`, {
      hint: "Compute the embeddings again.",
    });
  }
  return sum;
}

/** Rows of a row-major matrix. */
function rowCount(name: string, matrix: Float32Array, dimensions: number): number {
  if (!(Number.isInteger(dimensions) && dimensions > 0) || matrix.length % dimensions !== 0) {
    throw new CoreError("embedding-shape", `The ${name} hold ${matrix.length} numbers, not rows of ${dimensions}.`);
  }
  return matrix.length / dimensions;
}

/** A number of neighbours to look for. */
function wholeCount(count: number): number {
  if (!(Number.isInteger(count) && count >= 0)) {
    throw new CoreError("option-invalid", `The number of neighbours must be a whole number, not ${count}.`);
  }
  return count;
}
