/** What points are coloured by: a number for each point, folded into as many colours as the painter has. */

export type Rgb = readonly [number, number, number];

/**
 * Values with a colour of their own; what is rarer shares one. Far fewer can be told apart by eye alone, but neighbours on
 * the map seldom have near colours, and the legend and the card under the pointer name them.
 */
export const mostColours = 96;

/** Every so many colours lightness and chroma change, so that a hue that comes back is another colour. */
const tierLength = 20;
const tiers = {
  dark: [
    [0.74, 0.16],
    [0.62, 0.13],
    [0.86, 0.09],
    [0.68, 0.08],
    [0.8, 0.13],
  ],
  light: [
    [0.6, 0.16],
    [0.54, 0.12],
    [0.7, 0.11],
    [0.48, 0.1],
    [0.62, 0.07],
  ],
} as const;

/** A line of the legend. Places in `slots`: 0 is for points without a value, 1 for those that share a colour. */
export interface LegendRow {
  readonly slot: number;
  /** Values of this row: one, or all that share the colour. */
  readonly values: readonly number[];
  readonly count: number;
}

export interface Colouring {
  /** [points]: the row of each. */
  readonly slots: Uint8Array;
  /** Commonest first; then the others, then points without a value. */
  readonly rows: readonly LegendRow[];
}

const noValue = 0;
const others = 1;
const firstColour = 2;

/**
 * Gives the commonest values a colour each, and one to all others together; 0 stands for no value. A value keeps its
 * colour from one call to the next where `before` has it, so that labelling does not repaint the map.
 */
export function colouringOf(values: Uint32Array, before: ReadonlyMap<number, number> = new Map()): Colouring {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const missing = counts.get(0) ?? 0;
  counts.delete(0);
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const kept = ranked.length > mostColours ? ranked.slice(0, mostColours) : ranked;
  const rest = ranked.slice(kept.length);
  const slotOf = new Map<number, number>();
  const used = new Set<number>();
  for (const [value] of kept) {
    const slot = before.get(value);
    if (slot === undefined || slot < firstColour || used.has(slot)) continue;
    slotOf.set(value, slot);
    used.add(slot);
  }
  let next = firstColour;
  for (const [value] of kept) {
    if (slotOf.has(value)) continue;
    while (used.has(next)) next += 1;
    used.add(next);
    slotOf.set(value, next);
  }
  const rows: LegendRow[] = kept.map(([value, count]) => ({
    slot: slotOf.get(value) ?? others,
    values: [value],
    count,
  }));
  if (rest.length > 0) {
    rows.push({
      slot: others,
      values: rest.map(([value]) => value),
      count: rest.reduce((sum, [, count]) => sum + count, 0),
    });
  }
  if (missing > 0) rows.push({ slot: noValue, values: [0], count: missing });
  const slots = Uint8Array.from(values, (value) => (value === 0 ? noValue : (slotOf.get(value) ?? others)));
  return { slots, rows };
}

/** The rows of some of the points only, in the same order; `taken` is 1 for those. */
export function rowsAmong({ slots, rows }: Colouring, taken: Uint8Array): LegendRow[] {
  const counts = new Map<number, number>();
  slots.forEach((slot, at) => {
    if (taken[at] === 1) counts.set(slot, (counts.get(slot) ?? 0) + 1);
  });
  return rows.flatMap((row) => {
    const count = counts.get(row.slot) ?? 0;
    return count === 0 ? [] : [{ ...row, count }];
  });
}

/** The colour of each slot, red, green and blue from 0 to 1. Neighbours in the list are far apart in hue. */
export function slotColours(dark: boolean): Rgb[] {
  const grey = dark ? 0.42 : 0.79;
  const greys: Rgb[] = [oklchToRgb(grey, 0, 0), oklchToRgb(dark ? 0.62 : 0.62, 0.015, 255)];
  const colours = Array.from({ length: mostColours }, (_, at): Rgb => {
    // Steps of the golden angle; light and dark in turn tell apart the hues that end up near each other.
    const hue = (25 + at * 137.508) % 360;
    const [base, chroma] = tiers[dark ? "dark" : "light"][Math.floor(at / tierLength)] ?? [0.6, 0.1];
    const step = at < tierLength ? 1 : 0.6;
    const lightness = base + (at % 2 === 0 ? 0 : dark ? 0.1 : -0.13) * step + (at % 5 === 4 ? 0.05 : 0);
    return oklchToRgb(lightness, chroma, hue);
  });
  return [...greys, ...colours];
}

/** As CSS. */
export function cssOf([red, green, blue]: Rgb): string {
  return `rgb(${Math.round(red * 255)} ${Math.round(green * 255)} ${Math.round(blue * 255)})`;
}

/** OKLCH to sRGB, cut off at the edges of the gamut (Ottosson, "A perceptual color space for image processing", 2020). */
export function oklchToRgb(lightness: number, chroma: number, hueDegrees: number): Rgb {
  const hue = (hueDegrees * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(hue), chroma * Math.sin(hue)];
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const gamma = (value: number): number => {
    const cut = Math.min(1, Math.max(0, value));
    return cut <= 0.0031308 ? 12.92 * cut : 1.055 * cut ** (1 / 2.4) - 0.055;
  };
  return [
    gamma(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short),
    gamma(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short),
    gamma(-0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short),
  ];
}
