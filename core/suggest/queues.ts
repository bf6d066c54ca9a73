/** What to label next: orders in which unlabelled images teach most for the fewest labels. Pure arithmetic. */

/** An unlabelled image that a queue may take. */
export interface Candidate {
  readonly imageId: number;
  /** Probability that its suggested label is right; null without a suggestion. */
  readonly confidence: number | null;
  readonly clusterId: number | null;
  /** Cosine with its cluster's centre; 0 without a cluster. */
  readonly similarity: number;
}

/** The least certain suggestions first; images without a suggestion are not among them. */
export function uncertainFirst(candidates: readonly Candidate[], count: number): Candidate[] {
  const known = candidates.filter(({ confidence }) => confidence !== null);
  return known.toSorted((a, b) => (a.confidence ?? 0) - (b.confidence ?? 0) || a.imageId - b.imageId).slice(0, count);
}

/** The most typical image of each cluster in turn, largest clusters first: the second of each only after all firsts. */
export function typicalFirst(candidates: readonly Candidate[], count: number): Candidate[] {
  const clustered = candidates.filter(({ clusterId }) => clusterId !== null);
  const clusters = [...Map.groupBy(clustered, ({ clusterId }) => clusterId).values()]
    .map((members) => members.toSorted((a, b) => b.similarity - a.similarity || a.imageId - b.imageId))
    .sort((a, b) => b.length - a.length || (a[0]?.imageId ?? 0) - (b[0]?.imageId ?? 0));
  const chosen: Candidate[] = [];
  for (let turn = 0; chosen.length < count; turn++) {
    const round = clusters.flatMap((members) => members.slice(turn, turn + 1));
    if (round.length === 0) break;
    chosen.push(...round);
  }
  return chosen.slice(0, count);
}

/**
 * Farthest first (Gonzalez 1985): each row chosen is the one least similar to everything labelled or chosen before.
 * `matrix` has a unit row of `width` for each candidate; `labelled` the cosine of each with the nearest labelled image,
 * or null where nothing is labelled: then it starts with the row least similar to the mean. Returns rows; ties go to the
 * lower one.
 */
export function farthestFirst(
  matrix: Float32Array,
  width: number,
  count: number,
  labelled: ArrayLike<number> | null,
): number[] {
  const rows = matrix.length / width;
  const nearest = labelled === null ? similaritiesWith(matrix, meanOf(matrix, width)) : Float64Array.from(labelled);
  const chosen: number[] = [];
  while (chosen.length < Math.min(count, rows)) {
    const row = lowest(nearest);
    // The mean was no picture: what is far from it need not stay away from it.
    if (labelled === null && chosen.length === 0) nearest.fill(-Infinity);
    chosen.push(row);
    const similarities = similaritiesWith(matrix, matrix.subarray(row * width, (row + 1) * width));
    for (let i = 0; i < rows; i++) nearest[i] = Math.max(nearest[i] as number, similarities[i] as number);
    for (const done of chosen) nearest[done] = Infinity;
  }
  return chosen;
}

function meanOf(matrix: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let start = 0; start < matrix.length; start += width) {
    for (let i = 0; i < width; i++) mean[i] = (mean[i] as number) + (matrix[start + i] as number);
  }
  return mean;
}

function similaritiesWith(matrix: Float32Array, vector: ArrayLike<number>): Float64Array {
  const width = vector.length;
  const similarities = new Float64Array(matrix.length / width);
  for (let row = 0; row < similarities.length; row++) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (matrix[row * width + i] as number) * (vector[i] as number);
    similarities[row] = sum;
  }
  return similarities;
}

function lowest(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) < (values[best] as number)) best = i;
  return best;
}

/** One from each queue in turn, each image once, until there are `count` or all queues are empty. */
export function interleave<Item>(
  queues: readonly (readonly Item[])[],
  count: number,
  keyOf: (item: Item) => number,
): Item[] {
  const taken = new Set<number>();
  const mixed: Item[] = [];
  const next = queues.map(() => 0);
  for (let left = true; left && mixed.length < count;) {
    left = false;
    for (const [i, queue] of queues.entries()) {
      let at = next[i] ?? 0;
      while (at < queue.length && taken.has(keyOf(queue[at] as Item))) at++;
      next[i] = at + 1;
      const item = queue[at];
      if (item === undefined || mixed.length >= count) continue;
      taken.add(keyOf(item));
      mixed.push(item);
      left = true;
    }
  }
  return mixed;
}
