/** What is printed on a pack face, and how it gets onto the picture as SVG. */
import type { Point, Surface } from "./geometry.ts";

/** Areas of one colour, or lines where `width` is given. Lengths in millimetres of the face. */
export interface Mark {
  readonly outlines: readonly (readonly Point[])[];
  /** An SVG paint: a colour, or what `gradient` returned. */
  readonly colour: string;
  /** Line width; an area where it is left out. */
  readonly width?: number;
  readonly opacity?: number;
}

/** The part of a face that marks may cover, in millimetres. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** An SVG picture being put together. */
export interface Drawing {
  readonly definitions: string[];
  readonly elements: string[];
}

/** A drawing with nothing on it. */
export function createDrawing(): Drawing {
  return { definitions: [], elements: [] };
}

/** A layer of `drawing` to be added later: it has its own elements and shares the definitions. */
export function layerOf(drawing: Drawing): Drawing {
  return { definitions: drawing.definitions, elements: [] };
}

/** Two decimals keep the text small, and the same where the last digit of a sine differs. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function opacityAttribute(opacity: number): string {
  return opacity < 1 ? ` opacity="${rounded(opacity)}"` : "";
}

function pathData(outline: readonly Point[], closed: boolean): string {
  const numbers = outline.map(([x, y]) => `${rounded(x)} ${rounded(y)}`);
  return `M${numbers.join("L")}${closed ? "Z" : ""}`;
}

/** Adds areas in picture coordinates. */
export function fill(drawing: Drawing, outlines: readonly (readonly Point[])[], paint: string, opacity = 1): void {
  const data = outlines.filter((outline) => outline.length > 2).map((outline) => pathData(outline, true));
  if (data.length === 0) return;
  drawing.elements.push(`<path d="${data.join("")}" fill="${paint}"${opacityAttribute(opacity)}/>`);
}

/** Adds lines in picture coordinates, `width` in pixels. */
export function stroke(
  drawing: Drawing,
  lines: readonly (readonly Point[])[],
  paint: string,
  width: number,
  opacity = 1,
): void {
  const data = lines.filter((line) => line.length > 1).map((line) => pathData(line, false));
  if (data.length === 0) return;
  drawing.elements.push(
    `<path d="${data.join("")}" fill="none" stroke="${paint}" stroke-width="${rounded(width)}"` +
      ` stroke-linecap="round" stroke-linejoin="round"${opacityAttribute(opacity)}/>`,
  );
}

/** A stop of a gradient: where, colour, opacity. */
export type Stop = readonly [offset: number, colour: string, opacity: number];

/** Defines a linear gradient between two points of the picture; returns the paint that names it. */
export function gradient(drawing: Drawing, from: Point, to: Point, stops: readonly Stop[]): string {
  const name = `g${drawing.definitions.length}`;
  const [x1, y1, x2, y2] = [...from, ...to].map(rounded);
  const inner = stops.map(([at, colour, opacity]) => {
    return `<stop offset="${at}" stop-color="${colour}" stop-opacity="${rounded(opacity)}"/>`;
  });
  drawing.definitions.push(
    `<linearGradient id="${name}" gradientUnits="userSpaceOnUse" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}">` +
      `${inner.join("")}</linearGradient>`,
  );
  return `url(#${name})`;
}

/** Adds a layer of the drawing as one group, blurred by `radius` pixels (standard deviation). */
export function addBlurred(drawing: Drawing, layer: Drawing, radius: number): void {
  const name = `b${drawing.definitions.length}`;
  // The picture has a margin that is cut off later, so the soft border of the group never shows.
  drawing.definitions.push(
    `<filter id="${name}" filterUnits="userSpaceOnUse" x="0" y="0" width="100%" height="100%"` +
      ` color-interpolation-filters="sRGB"><feGaussianBlur stdDeviation="${rounded(radius)}"/></filter>`,
  );
  drawing.elements.push(`<g filter="url(#${name})">${layer.elements.join("")}</g>`);
}

/** The part of a polygon inside a frame, by Sutherland and Hodgman's clipping. */
export function clipArea(outline: readonly Point[], frame: Frame): Point[] {
  const sides: readonly ((point: Point) => number)[] = [
    ([x]) => x - frame.left,
    ([x]) => frame.right - x,
    ([, y]) => y - frame.top,
    ([, y]) => frame.bottom - y,
  ];
  let kept = [...outline];
  for (const inside of sides) {
    kept = kept.flatMap((point, index) => {
      const previous = kept.at(index - 1) ?? point;
      const [before, now] = [inside(previous), inside(point)];
      const share = before / (before - now);
      const crossing: Point = [
        previous[0] + (point[0] - previous[0]) * share,
        previous[1] + (point[1] - previous[1]) * share,
      ];
      if (before < 0 !== now < 0) return now < 0 ? [crossing] : [crossing, point];
      return now < 0 ? [] : [point];
    });
  }
  return kept;
}

/** The runs of a line inside a frame, cut at its points. */
function clipLine(line: readonly Point[], frame: Frame): Point[][] {
  const runs: Point[][] = [[]];
  for (const point of line) {
    const [x, y] = point;
    if (x >= frame.left && x <= frame.right && y >= frame.top && y <= frame.bottom) runs.at(-1)?.push(point);
    else runs.push([]);
  }
  return runs;
}

/** Splits long edges, so that a straight line follows a curved face. */
function followed(line: readonly Point[], closed: boolean, step: number): Point[] {
  return line.flatMap((point, index) => {
    const next = line[index + 1] ?? (closed ? line[0] : undefined);
    if (next === undefined) return [point];
    const parts = Math.max(1, Math.ceil(Math.hypot(next[0] - point[0], next[1] - point[1]) / step));
    return Array.from({ length: parts }, (_, part): Point => {
      const share = part / parts;
      return [point[0] + (next[0] - point[0]) * share, point[1] + (next[1] - point[1]) * share];
    });
  });
}

/** How a face takes print. */
export interface Printing {
  readonly frame: Frame;
  /** Longest straight edge in millimetres; leave it out on a flat face. */
  readonly step?: number;
}

/** Prints marks on a face. Line widths shrink with the face's own scale at its middle. */
export function print(drawing: Drawing, marks: readonly Mark[], surface: Surface, printing: Printing): void {
  const { frame, step = Infinity } = printing;
  const [middleX, middleY] = [(frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2];
  const [origin, right, down] = [
    surface(middleX, middleY),
    surface(middleX + 1, middleY),
    surface(middleX, middleY + 1),
  ];
  const scaleAcross = Math.hypot(right[0] - origin[0], right[1] - origin[1]);
  const scaleDown = Math.hypot(down[0] - origin[0], down[1] - origin[1]);
  const toPicture = (line: readonly Point[]): Point[] => line.map(([u, v]) => surface(u, v));
  for (const { outlines, colour, width, opacity } of marks) {
    if (width === undefined) {
      const areas = outlines.map((outline) => clipArea(followed(outline, true, step), frame));
      fill(drawing, areas.map(toPicture), colour, opacity);
    } else {
      const lines = outlines.flatMap((outline) => clipLine(followed(outline, false, step), frame));
      stroke(drawing, lines.map(toPicture), colour, width * Math.sqrt(scaleAcross * scaleDown), opacity);
    }
  }
}

/** The drawing as an SVG document. */
export function toSvg(drawing: Drawing, width: number, height: number): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<defs>${drawing.definitions.join("")}</defs>${drawing.elements.join("\n")}</svg>`
  );
}
