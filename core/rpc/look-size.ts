import type { Model } from "./records.ts";

/** Patches on each side of the square that a model looks at where nothing else is asked: 448 pixels in patches of 16. */
const usualPatches = 28;

/**
 * Side, in pixels, of the square with as many pixels as a model looks at for masks and attention, unless asked otherwise.
 * Attention costs the square of the number of patches, and measured masks of smaller patches did not gain from more of
 * them, so that the number is fixed and not the pixels.
 */
export function lookSize({ architecture }: Pick<Model, "architecture">): number {
  return usualPatches * Number(architecture?.patch ?? 16);
}
