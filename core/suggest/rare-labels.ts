/** How many images have a label themselves, and whether there are labels below it. */
export interface LabelCount {
  readonly labelId: number;
  readonly imageCount: number;
  readonly hasChildren: boolean;
}

/** A label with too few images. */
export interface RareLabel {
  readonly labelId: number;
  readonly imageCount: number;
  /** Images that it lacks. */
  readonly missing: number;
}

/**
 * Images that a label should have at least: half of the 20 voters of DINO's k-NN evaluation, so that a label can win a
 * vote at all against one that fills the rest.
 */
export const fewestImages = 10;

/**
 * Labels with fewer than `minimum` images, fewest first, then by id. A label that stands above others and has no image of
 * its own is a heading, and not listed.
 */
export function findRareLabels(counts: readonly LabelCount[], minimum: number = fewestImages): RareLabel[] {
  return counts
    .filter(({ imageCount, hasChildren }) => imageCount < minimum && !(hasChildren && imageCount === 0))
    .map(({ labelId, imageCount }) => ({ labelId, imageCount, missing: minimum - imageCount }))
    .sort((a, b) => a.imageCount - b.imageCount || a.labelId - b.labelId);
}
