import type { ChangeKind } from "../rpc/messages.ts";

/** How often each part of the library has changed since the core was started: what is kept in memory is compared with it. */
export interface Revisions {
  /** Goes up with every change. */
  readonly total: number;
  /** Changes of some parts together. */
  of(...kinds: readonly ChangeKind[]): number;
  bump(kinds: readonly ChangeKind[]): void;
}

export function createRevisions(): Revisions {
  const counts = new Map<ChangeKind, number>();
  let total = 1;
  return {
    get total() {
      return total;
    },
    of: (...kinds) => kinds.reduce((sum, kind) => sum + (counts.get(kind) ?? 0), 0),
    bump: (kinds) => {
      total += 1;
      for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    },
  };
}

/**
 * Keeps the results of `compute` for as long as the parts they were made from stay as they are: of the `keep` keys asked
 * for last.
 */
export function remembered<Key, Value>(
  revisionOf: () => number,
  compute: (key: Key) => Value,
  keep = 1,
): (key: Key) => Value {
  const kept = new Map<Key, { readonly revision: number; readonly value: Value }>();
  return (key) => {
    const revision = revisionOf();
    let entry = kept.get(key);
    if (entry?.revision !== revision) entry = { revision, value: compute(key) };
    // A map lists keys in the order they were set: the first is the one not asked for longest.
    kept.delete(key);
    kept.set(key, entry);
    const [oldest] = kept.keys();
    if (kept.size > keep && oldest !== undefined) kept.delete(oldest);
    return entry.value;
  };
}
