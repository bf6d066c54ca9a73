/**
 * A stroke alphabet of our own. SVG text would depend on the fonts of the machine, and a bare one has none.
 * Each stroke is a list of points, x then y, on a grid of 4 wide and 6 high; a stroke that starts with "~" is rounded.
 */
import { smoothed, type Point } from "./geometry.ts";
import type { Mark } from "./marks.ts";

const strokesOf: Readonly<Record<string, string>> = {
  A: "06 20 46|14 34",
  B: "06 00|~00 40 43 03|~03 43 46 06",
  C: "~41 40 00 06 46 45",
  D: "06 00|~00 40 46 06",
  E: "40 00 06 46|03 33",
  F: "40 00 06|03 33",
  G: "~41 40 00 06 46 43|43 23",
  H: "00 06|40 46|03 43",
  I: "00 06",
  J: "~30 36 06 04",
  K: "00 06|40 03 46",
  L: "00 06 36",
  M: "06 00 24 40 46",
  N: "06 00 46 40",
  O: "~20 40 46 06 00 20",
  P: "06 00|~00 40 43 03",
  Q: "~20 40 46 06 00 20|24 46",
  R: "06 00|~00 40 43 03|13 46",
  S: "~41 40 00 03 43 46 06 05",
  T: "00 40|20 26",
  U: "~00 06 46 40",
  V: "00 26 40",
  W: "00 16 22 36 40",
  X: "00 46|40 06",
  Y: "00 23 40|23 26",
  Z: "00 40 06 46",
  0: "~20 40 46 06 00 20",
  1: "01 10 16",
  2: "~01 00 40 43 06|06 46",
  3: "~00 40 43 13|~13 43 46 06",
  4: "36 30 04 44",
  5: "40 00 02|~02 42 46 06",
  6: "~40 00 06 46 43 03",
  7: "00 40 16",
  8: "~20 40 43 03 00 20|~23 43 46 06 03 23",
  9: "~43 03 00 40 46 06",
  "%": "06 40|~01 10 11 00 01|~36 45 46 35 36",
  "&": "~46 02 00 30 32 04 06 36 44",
  "-": "13 33",
  ".": "06 06",
};

const gridHeight = 6;
const gap = 1.7;
const spaceWidth = 2.2;

interface Glyph {
  readonly strokes: readonly (readonly Point[])[];
  readonly width: number;
}

function parseGlyph(source: string): Glyph {
  const strokes = source.split("|").map((stroke) => {
    const points = stroke
      .replace("~", "")
      .split(" ")
      .map((pair): Point => [Number(pair[0]), Number(pair[1])]);
    const [first, last] = [points[0], points.at(-1)];
    const closed = points.length > 2 && first?.[0] === last?.[0] && first?.[1] === last?.[1];
    if (!stroke.startsWith("~")) return points;
    if (!closed) return smoothed(points, false);
    const ring = smoothed(points.slice(0, -1), true);
    return [...ring, ...ring.slice(0, 1)];
  });
  return { strokes, width: Math.max(...strokes.flat().map(([x]) => x)) };
}

const glyphs = new Map(Object.entries(strokesOf).map(([letter, source]) => [letter, parseGlyph(source)]));

/** How a line of lettering is set. Lengths in millimetres of the face it is printed on. */
export interface Lettering {
  /** Centre of the line, or its left end where `align` says so. */
  readonly x: number;
  /** Top of the letters. */
  readonly y: number;
  readonly height: number;
  readonly colour: string;
  readonly align?: "centre" | "left";
  /** The letters get narrower where the line would be wider than this. */
  readonly maxWidth?: number;
  /** Stroke width as a share of the height. */
  readonly weight?: number;
  /** Horizontal shift of the tops as a share of the height. */
  readonly slant?: number;
  /** How far the middle rises above the ends. */
  readonly arch?: number;
}

/** The strokes of a line of capitals, digits and `% & - .`; other characters leave a space. */
export function letter(text: string, set: Lettering): Mark {
  const unit = set.height / gridHeight;
  const placed: { glyph: Glyph; left: number }[] = [];
  let end = 0;
  for (const character of text) {
    const glyph = glyphs.get(character);
    if (glyph !== undefined) placed.push({ glyph, left: end });
    end += (glyph?.width ?? spaceWidth) + gap;
  }
  const natural = Math.max(end - gap, 0.1) * unit;
  const across = unit * Math.min(1, (set.maxWidth ?? Infinity) / natural);
  const width = (natural / unit) * across;
  const left = set.align === "left" ? set.x : set.x - width / 2;
  const outlines = placed.flatMap(({ glyph, left: start }) =>
    glyph.strokes.map((stroke) =>
      stroke.map(([gridX, gridY]): Point => {
        const along = (start + gridX) * across;
        const share = width === 0 ? 0 : (2 * along) / width - 1;
        return [
          left + along + (set.slant ?? 0) * (gridHeight - gridY) * unit,
          set.y + gridY * unit - (set.arch ?? 0) * (1 - share * share),
        ];
      }),
    ),
  );
  return { outlines, colour: set.colour, width: set.height * (set.weight ?? 0.16) };
}
