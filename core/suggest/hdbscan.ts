/**
 * HDBSCAN (Campello, Moulavi and Sander 2013; Campello et al. 2015) on a graph of nearest neighbours: clusters of any
 * number and shape, and noise. Mutual reachability on the graph's edges, its minimum spanning forest, the condensed tree,
 * and the clusters of largest stability ("excess of mass"). With every row a neighbour of every other it is the exact
 * method; with fewer, parts of the graph that are not connected are taken to be infinitely far apart.
 */
import { CoreError } from "../util/errors.ts";

/** The nearest rows of each row, itself left out, nearest first: row-major [rows, count]; index -1 where there are fewer. */
export interface DistanceTable {
  readonly count: number;
  readonly indices: Int32Array;
  readonly distances: Float64Array;
}

export interface DensityOptions {
  /** Fewer rows than this are no cluster. */
  readonly minimum: number;
  /** Rows, itself counted, within the distance that makes a row dense; `minimum` unless said. */
  readonly samples?: number;
}

export interface DensityClusters {
  /** The cluster of each row, from 0 in the order of their first rows; -1 for noise. */
  readonly labels: Int32Array;
  readonly count: number;
}

/** Copies lie at no distance, and 1 / 0 has no sums: below this all distances are one. Embeddings differ by 1e-7 or more. */
const smallestDistance = 1e-9;

/** Finds clusters. Throws `option-invalid` where the table has too few neighbours for `samples`. */
export function densityClusters(table: DistanceTable, options: DensityOptions): DensityClusters {
  const { minimum, samples = minimum } = options;
  if (!(minimum >= 2 && samples >= 1 && samples - 1 <= table.count)) {
    throw new CoreError(
      "option-invalid",
      `Clusters of ${minimum} images or more, dense by ${samples}, cannot be found from ${table.count} neighbours each.`,
    );
  }
  const rows = table.count === 0 ? 0 : table.indices.length / table.count;
  if (rows === 0) return { labels: new Int32Array(0), count: 0 };
  const tree = linkageTree(rows, spanningForest(rows, reachabilityEdges(table, rows, samples)));
  return labelRows(rows, condense(tree, rows, minimum));
}

/** Edges of a graph as three columns. */
interface Edges {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly weights: Float64Array;
}

/** The graph's edges with their mutual reachability: the distance, but at least the core distance of either end. */
function reachabilityEdges({ count, indices, distances }: DistanceTable, rows: number, samples: number): Edges {
  const core = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const slot = row * count + samples - 2;
    // A row with fewer neighbours than that is dense nowhere.
    if (samples > 1) core[row] = (indices[slot] ?? -1) < 0 ? Infinity : (distances[slot] ?? Infinity);
  }
  const from = new Int32Array(rows * count);
  const to = new Int32Array(rows * count);
  const weights = new Float64Array(rows * count);
  let edges = 0;
  for (let row = 0; row < rows; row++) {
    for (let slot = row * count; slot < (row + 1) * count; slot++) {
      const other = indices[slot] ?? -1;
      if (other < 0) break;
      from[edges] = row;
      to[edges] = other;
      weights[edges++] = Math.max(distances[slot] ?? Infinity, core[row] ?? 0, core[other] ?? 0);
    }
  }
  return { from: from.subarray(0, edges), to: to.subarray(0, edges), weights: weights.subarray(0, edges) };
}

/** Disjoint sets (Tarjan 1975) with halved paths. */
function createSets(size: number): { find: (element: number) => number; parents: Int32Array } {
  const parents = Int32Array.from({ length: size }, (_, i) => i);
  const find = (element: number): number => {
    let root = element;
    while (parents[root] !== root) {
      const above = parents[root] as number;
      parents[root] = parents[above] as number;
      root = parents[root] as number;
    }
    return root;
  };
  return { find, parents };
}

/** Kruskal's minimum spanning forest, its edges in increasing weight, and infinite ones that join what is apart. */
function spanningForest(rows: number, { from, to, weights }: Edges): Edges {
  const order = Uint32Array.from(weights.keys()).sort(
    (a, b) => (weights[a] as number) - (weights[b] as number) || a - b,
  );
  const forest = {
    from: new Int32Array(rows - 1),
    to: new Int32Array(rows - 1),
    weights: new Float64Array(rows - 1).fill(Infinity),
  };
  const { find, parents } = createSets(rows);
  let taken = 0;
  const join = (a: number, b: number, weight: number): void => {
    const [rootA, rootB] = [find(a), find(b)];
    if (rootA === rootB) return;
    parents[rootB] = rootA;
    forest.from[taken] = a;
    forest.to[taken] = b;
    forest.weights[taken++] = weight;
  };
  for (const edge of order) join(from[edge] as number, to[edge] as number, weights[edge] as number);
  for (let row = 1; row < rows && taken < rows - 1; row++) join(0, row, Infinity);
  return forest;
}

/** The tree of single linkage: node `rows + i` joins `left[i]` and `right[i]` at `distances[i]`. Nodes below are rows. */
interface LinkageTree {
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly distances: Float64Array;
  /** Rows below each joining node. */
  readonly sizes: Int32Array;
}

function linkageTree(rows: number, forest: Edges): LinkageTree {
  const joins = rows - 1;
  const tree = {
    left: new Int32Array(joins),
    right: new Int32Array(joins),
    distances: forest.weights,
    sizes: new Int32Array(joins),
  };
  const { find, parents } = createSets(rows + joins);
  const size = (node: number): number => (node < rows ? 1 : (tree.sizes[node - rows] as number));
  for (let i = 0; i < joins; i++) {
    const left = find(forest.from[i] as number);
    const right = find(forest.to[i] as number);
    tree.left[i] = left;
    tree.right[i] = right;
    tree.sizes[i] = size(left) + size(right);
    parents[left] = rows + i;
    parents[right] = rows + i;
  }
  return tree;
}

/** Clusters that could be, parents before children; the first is everything. */
interface CondensedTree {
  readonly parents: number[];
  /** 1 / distance at which a cluster begins. */
  readonly births: number[];
  /** Sum over what leaves a cluster of 1 / distance - birth: its stability (Campello et al. 2013, section 5). */
  readonly stabilities: number[];
  /** The last cluster that each row was in. */
  readonly clusterOfRow: Int32Array;
}

/** Walks down the linkage tree: a part of fewer than `minimum` rows falls out of its cluster, two larger ones are new. */
function condense({ left, right, distances, sizes }: LinkageTree, rows: number, minimum: number): CondensedTree {
  const parents = [-1];
  const births = [0];
  const stabilities = [0];
  const clusterOfRow = new Int32Array(rows);
  const size = (node: number): number => (node < rows ? 1 : (sizes[node - rows] as number));
  const leave = (cluster: number, lambda: number, count: number): void => {
    stabilities[cluster] = (stabilities[cluster] ?? 0) + (lambda - (births[cluster] ?? 0)) * count;
  };
  const dropRows = (root: number, cluster: number): void => {
    const stack = [root];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node < rows) clusterOfRow[node] = cluster;
      else stack.push(left[node - rows] as number, right[node - rows] as number);
    }
  };
  const stack: { node: number; cluster: number }[] = rows > 1 ? [{ node: 2 * rows - 2, cluster: 0 }] : [];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { node, cluster } = top;
    const children = [left[node - rows] as number, right[node - rows] as number];
    const lambda = 1 / Math.max(smallestDistance, distances[node - rows] as number);
    const splits = children.every((child) => size(child) >= minimum);
    for (const child of children) {
      if (splits) {
        leave(cluster, lambda, size(child));
        parents.push(cluster);
        births.push(lambda);
        stabilities.push(0);
        stack.push({ node: child, cluster: parents.length - 1 });
      } else if (size(child) >= minimum) {
        stack.push({ node: child, cluster });
      } else {
        leave(cluster, lambda, size(child));
        dropRows(child, cluster);
      }
    }
  }
  return { parents, births, stabilities, clusterOfRow };
}

/** Chooses the most stable clusters, never two of which one lies in the other, and never everything. */
function labelRows(rows: number, { parents, stabilities, clusterOfRow }: CondensedTree): DensityClusters {
  const below = new Float64Array(parents.length);
  const hasChildren = new Uint8Array(parents.length);
  const chosen = new Uint8Array(parents.length);
  for (let cluster = parents.length - 1; cluster > 0; cluster--) {
    const own = stabilities[cluster] ?? 0;
    const children = below[cluster] ?? 0;
    chosen[cluster] = hasChildren[cluster] === 1 && children > own ? 0 : 1;
    const parent = parents[cluster] ?? 0;
    hasChildren[parent] = 1;
    below[parent] = (below[parent] ?? 0) + (chosen[cluster] === 1 ? own : children);
  }
  // From the top: what lies in a chosen cluster belongs to it.
  const owner = new Int32Array(parents.length).fill(-1);
  for (let cluster = 1; cluster < parents.length; cluster++) {
    const above = owner[parents[cluster] ?? 0] ?? -1;
    owner[cluster] = above >= 0 ? above : chosen[cluster] === 1 ? cluster : -1;
  }
  const names = new Map<number, number>();
  const labels = new Int32Array(rows).fill(-1);
  for (let row = 0; row < rows; row++) {
    const cluster = owner[clusterOfRow[row] ?? 0] ?? -1;
    if (cluster < 0) continue;
    const label = names.get(cluster) ?? names.size;
    names.set(cluster, label);
    labels[row] = label;
  }
  return { labels, count: names.size };
}
