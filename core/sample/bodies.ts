/** Boxes and turned bodies with print, shading and the outline that the mask is made of. */
import { convexHull, signedArea, type Point, type Projection, type Surface } from "./geometry.ts";
import { fill, gradient, print, type Drawing, type Frame, type Mark, type Stop } from "./marks.ts";

/** What differs from photo to photo on one and the same pack. */
export interface Look {
  /** Where the light comes from, -1 left to 1 right. */
  readonly light: number;
  /** Strength of highlights, 0 to 1. */
  readonly gloss: number;
  /** Phase of the creases of a bag, in radians. */
  readonly crease: number;
}

/** Polygons on the picture; a pixel belongs to the body when it lies in any of them. */
export type Silhouette = readonly (readonly Point[])[];

interface Size {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
}

/** A level of a turned body: height above the shelf and radius, in millimetres. */
export type Level = readonly [height: number, radius: number];

/** The frame of a whole face. */
export function faceFrame(width: number, height: number): Frame {
  return { left: 0, top: 0, right: width, bottom: height };
}

function quad(surface: Surface, width: number, height: number): Point[] {
  return [surface(0, 0), surface(width, 0), surface(width, height), surface(0, height)];
}

function between(a: Point, b: Point): Point {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

/** Darkens or lightens a flat face from left to right. */
function shadeFace(drawing: Drawing, outline: readonly Point[], stops: readonly Stop[]): void {
  const [a = [0, 0], b = [0, 0], c = [0, 0], d = [0, 0]] = outline;
  fill(drawing, [outline], gradient(drawing, between(a, d), between(b, c), stops));
}

/** A box that stands at the origin of `place`; `front` and `side` are print. */
export function drawBox(
  drawing: Drawing,
  size: Size,
  place: Projection,
  look: Look,
  art: { readonly front: readonly Mark[]; readonly side: readonly Mark[]; readonly top: string },
): Silhouette {
  const { width, height, depth } = size;
  const faces: readonly (readonly [Surface, number, number, readonly Mark[], number])[] = [
    [(u, v) => place([u - width / 2, -height, v - depth / 2]), width, depth, [], 0.04],
    [(u, v) => place([width / 2, v - height, depth / 2 - u]), depth, height, art.side, 0.26 - 0.2 * look.light],
    [(u, v) => place([-width / 2, v - height, u - depth / 2]), depth, height, art.side, 0.26 + 0.2 * look.light],
    [(u, v) => place([u - width / 2, v - height, depth / 2]), width, height, art.front, 0.05],
  ];
  for (const [surface, across, down, marks, shade] of faces) {
    const outline = quad(surface, across, down);
    if (signedArea(outline) <= 0) continue;
    fill(drawing, [outline], art.top);
    print(drawing, marks, surface, { frame: faceFrame(across, down) });
    const near = shade + 0.1 * Math.abs(look.light);
    shadeFace(drawing, outline, [
      [0, "#000", look.light < 0 ? shade : near],
      [0.5, "#fff", 0.1 * look.gloss],
      [1, "#000", look.light < 0 ? near : shade],
    ]);
  }
  const corners = [-1, 1].flatMap((x) =>
    [0, 1].flatMap((y) => [-1, 1].map((z) => place([(x * width) / 2, -y * height, (z * depth) / 2]))),
  );
  return [convexHull(corners)];
}

function circleAt(place: Projection, [height, radius]: Level, centreX: number): Point[] {
  return Array.from({ length: 36 }, (_, index) => {
    const angle = (index * Math.PI) / 18;
    return place([centreX + radius * Math.sin(angle), -height, radius * Math.cos(angle)]);
  });
}

/** The extent of a body at one level, left and right on the picture. */
export function sidesOf(outline: readonly Point[]): readonly [left: Point, right: Point] {
  const sorted = [...outline].sort((a, b) => a[0] - b[0]);
  return [sorted[0] ?? [0, 0], sorted.at(-1) ?? [0, 0]];
}

/** A turned body such as a jar, a lid or a bottle, from its lowest to its highest level. Convex only. */
export function drawTurned(
  drawing: Drawing,
  levels: readonly Level[],
  place: Projection,
  look: Look,
  colours: { readonly side: string; readonly top: string },
  centreX = 0,
): Silhouette {
  const hull = convexHull(levels.flatMap((level) => circleAt(place, level, centreX)));
  fill(drawing, [hull], colours.side);
  shadeTurned(drawing, hull, look, 1);
  const top = circleAt(place, levels.at(-1) ?? [0, 0], centreX).toReversed();
  if (signedArea(top) > 0) fill(drawing, [top], colours.top);
  return [hull];
}

/** The shading of a round body: dark flanks, a soft lit side, a narrow highlight. */
function shadeTurned(drawing: Drawing, hull: readonly Point[], look: Look, strength: number): void {
  const [left, right] = sidesOf(hull);
  const lit = 0.5 + 0.28 * look.light;
  const paint = gradient(
    drawing,
    [left[0], left[1]],
    [right[0], left[1]],
    [
      [0, "#000", 0.5 * strength],
      [Math.max(0.05, lit - 0.22), "#000", 0.06],
      [lit - 0.04, "#fff", (0.12 + 0.4 * look.gloss) * strength],
      [lit + 0.04, "#fff", (0.12 + 0.4 * look.gloss) * strength],
      [Math.min(0.95, lit + 0.22), "#000", 0.06],
      [1, "#000", 0.5 * strength],
    ],
  );
  fill(drawing, [hull], paint);
}

/** Prints on the side of a cylinder, where it looks at us; angle 0 is the front. */
export function printAround(
  drawing: Drawing,
  place: Projection,
  look: Look,
  band: { readonly radius: number; readonly top: number; readonly width: number; readonly height: number },
  marks: readonly Mark[],
): void {
  const { radius, top, width, height } = band;
  const surface: Surface = (u, v) => {
    const angle = (u - width / 2) / radius;
    return place([radius * Math.sin(angle), v - top, radius * Math.cos(angle)]);
  };
  // A part of the side looks at us where moving right along it moves right on the picture.
  const steps = Array.from({ length: 73 }, (_, index) => (index / 72) * Math.PI * 2 - Math.PI);
  const seen = steps.filter((angle) => {
    const u = width / 2 + angle * radius;
    return Math.abs(angle) < 2.2 && surface(u + 0.5, height / 2)[0] > surface(u - 0.5, height / 2)[0];
  });
  const [first, last] = [(seen[0] ?? 0) * radius + width / 2, (seen.at(-1) ?? 0) * radius + width / 2];
  const frame = { left: Math.max(0, first), top: 0, right: Math.min(width, last), bottom: height };
  print(drawing, marks, surface, { frame, step: 4 });
  const edge = Array.from({ length: 17 }, (_, index) => frame.left + ((frame.right - frame.left) * index) / 16);
  const outline = [...edge.map((u) => surface(u, 0)), ...edge.toReversed().map((u) => surface(u, height))];
  shadeTurned(drawing, outline, look, 0.55);
}
