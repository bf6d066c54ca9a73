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

/** Keeps the last result of `compute` for as long as the parts it was made from stay as they are. One key at a time. */
export function remembered<Key, Value>(revisionOf: () => number, compute: (key: Key) => Value): (key: Key) => Value {
  let kept: { readonly key: Key; readonly revision: number; readonly value: Value } | undefined;
  return (key) => {
    const revision = revisionOf();
    if (kept?.key !== key || kept.revision !== revision) kept = { key, revision, value: compute(key) };
    return kept.value;
  };
}
