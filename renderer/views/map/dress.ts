import { oklchToRgb } from "../../lib/map-colours.ts";
import { lookBits } from "../../lib/point-painter.ts";
import type { MapTheme } from "../../state/picture-map.svelte.ts";

/** How points are shown beside their colour. */
export interface Dress {
  readonly hidden: ReadonlySet<number>;
  /** The one slot that does not step back; null where none does. */
  readonly lit: number | null;
  /** Null where none is. */
  readonly isSelected: ((id: number) => boolean) | null;
  readonly isDimmed: ((id: number) => boolean) | null;
}

/** [points, 2]: what the painter wants to know of each point: its slot and the bits of its look. */
export function dressPoints(
  ids: Uint32Array,
  slots: Uint8Array,
  { hidden, lit, isSelected, isDimmed }: Dress,
): Uint8Array {
  const looks = new Uint8Array(2 * ids.length);
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at] ?? 0;
    const slot = slots[at] ?? 0;
    const bits =
      (hidden.has(slot) ? lookBits.hidden : 0) |
      (isSelected !== null && isSelected(id) ? lookBits.selected : 0) |
      ((lit !== null && slot !== lit) || (isDimmed !== null && isDimmed(id)) ? lookBits.dimmed : 0);
    looks[2 * at] = slot;
    looks[2 * at + 1] = bits;
  }
  return looks;
}

/** The page's colours as WebGL needs them, read off an element whose colour is the accent. */
export function themeOf(element: Element): MapTheme {
  const { color } = getComputedStyle(element);
  const [lightness = 0.53, chroma = 0.155, hue = 250] =
    /oklch\(([^)]*)\)/
      .exec(color)?.[1]
      ?.split(/[\s/]+/)
      .map(Number) ?? [];
  // The accent is light on a dark page.
  return { dark: lightness > 0.6, accent: oklchToRgb(lightness, chroma, hue) };
}
