import { CoreError } from "../util/errors.ts";
import { createRandom } from "../util/random.ts";
import { splitParts, type SplitPart } from "./records.ts";

/** An image to put into a part. */
export interface SplitImage {
  readonly id: number;
  /** What the split is stratified by; null counts as a label of its own. */
  readonly labelId: number | null;
  /** Images of one group show the same and stay together. */
  readonly groupId: number;
}

export interface SplitOptions {
  /** Shares of train, val and test: any positive numbers or 0, in proportion. */
  readonly shares: readonly number[];
  readonly seed: number;
}

/** Sums of shares differ in their last digits by the order of adding up; equals must stay equal. */
const tiny = 1e-6;

/** What a group holds: image ids, and how many of each label. */
interface Group {
  readonly ids: number[];
  readonly counts: Map<number | null, number>;
}

/**
 * Puts images into train, val and test: image id -> part. Groups never straddle. Each label is spread by the shares as
 * closely as groups allow: the largest groups go first, each to the part that lacks most of its labels (after iterative
 * stratification: Sechidis, Tsoumakas and Vlahavas 2011, section 3). What is less than an image of a label goes where the
 * whole lacks most, so that many rare labels do not all end up in one part. Without groups no label is off by an image or
 * more. The seed decides among equals; the same seed gives the same split. Throws `option-invalid`.
 */
export function splitImages(
  images: readonly SplitImage[],
  { shares, seed }: SplitOptions,
): ReadonlyMap<number, SplitPart> {
  const total = shares.reduce((sum, share) => sum + share, 0);
  const valid = shares.length === 3 && shares.every((share) => Number.isFinite(share) && share >= 0) && total > 0;
  if (!valid) {
    throw new CoreError(
      "option-invalid",
      `A split needs three shares from 0 up, such as 80,10,10; found ${shares.join()}.`,
    );
  }
  const random = createRandom(seed);
  const groups = random.shuffled(groupsOf(images)).sort((a, b) => b.ids.length - a.ids.length);
  const lacking = new Map<number | null, number[]>();
  for (const { labelId } of images) {
    const wanted = lacking.get(labelId) ?? [0, 0, 0];
    lacking.set(
      labelId,
      wanted.map((count, part) => count + (shares[part] ?? 0) / total),
    );
  }
  const overall = splitParts.map((_, part) => (images.length * (shares[part] ?? 0)) / total);
  const parts = new Map<number, SplitPart>();
  for (const { ids, counts } of groups) {
    const open = [0, 1, 2].filter((part) => (shares[part] ?? 0) > 0);
    /** Images of the group that a part lacks for sure, and those that it lacks in part. */
    const lack = (part: number): { whole: number; some: boolean } => {
      const needs = [...counts].map(([labelId, count]) => ({ count, lacks: lacking.get(labelId)?.[part] ?? 0 }));
      return {
        whole: needs.reduce((sum, { count, lacks }) => sum + Math.min(count, Math.max(0, Math.floor(lacks + tiny))), 0),
        some: needs.some(({ lacks }) => lacks > tiny),
      };
    };
    const [best] = random
      .shuffled(open)
      .map((part) => ({ part, ...lack(part), overall: Math.round((overall[part] ?? 0) / tiny) }))
      .sort((a, b) => b.whole - a.whole || Number(b.some) - Number(a.some) || b.overall - a.overall);
    const part = best?.part ?? 0;
    for (const id of ids) parts.set(id, splitParts[part] ?? "train");
    overall[part] = (overall[part] ?? 0) - ids.length;
    for (const [labelId, count] of counts) {
      const row = lacking.get(labelId);
      if (row !== undefined) row[part] = (row[part] ?? 0) - count;
    }
  }
  return parts;
}

/** Groups in the order of their first image, so that the order of `images` does not matter. */
function groupsOf(images: readonly SplitImage[]): Group[] {
  const groups = new Map<number, Group>();
  for (const { id, labelId, groupId } of images.toSorted((a, b) => a.id - b.id)) {
    const group = groups.get(groupId) ?? { ids: [], counts: new Map<number | null, number>() };
    group.ids.push(id);
    group.counts.set(labelId, (group.counts.get(labelId) ?? 0) + 1);
    groups.set(groupId, group);
  }
  return [...groups.values()];
}
