/** Small draws that the scene is made of. */
import type { Random } from "../util/random.ts";
import { CoreError } from "../util/errors.ts";

/** One of the values, all equally likely. */
export function pick<T>(random: Random, values: readonly T[]): T {
  const index = random.integer(values.length);
  const value = values[index];
  if (value === undefined) throw new CoreError("internal", "Expected at least one value to pick from, got none.");
  return value;
}

/** True with the given probability. */
export function chance(random: Random, probability: number): boolean {
  return random.next() < probability;
}

/** A colour as `#rrggbb`: hue in degrees, saturation and lightness from 0 to 1 (HSL as CSS Color 4 defines it). */
export function colourOf(hue: number, saturation: number, lightness: number): string {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const channel = (offset: number): string => {
    const k = (offset + hue / 30) % 12;
    const value = lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
