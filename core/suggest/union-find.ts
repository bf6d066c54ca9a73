/** Sets that grow together: disjoint sets of the numbers 0 to count - 1. */
export interface UnionFind {
  /** Joins the sets of two numbers. */
  readonly join: (first: number, second: number) => void;
  /** The smallest number in the set of this one. */
  readonly find: (member: number) => number;
  /** The sets of two members or more, each rising, in the order of their first members. */
  readonly groups: () => number[][];
}

/** Union-find with path halving (Tarjan and van Leeuwen 1984); the smallest member stands for its set. */
export function createUnionFind(count: number): UnionFind {
  const parents = Uint32Array.from({ length: count }, (_, i) => i);
  const find = (member: number): number => {
    let at = member;
    for (;;) {
      const parent = parents[at] ?? at;
      if (parent === at) return at;
      const above = parents[parent] ?? parent;
      parents[at] = above;
      at = above;
    }
  };
  return {
    find,
    join: (first, second) => {
      const a = find(first);
      const b = find(second);
      parents[Math.max(a, b)] = Math.min(a, b);
    },
    groups: () => {
      const groups = new Map<number, number[]>();
      for (let member = 0; member < count; member++) {
        const root = find(member);
        const group = groups.get(root);
        if (group === undefined) groups.set(root, [member]);
        else group.push(member);
      }
      return [...groups.values()].filter(({ length }) => length > 1);
    },
  };
}
