/** What two pictures do not have in common, patch by patch. */
import type { PatchGrid } from "../../core/rpc/columns.ts";

/** How much each patch of a picture differs from the other picture: [rows * columns], from 0 to 1. */
export interface Difference {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** Shares of the patches of both pictures: up to the first nothing is lit, from the second on all of it. */
const darkShare = 0.6;
const litShare = 0.97;

/**
 * For each patch one less its cosine with the most similar patch of the other picture, wherever that lies, since two
 * photos are never taken from the same place. Stretched over both pictures alike, so that the stranger patches of the two
 * are lit whatever the model; pictures that are the same have nothing lit.
 */
export function differingPatches(first: PatchGrid, second: PatchGrid): readonly [Difference, Difference] {
  const raw = [strangeness(first, second), strangeness(second, first)] as const;
  const sorted = Float32Array.from([...raw[0], ...raw[1]]).sort();
  const low = sorted[Math.floor(darkShare * (sorted.length - 1))] ?? 0;
  const high = sorted[Math.ceil(litShare * (sorted.length - 1))] ?? 0;
  const least = 1e-4;
  const stretch = (values: Float32Array): Float32Array =>
    values.map((value) => (high - low < least ? 0 : Math.min(1, Math.max(0, (value - low) / (high - low)))));
  return [
    { rows: first.rows, columns: first.columns, values: stretch(raw[0]) },
    { rows: second.rows, columns: second.columns, values: stretch(raw[1]) },
  ];
}

/** [patches of `of`]: one less the best cosine with a patch of `against`. Features have length 1. */
function strangeness(of: PatchGrid, against: PatchGrid): Float32Array {
  const { depth } = of;
  if (depth !== against.depth) throw new RangeError(`Patches have ${depth} features here and ${against.depth} there.`);
  const others = against.rows * against.columns;
  return Float32Array.from({ length: of.rows * of.columns }, (_, patch) => {
    let best = -1;
    for (let other = 0; other < others; other++) {
      let cosine = 0;
      for (let at = 0; at < depth; at++) {
        cosine += (of.values[patch * depth + at] ?? 0) * (against.values[other * depth + at] ?? 0);
      }
      if (cosine > best) best = cosine;
    }
    return 1 - best;
  });
}
