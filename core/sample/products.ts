/** The packs of the catalogue as bodies with their print. */
import {
  drawBox,
  drawTurned,
  faceFrame,
  printAround,
  sidesOf,
  type Level,
  type Look,
  type Silhouette,
} from "./bodies.ts";
import type { Sku } from "./catalogue.ts";
import { faceMarks, faceSize, sideMarks } from "./faces.ts";
import type { Point, Projection, Surface } from "./geometry.ts";
import { fill, gradient, print, type Drawing } from "./marks.ts";

function drawJar(drawing: Drawing, sku: Sku, place: Projection, look: Look): Silhouette {
  // One red for the whole family: the label has to tell them apart.
  const jam = "#731d27";
  const glass: readonly Level[] = [
    [0, 32],
    [4, 35.5],
    [72, 35.5],
    [84, 30],
  ];
  const body = drawTurned(drawing, glass, place, look, { side: jam, top: jam });
  printAround(drawing, place, look, { radius: 35.6, top: 68, ...faceSize(sku.family) }, faceMarks(sku));
  const lid = drawTurned(
    drawing,
    [
      [84, 33],
      [86, 33.5],
      [101, 33.5],
      [103, 32],
    ],
    place,
    look,
    {
      side: "#b9a56a",
      top: "#cbb982",
    },
  );
  return [...body, ...lid];
}

function drawBag(drawing: Drawing, sku: Sku, place: Projection, look: Look): Silhouette {
  const { width, height, depth } = sku.family;
  const surface: Surface = (u, v) => {
    const [across, down] = [u / width, v / height];
    const full = Math.sin(Math.PI * Math.min(1, Math.max(0, down)));
    const round = Math.sin(Math.PI * Math.min(1, Math.max(0, across)));
    const crease = 1.6 * Math.sin(v * 0.09 + u * 0.05 + look.crease) * full;
    const x = (u - width / 2) * (1 - 0.09 * full) + crease;
    return place([x, v - height + 2 * Math.sin(u * 0.08 + look.crease) * full, (depth / 2) * Math.sqrt(full * round)]);
  };
  const rows = Array.from({ length: 31 }, (_, row) => {
    const level = Array.from({ length: 25 }, (_, column) => surface((column * width) / 24, (row * height) / 30));
    return sidesOf(level);
  });
  const teeth = (v: number, out: number): Point[] =>
    Array.from({ length: 53 }, (_, index) => surface((index * width) / 52, v + (index % 2) * out));
  const outline = [
    ...teeth(0, -2.5),
    ...rows.map(([, right]) => right),
    ...teeth(height, 2.5).toReversed(),
    ...rows.toReversed().map(([left]) => left),
  ];
  fill(drawing, [outline], "#6f8a80");
  print(drawing, faceMarks(sku), surface, { frame: faceFrame(width, height), step: 12 });

  const [left, right] = [surface(0, height / 2), surface(width, height / 2)];
  const lit = 0.5 + 0.25 * look.light;
  const across = gradient(drawing, left, right, [
    [0, "#000", 0.42],
    [0.14, "#000", 0.1],
    [lit - 0.08, "#fff", 0.08 + 0.3 * look.gloss],
    [lit + 0.12, "#fff", 0],
    [0.86, "#000", 0.14],
    [1, "#000", 0.45],
  ]);
  fill(drawing, [outline], across);
  const down = gradient(drawing, surface(width / 2, 0), surface(width / 2, height), [
    [0, "#000", 0.1],
    [0.08, "#fff", 0.12],
    [0.2, "#000", 0.12],
    [0.4, "#fff", 0.05],
    [0.8, "#000", 0.08],
    [1, "#000", 0.35],
  ]);
  fill(drawing, [outline], down);
  const folds = [0.12, 0.3, 0.55, 0.74, 0.9].map((share, index): Point[] => {
    const u = width * share;
    const tip = 34 + 10 * Math.sin(look.crease + index * 2);
    return [surface(u - 2.5, 11), surface(u + 2.5, 11), surface(u + 6 * Math.sin(index + look.crease), tip)];
  });
  fill(drawing, folds, "#000", 0.16);
  return [outline];
}

/** Draws a product that stands at the origin of `place` and looks along z; returns its outline on the picture. */
export function drawProduct(drawing: Drawing, sku: Sku, place: Projection, look: Look): Silhouette {
  const { family } = sku;
  switch (family.shape) {
    case "jar":
      return drawJar(drawing, sku, place, look);
    case "bag":
      return drawBag(drawing, sku, place, look);
    case "box":
      return drawBox(drawing, family, place, look, { front: faceMarks(sku), side: sideMarks(sku), top: "#c99a3c" });
    case "carton": {
      const cap = (): Silhouette => {
        const levels: readonly Level[] = [
          [family.height, 13],
          [family.height + 13, 12.5],
        ];
        return drawTurned(drawing, levels, place, look, { side: sku.band, top: sku.band }, 8);
      };
      const art = { front: faceMarks(sku), side: sideMarks(sku), top: "#cfc8b6" };
      return [...drawBox(drawing, family, place, look, art), ...cap()];
    }
  }
}
