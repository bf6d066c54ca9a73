/** What is printed on the front and the sides of each shape of pack, in millimetres from the left upper corner. */
import { flavourMarks } from "./artwork.ts";
import type { Family, Shape, Sku } from "./catalogue.ts";
import { ellipse, points, rectangle, smoothed, type Point } from "./geometry.ts";
import { letter } from "./lettering.ts";
import type { Mark } from "./marks.ts";

/** Size of the printed face: the front of the pack, but for the jar its paper label. */
export function faceSize({ shape, width, height }: Family): { readonly width: number; readonly height: number } {
  return shape === "jar" ? { width: 92, height: 56 } : { width, height };
}

/** Text too small to read, as rows of short lines; words differ in length from row to row. */
function finePrint(x: number, y: number, width: number, rows: number, spacing: number, colour: string): Mark {
  const outlines: Point[][] = [];
  for (let row = 0; row < rows; row++) {
    const level = y + row * spacing;
    let start = x;
    for (let word = 0; start < x + width * 0.92; word++) {
      const length = spacing * (1.1 + ((row * 5 + word * 7) % 6) * 0.5);
      const end = Math.min(start + length, x + width);
      outlines.push([
        [start, level],
        [end, level],
      ]);
      start = end + spacing * 0.6;
    }
  }
  return { outlines, colour, width: spacing * 0.32, opacity: 0.75 };
}

/** A band across the face whose edges wave. */
function wavyBand(width: number, top: number, bottom: number, rise: number): Point[] {
  const edge = (y: number): Point[] =>
    smoothed(
      [0, 0.25, 0.5, 0.75, 1].map((share, index): Point => [width * share, y + (index % 2 === 0 ? 0 : rise)]),
      false,
    );
  return [...edge(top), ...edge(bottom).toReversed()];
}

function cartonFace({ family: { brand, width, height }, words, claim, flavour, band }: Sku): Mark[] {
  const ink = "#2f4858";
  const middle = width / 2;
  return [
    { outlines: [rectangle(0, 0, width, height)], colour: "#dcd5c3" },
    { outlines: [wavyBand(width, -20, 62, 7)], colour: ink },
    letter(brand, { x: middle, y: 22, height: 19, maxWidth: 60, colour: "#f4efe2", weight: 0.2, arch: 3 }),
    letter("OAT DRINK", { x: middle, y: 48, height: 6, colour: "#d8cfae", weight: 0.15 }),
    { outlines: [ellipse(middle, 100, 31, 31, 0, 36)], colour: "#b3c2c0" },
    ...flavourMarks(flavour, middle, 100, 24),
    { outlines: [wavyBand(width, 138, 160, 4)], colour: band },
    letter(words, { x: middle, y: 146, height: 10, maxWidth: 62, colour: "#fbf7ec", weight: 0.19 }),
    letter(claim, { x: middle, y: 167, height: 4.5, maxWidth: 60, colour: ink }),
    finePrint(8, 178, 34, 3, 3.6, ink),
    letter("1 L", { x: 62, y: 178, height: 8, colour: ink, weight: 0.18 }),
  ];
}

/** Flakes in the bowl: the same on every pack of the range. */
const flakes = [
  [-38, -6, 0.4],
  [-22, -11, -0.5],
  [-6, -8, 0.2],
  [10, -12, 0.7],
  [26, -8, -0.3],
  [40, -4, 0.5],
  [-30, 2, -0.2],
  [-12, 3, 0.6],
  [6, 1, -0.6],
  [22, 4, 0.3],
  [34, 3, -0.1],
  [-2, 9, 0.1],
] as const;

function boxFace({ family: { brand, width, height }, words, claim, flavour, band }: Sku): Mark[] {
  const red = "#a33327";
  const [bowlX, bowlY] = [88, 196];
  const ribbon: Point[] = [
    [-5, 44],
    [width + 5, 22],
    [width + 5, 74],
    [-5, 96],
  ];
  return [
    { outlines: [rectangle(0, 0, width, height)], colour: "#dcae4a" },
    { outlines: [ellipse(bowlX, bowlY + 14, 118, 104, 0, 40)], colour: "#e8c672" },
    { outlines: [ribbon], colour: red },
    ...[0.34, 0.2].map((weight, over) =>
      letter(brand, {
        x: width / 2 - 3,
        y: 44,
        height: 32,
        maxWidth: 150,
        slant: 0.12,
        arch: 5,
        colour: over === 0 ? "#57201a" : "#faf3e0",
        weight,
      }),
    ),
    letter("CRUNCHY FLAKES", { x: 14, y: 16, height: 7, align: "left", colour: "#6a3a1c" }),
    {
      outlines: [points("0,110 106,100 115,113 106,127 0,137")],
      colour: band,
    },
    letter(words, { x: 51, y: 111, height: 15, maxWidth: 84, colour: "#fff7e3", weight: 0.2 }),
    ...flavourMarks(flavour, 147, 128, 32),
    { outlines: [ellipse(bowlX, bowlY, 62, 20, 0, 36)], colour: "#dfe5e8" },
    { outlines: [ellipse(bowlX, bowlY, 56, 16, 0, 36)], colour: "#fbf6ea" },
    ...flakes.map(([x, y, angle], index) => ({
      outlines: [ellipse(bowlX + x, bowlY + y, 10, 6, angle, 9)],
      colour: index % 3 === 0 ? "#a86a26" : index % 3 === 1 ? "#bd7f33" : "#cb9344",
    })),
    {
      outlines: [smoothed(points("26,196 40,244 64,252 112,252 136,244 150,196 130,212 88,219 46,212"), true)],
      colour: "#cfd8de",
    },
    { outlines: [ellipse(164, 246, 18, 18, 0, 30)], colour: "#54703a" },
    letter("WHOLE", { x: 164, y: 238, height: 6, colour: "#f5f0dc" }),
    letter("GRAIN", { x: 164, y: 248, height: 6, colour: "#f5f0dc" }),
    letter(claim, { x: 150, y: 168, height: 5, maxWidth: 62, colour: "#6a3a1c" }),
    letter("375 G", { x: 12, y: 254, height: 7, align: "left", colour: "#6a3a1c" }),
  ];
}

function jarFace({ family: { brand }, words, claim, flavour, band }: Sku): Mark[] {
  const { width, height } = { width: 92, height: 56 };
  const middle = width / 2;
  const ink = "#4a3a30";
  return [
    { outlines: [rectangle(0, 0, width, height)], colour: "#efe6d0" },
    { outlines: [rectangle(0, 0, width, 2.2), rectangle(0, height - 2.2, width, 2.2)], colour: band },
    letter(brand, {
      x: middle,
      y: 7,
      height: 7.5,
      maxWidth: 46,
      colour: "#35513a",
      weight: 0.17,
      slant: 0.2,
      arch: 1.5,
    }),
    {
      outlines: [points("18,17.5 40,17.5"), points("52,17.5 74,17.5")],
      colour: "#35513a",
      width: 0.6,
    },
    ...flavourMarks(flavour, middle, 27.2, 12),
    finePrint(8, 22, 19, 8, 3.2, ink),
    finePrint(66, 22, 19, 8, 3.2, ink),
    { outlines: [rectangle(0, 40, width, 9.5)], colour: band },
    letter(words, { x: middle, y: 42, height: 5.6, maxWidth: 46, colour: "#fbf3e4", weight: 0.18 }),
    letter(claim, { x: middle, y: 50.5, height: 2.6, colour: ink }),
  ];
}

function bagFace({ family: { brand, width, height }, words, claim, flavour, band }: Sku): Mark[] {
  const middle = width / 2;
  const rays = Array.from({ length: 14 }, (_, index): Point[] => {
    const at = (turn: number): Point => [middle + 200 * Math.cos(turn), 84 + 200 * Math.sin(turn)];
    return [[middle, 84], at((index * Math.PI) / 7), at(((index + 0.5) * Math.PI) / 7)];
  });
  const crisps = [
    [34, 192, 0.3],
    [56, 178, -0.4],
    [70, 198, 0.1],
    [46, 204, -0.2],
    [88, 186, 0.5],
  ] as const;
  return [
    { outlines: [rectangle(0, 0, width, height)], colour: "#6f8a80" },
    { outlines: rays, colour: "#82998c" },
    { outlines: [ellipse(middle, 70, 66, 33, -0.1, 36)], colour: "#f1ead8" },
    ...[0.34, 0.22].map((weight, over) =>
      letter(brand, {
        x: middle - 4,
        y: 56,
        height: 29,
        maxWidth: 100,
        slant: 0.16,
        colour: over === 0 ? "#3a2c26" : "#c9552e",
        weight,
      }),
    ),
    letter("CRISPS", { x: middle, y: 93, height: 6, colour: "#3a2c26" }),
    {
      outlines: [points("6,123 152,112 152,136 6,147")],
      colour: band,
    },
    letter(words, { x: middle, y: 122.5, height: 14, maxWidth: 104, colour: "#fdf8ea", weight: 0.2 }),
    letter(claim, { x: middle, y: 150, height: 5, colour: "#f4eedb" }),
    ...crisps.flatMap(([x, y, angle]) => [
      { outlines: [ellipse(x, y, 19, 13, angle, 18)], colour: "#b98a35" },
      { outlines: [ellipse(x - 1, y - 1, 16, 10, angle, 18)], colour: "#dcb45c" },
    ]),
    ...flavourMarks(flavour, 120, 183, 28),
    { outlines: [rectangle(0, 0, width, 11), rectangle(0, height - 11, width, 11)], colour: band },
  ];
}

/** The front of each shape; a shape without a face does not compile. */
const faces: Readonly<Record<Shape, (sku: Sku) => Mark[]>> = {
  carton: cartonFace,
  box: boxFace,
  jar: jarFace,
  bag: bagFace,
};

/** The printed face of a product. */
export function faceMarks(sku: Sku): Mark[] {
  return faces[sku.family.shape](sku);
}

/** The narrow side of a carton or a box: brand, a strip in the band's colour, a table and fine print. */
export function sideMarks({ family: { shape, brand, depth, height }, band }: Sku): Mark[] {
  const [paper, ink] = shape === "box" ? ["#dcae4a", "#6a3a1c"] : ["#dcd5c3", "#2f4858"];
  const margin = depth * 0.14;
  const inner = depth - 2 * margin;
  const top = shape === "box" ? { outlines: [rectangle(0, 22, depth, 52)], colour: "#a33327" } : undefined;
  return [
    { outlines: [rectangle(0, 0, depth, height)], colour: paper },
    top ?? { outlines: [wavyBand(depth, -20, 62, 7)], colour: ink },
    letter(brand, { x: depth / 2, y: 40, height: depth * 0.16, maxWidth: inner, colour: "#f4efe2" }),
    { outlines: [rectangle(0, height * 0.34, depth, height * 0.04)], colour: band },
    finePrint(margin, height * 0.42, inner, 6, 4, ink),
    { outlines: [rectangle(margin, height * 0.56, inner, height * 0.2)], colour: "#f7f4ea" },
    finePrint(margin + 2, height * 0.58, inner - 4, 8, height * 0.024, "#555555"),
    finePrint(margin, height * 0.82, inner, 5, 4, ink),
  ];
}
