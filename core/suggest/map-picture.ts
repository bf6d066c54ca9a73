/** The picture of a map as SVG: points in the colours of their groups, names in the midst of them, and a legend. */

export interface PicturePoint {
  readonly x: number;
  readonly y: number;
  /** Name of the point's group; null for none. */
  readonly group: string | null;
}

export interface PictureOptions {
  readonly title: string;
  readonly subtitle: string;
  /** What a point without a group is called: `no label`, `no cluster`. */
  readonly none: string;
}

const size = { width: 1400, height: 1000, margin: 40, top: 90, legend: 330 };

/** Groups with a colour of their own; more cannot be told apart, and the rest is one. */
const coloured = 36;

/** Groups that are named inside the map. */
const named = 24;

/** Pixels that a letter of such a name takes, on average. */
const letter = 8.2;

const noneColour = "#c3c7cc";
const otherColour = "#7d848c";

/** Colours for a few groups that people tell apart best, also with red-green blindness (after Okabe and Ito, 2008). */
const fewColours = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6bb1", "#b3a300"];

interface Group {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly PicturePoint[];
}

/** Draws a map. Group names are text only: what would be markup is escaped. */
export function mapPicture(points: readonly PicturePoint[], { title, subtitle, none }: PictureOptions): string {
  const groups = groupsOf(points, none);
  const place = placement(points);
  // Points may overlap by about half in a cloud that fills a quarter of the picture.
  const radius = Math.max(1.1, Math.min(7, 240 / Math.sqrt(points.length + 1)));
  const dots = groups.map(({ colour, points: list }) => {
    const path = list.map((point) => `M${place(point).map(short).join(" ")}h.01`).join("");
    const opacity = colour === noneColour || colour === otherColour ? 0.5 : 0.8;
    return `<path d="${path}" stroke="${colour}" stroke-opacity="${opacity}"/>`;
  });
  const inside = namesInside(groups, place).map(
    ({ name, x, y }) => `<text x="${short(x)}" y="${short(y)}">${escape(name)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="DejaVu Sans, Verdana, sans-serif">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="${size.margin}" y="46" font-size="24" font-weight="bold" fill="#1d2126">${escape(shorten(title, 70))}</text>`,
    `<text x="${size.margin}" y="72" font-size="15" fill="#5a6169">${escape(shorten(subtitle, 120))}</text>`,
    `<g fill="none" stroke-linecap="round" stroke-width="${short(2 * radius)}">`,
    ...dots,
    `</g>`,
    `<g font-size="13" font-weight="bold" text-anchor="middle" fill="#1d2126" stroke="#ffffff" stroke-width="3.5" stroke-linejoin="round" paint-order="stroke">`,
    ...inside,
    `</g>`,
    ...legend(groups),
    `</svg>`,
    ``,
  ].join("\n");
}

/** Groups in the order in which they are drawn and listed: the largest first, then the rest, then points without one. */
function groupsOf(points: readonly PicturePoint[], none: string): Group[] {
  const byName = Map.groupBy(points, ({ group }) => group);
  const without = byName.get(null) ?? [];
  byName.delete(null);
  const sorted = [...byName].sort(
    ([nameA, a], [nameB, b]) => b.length - a.length || String(nameA).localeCompare(String(nameB), "en"),
  );
  const shown = sorted.length <= coloured ? sorted : sorted.slice(0, coloured - 1);
  const rest = sorted.slice(shown.length);
  const colours = shown.length <= fewColours.length ? fewColours : manyColours(shown.length);
  return [
    ...(without.length > 0 ? [{ name: none, colour: noneColour, points: without }] : []),
    ...(rest.length > 0
      ? [{ name: `${rest.length} more`, colour: otherColour, points: rest.flatMap(([, list]) => list) }]
      : []),
    ...shown.map(([name, list], i) => ({ name: name ?? "", colour: colours[i] ?? otherColour, points: list })),
  ];
}

/** Hues at the golden angle, so that groups that follow each other differ most, in three strengths. */
function manyColours(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const hue = (i * 137.508) % 360;
    const lightness = [0.42, 0.56, 0.34][i % 3] ?? 0.5;
    const strength = [0.75, 0.65, 0.6][i % 3] ?? 0.6;
    return hex(hue, strength, lightness);
  });
}

/** A colour from hue in degrees, saturation and lightness (CSS Color 4, section 7.1). */
function hex(hue: number, saturation: number, lightness: number): string {
  const channel = (n: number): string => {
    const k = (n + hue / 30) % 12;
    const value = lightness - saturation * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}

/** Map units to pixels: one scale for both axes, the map in the middle of its part of the picture. */
function placement(points: readonly PicturePoint[]): (point: { x: number; y: number }) => [number, number] {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y } of points) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    bottom = Math.min(bottom, y);
    top = Math.max(top, y);
  }
  const width = size.width - size.legend - 2 * size.margin;
  const height = size.height - size.top - size.margin;
  const scale = Math.min(width / Math.max(right - left, 1e-6), height / Math.max(top - bottom, 1e-6));
  const x0 = size.margin + (width - scale * (right - left)) / 2;
  const y0 = size.top + (height - scale * (top - bottom)) / 2;
  return ({ x, y }) => [x0 + scale * (x - left), y0 + scale * (top - y)];
}

/** Names of the largest groups where their points are; a name that would cover another is left to the legend. */
function namesInside(
  groups: readonly Group[],
  place: (point: PicturePoint) => [number, number],
): { readonly name: string; readonly x: number; readonly y: number }[] {
  const names: { name: string; x: number; y: number }[] = [];
  for (const { name, colour, points } of groups) {
    if (names.length === named || colour === noneColour || colour === otherColour) continue;
    const [x, y] = place(middle(points));
    const text = shorten(name, 22);
    const covers = names.some(
      (other) => Math.abs(other.y - y) < 17 && Math.abs(other.x - x) < (letter / 2) * (text.length + other.name.length),
    );
    if (!covers) names.push({ name: text, x, y });
  }
  return names;
}

/** The member nearest to the medians of a group, so that its name stands on it also where it lies in two parts. */
function middle(points: readonly PicturePoint[]): PicturePoint {
  const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const x = median(points.map((point) => point.x));
  const y = median(points.map((point) => point.y));
  const away = (point: PicturePoint): number => (point.x - x) ** 2 + (point.y - y) ** 2;
  return points.reduce((best, point) => (away(point) < away(best) ? point : best), points[0] ?? { x, y, group: null });
}

function legend(groups: readonly Group[]): string[] {
  const x = size.width - size.legend + 10;
  // The list begins with the largest group, and ends with what has no name of its own.
  const unnamed = groups.filter(({ colour }) => colour === noneColour || colour === otherColour);
  const listed = [...groups.filter((group) => !unnamed.includes(group)), ...unnamed.toReversed()];
  const step = Math.min(26, (size.height - size.top - size.margin) / Math.max(1, listed.length));
  return listed.flatMap(({ name, colour, points }, i) => {
    const y = short(size.top + 12 + i * step);
    return [
      `<circle cx="${x}" cy="${y}" r="7" fill="${colour}"/>`,
      `<text x="${x + 16}" y="${y}" dy="5" font-size="14" fill="#1d2126">${escape(shorten(name, 26))}<tspan fill="#5a6169" dx="7">${points.length.toLocaleString("en")}</tspan></text>`,
    ];
  });
}

function short(value: number): number {
  return Math.round(value * 10) / 10;
}

function shorten(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
}

/** Text inside markup. Control characters are not allowed in XML at all. */
function escape(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\uFFFE\uFFFF]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
