import { packHashes, visitHashPairs } from "./hash-pairs.ts";
import { createUnionFind } from "./union-find.ts";

/** What grouping needs to know of an image. */
export interface GroupedImage {
  readonly id: number;
  readonly contentHash: string | null;
  /** 64-bit difference hash, 16 hex digits; null where unknown. */
  readonly perceptualHash: string | null;
}

/** Bits of 64 by which the hashes of two pictures that show the same may differ. */
export const nearBits = 8;

/**
 * Groups of images that show the same, for splits that must not leak: image id -> group id, which is the smallest image id
 * of the group. Images with equal files, or with hashes within `radius` bits, belong together, and so do those of one of the
 * `known` groups (ids that a check found by other means) and those that a chain of such pairs joins. An image like no other
 * is a group of its own. Throws `hash-invalid`, `option-invalid`.
 */
export function groupNearDuplicates(
  images: readonly GroupedImage[],
  { radius = nearBits, known = [] }: { readonly radius?: number; readonly known?: readonly (readonly number[])[] } = {},
): ReadonlyMap<number, number> {
  const order = images.toSorted((a, b) => a.id - b.id);
  const union = createUnionFind(order.length);
  const firstByFile = new Map<string, number>();
  const firstByHash = new Map<string, number>();
  order.forEach(({ contentHash, perceptualHash }, i) => {
    joinEqual(firstByFile, contentHash, i);
    joinEqual(firstByHash, perceptualHash, i);
  });
  const places = new Map(order.map(({ id }, i) => [id, i]));
  for (const ids of known) {
    const [first, ...others] = ids.flatMap((id) => places.get(id) ?? []);
    if (first !== undefined) for (const other of others) union.join(first, other);
  }
  // Equal hashes are one entry by now: a crowd of them would make a pair each.
  const members = [...firstByHash.values()];
  visitHashPairs(packHashes([...firstByHash.keys()]), radius, (first, second) =>
    union.join(members[first] ?? 0, members[second] ?? 0),
  );
  return new Map(order.map(({ id }, i) => [id, order[union.find(i)]?.id ?? id]));

  function joinEqual(seen: Map<string, number>, key: string | null, i: number): void {
    if (key === null) return;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, i);
    else union.join(first, i);
  }
}
