/** The pictures of what is inside a pack, drawn in a square from -1 to 1 and set anywhere on a face. */
import type { Flavour } from "./catalogue.ts";
import { ellipse, points, smoothed, type Point } from "./geometry.ts";
import type { Mark } from "./marks.ts";

const green = "#5c7a3a";
const brown = "#6a4327";

function area(colour: string, ...outlines: readonly Point[][]): Mark {
  return { outlines, colour };
}

function lines(colour: string, width: number, ...outlines: readonly Point[][]): Mark {
  return { outlines, colour, width };
}

/** A pointed leaf, grain or nut from its foot, `angle` clockwise from straight up. */
function leaf(x: number, y: number, length: number, width: number, angle: number): Point[] {
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const along = [0, 0.2, 0.45, 0.75, 1];
  const half = [0, 0.4, 0.5, 0.32, 0].map((share) => share * width);
  const right = along.map((t, i): Point => [t * length, half[i] ?? 0]);
  const left = right.slice(1, -1).map(([t, w]): Point => [t, -w]);
  return [...right, ...left.toReversed()].map(([t, w]): Point => [x + t * sin + w * cos, y - t * cos + w * sin]);
}

/** A rounded line through or near the points. */
function curve(text: string): Point[] {
  return smoothed(points(text), false);
}

/** A rounded area. */
function blob(text: string): Point[] {
  return smoothed(points(text), true);
}

const vanillaFlower = [0, 1, 2, 3, 4].flatMap((petal) => {
  const outline = leaf(-0.15, -0.2, 0.78, 0.5, petal * 1.257 + 0.3);
  return [area("#fdf6e0", outline), lines("#cfa94f", 0.05, [...outline, ...outline.slice(0, 1)])];
});

const artwork: Readonly<Record<Flavour, readonly Mark[]>> = {
  oat: [-0.45, 0.1, 0.6].flatMap((x, stalk) => {
    const lean = (stalk - 1) * 0.25;
    const grains = [0, 1, 2, 3].flatMap((row) => {
      const y = 0.25 - row * 0.27;
      const foot = x + lean * (0.9 - y) * 0.5;
      return [leaf(foot, y, 0.36, 0.17, lean + 0.65), leaf(foot, y, 0.36, 0.17, lean - 0.65)];
    });
    const stem: Point[] = [
      [x, 0.95],
      [x + lean * 0.9, -0.8],
    ];
    return [lines("#a08042", 0.05, stem), area("#c9a455", ...grains)];
  }),
  vanilla: [
    lines(brown, 0.11, curve("-0.9,0.9 -0.3,0.2 0.5,0.6 0.9,-0.5"), curve("-0.6,0.95 0.1,0.5 0.9,0.8")),
    ...vanillaFlower,
    area("#d9a93c", ellipse(-0.15, -0.2, 0.2, 0.2)),
  ],
  coffee: [
    area("#f7f1e4", points("-0.85,-0.3 0.55,-0.3 0.35,0.75 -0.65,0.75"), ellipse(-0.15, 0.82, 0.85, 0.12)),
    lines("#f7f1e4", 0.13, curve("0.5,-0.1 0.95,-0.15 0.85,0.4 0.42,0.35")),
    area("#8a6342", ellipse(-0.15, -0.32, 0.68, 0.2)),
    area("#ecd9b4", ellipse(-0.15, -0.3, 0.34, 0.1)),
    lines("#c7b391", 0.07, curve("-0.35,-0.55 -0.2,-0.7 -0.4,-0.8 -0.25,-0.98")),
    lines("#c7b391", 0.07, curve("0.05,-0.55 0.2,-0.7 0,-0.8 0.15,-0.98")),
  ],
  honey: [
    lines("#8a5a2b", 0.12, points("0.95,-0.95 0.2,-0.2")),
    area("#d8902a", ellipse(-0.05, 0.08, 0.34, 0.48, Math.PI / 4)),
    lines(
      "#8a5a2b",
      0.06,
      points("-0.42,0.02 0.02,0.45"),
      points("-0.26,-0.16 0.2,0.28"),
      points("-0.06,-0.3 0.32,0.08"),
    ),
    area("#e0a32e", blob("-0.45,0.3 -0.25,0.75 -0.45,0.98 -0.65,0.75")),
    ...points("-0.6,-0.55 -0.1,-0.78 -0.6,-0.05").map(([x, y]) => {
      const cell = ellipse(x, y, 0.24, 0.24, Math.PI / 6, 6);
      return lines("#c9862a", 0.07, [...cell, ...cell.slice(0, 2)]);
    }),
  ],
  cocoa: [
    ...[-0.62, -0.08, 0.46].flatMap((x, column) =>
      [-0.6, -0.06].map((y) => {
        const [left, top] = [x + y * 0.2, y + column * 0.12];
        const square: Point[] = [
          [left, top],
          [left + 0.48, top + 0.1],
          [left + 0.4, top + 0.56],
          [left - 0.08, top + 0.46],
        ];
        return area((column + Math.round(y)) % 2 === 0 ? "#6b3d22" : "#7d4a2b", square);
      }),
    ),
    area("#a9713f", leaf(-0.9, 0.95, 0.9, 0.42, 1.2)),
    area("#8f5a2e", leaf(0.1, 0.98, 0.85, 0.4, 1.4)),
    lines("#5a3218", 0.05, points("-0.75,0.9 -0.2,0.7"), points("0.2,0.95 0.8,0.85")),
  ],
  almond: [
    area("#a9713f", leaf(-0.75, 0.55, 1.15, 0.62, 0.35), leaf(0.05, 0.95, 1.05, 0.6, 1.15)),
    area("#8f5a2e", leaf(0.1, 0.15, 1.1, 0.58, 0.1)),
    lines("#6b3d22", 0.04, points("-0.65,0.3 -0.42,-0.3"), points("0.16,-0.05 0.2,-0.7"), points("0.25,0.83 0.8,0.6")),
    area("#f6e7df", ...ellipse(-0.6, -0.62, 0.26, 0.26, 0.3, 5).map(([x, y]) => ellipse(x, y, 0.17, 0.17))),
    area("#d0713f", ellipse(-0.6, -0.62, 0.12, 0.12)),
  ],
  strawberry: [
    area("#c22f38", blob("-0.85,-0.35 -0.4,-0.7 0.4,-0.7 0.85,-0.35 0.55,0.4 0,1.05 -0.55,0.4")),
    area(green, ...[-1.3, -0.65, 0, 0.65, 1.3].map((angle) => leaf(0, -0.62, 0.55, 0.3, angle))),
    area(
      "#eccf8a",
      ...points("-0.4,-0.2 0,-0.3 0.4,-0.2 -0.22,0.1 0.2,0.1 0,0.42").map(([x, y]) => leaf(x, y, 0.15, 0.09, 0)),
    ),
  ],
  raspberry: [
    ...[4, 5, 4, 3, 1].flatMap((count, row) =>
      Array.from({ length: count }, (_, index) =>
        area(
          (index + row) % 2 === 0 ? "#b82c55" : "#cc4469",
          ellipse((index - (count - 1) / 2) * 0.33, row * 0.31 - 0.38, 0.22, 0.2, 0, 12),
        ),
      ),
    ),
    area(green, ...[-1.25, -0.6, 0, 0.6, 1.25].map((angle) => leaf(0, -0.5, 0.5, 0.26, angle))),
  ],
  cherry: [
    lines(green, 0.07, curve("-0.42,0.2 -0.3,-0.4 0.15,-0.9"), curve("0.45,0.35 0.5,-0.3 0.15,-0.9")),
    area("#8e1c34", ellipse(-0.42, 0.42, 0.46, 0.44)),
    area("#a3243c", ellipse(0.48, 0.55, 0.44, 0.42)),
    area("#e8b7bb", ellipse(-0.56, 0.28, 0.1, 0.07, -0.6, 10), ellipse(0.36, 0.4, 0.1, 0.07, -0.6, 10)),
    area(green, leaf(0.15, -0.85, 0.75, 0.4, 1.9)),
  ],
  salt: [
    lines(
      "#7fa9c2",
      0.1,
      ...[0.55, 0.8].map((y) =>
        smoothed(
          [-1, -0.6, -0.2, 0.2, 0.6, 1].map((x, index): Point => [x, y + (index % 2) * 0.16]),
          false,
        ),
      ),
    ),
    ...[
      [-0.45, 0.05, 0.36],
      [0.3, 0.1, 0.32],
      [-0.1, -0.5, 0.4],
      [0.6, -0.55, 0.22],
      [-0.75, -0.6, 0.18],
    ].flatMap(([x = 0, y = 0, size = 0]) => {
      const corners = ellipse(x, y, size, size, 0.4 + x, 6);
      const [a = [0, 0], b = [0, 0], c = [0, 0]] = [corners[0], corners[2], corners[4]];
      return [area("#f4f7f8", corners), lines("#a9bcc6", 0.04, [[x, y], a], [[x, y], b], [[x, y], c])];
    }),
  ],
  paprika: [
    area("#b8402f", blob("-0.75,-0.25 -0.3,-0.6 0.1,-0.42 0.55,-0.55 0.85,-0.1 0.6,0.6 0.2,0.98 -0.25,0.85 -0.6,0.5")),
    area("#cf5f45", blob("-0.5,-0.2 -0.25,-0.35 -0.2,0.3 -0.35,0.4")),
    lines("#8a2c22", 0.06, curve("0.1,-0.4 0.25,0.1 0.15,0.7")),
    lines(green, 0.16, curve("0.1,-0.42 0.1,-0.75 0.35,-0.95")),
    area(green, ellipse(0.1, -0.46, 0.3, 0.11)),
  ],
  chive: [
    ...[-0.5, -0.3, -0.1, 0.1, 0.3, 0.5].map((lean, index) =>
      lines(
        index % 2 === 0 ? "#4f7a36" : "#6c9748",
        0.1,
        smoothed(
          [
            [lean * 0.4, 0.9],
            [lean * 0.5, 0.1],
            [lean * 1.7, -0.95],
          ],
          false,
        ),
      ),
    ),
    lines("#e9dfc0", 0.14, points("-0.3,0.35 0.3,0.35")),
    area("#f3efe2", blob("0.1,0.5 0.95,0.5 0.85,1 0.25,1")),
    area("#a58fb5", ellipse(-0.85, -0.75, 0.17, 0.15, 0, 10), ellipse(0.82, -0.8, 0.17, 0.15, 0, 10)),
  ],
};

/** The picture of a flavour with its middle at (x, y), reaching `size` millimetres to each side. */
export function flavourMarks(flavour: Flavour, x: number, y: number, size: number): Mark[] {
  return artwork[flavour].map(({ outlines, colour, width }) => ({
    outlines: outlines.map((outline) => outline.map(([u, v]): Point => [x + u * size, y + v * size])),
    colour,
    ...(width === undefined ? {} : { width: width * size }),
  }));
}
