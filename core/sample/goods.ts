/** Goods of other makers, for the neighbourhood. */
import { drawBox, drawTurned, type Look, type Silhouette } from "./bodies.ts";
import { chance, colourOf, pick } from "./choice.ts";
import { rectangle, type Projection, type Surface } from "./geometry.ts";
import { letter } from "./lettering.ts";
import { print, type Drawing, type Mark } from "./marks.ts";
import type { Random } from "../util/random.ts";

/** A pack: plain form, a few blocks of colour, a made-up word. */
export interface Goods {
  readonly round: boolean;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly marks: readonly Mark[];
  readonly paper: string;
}

/** Draws the design of goods of another maker. */
export function designGoods(random: Random): Goods {
  const round = chance(random, 0.35);
  const [width, height] = round
    ? [random.uniform(60, 95), random.uniform(90, 230)]
    : [random.uniform(75, 190), random.uniform(110, 275)];
  const hue = random.uniform(0, 360);
  const paper = colourOf(hue, random.uniform(0.03, 0.32), random.uniform(0.3, 0.8));
  const accent = colourOf(hue + random.uniform(60, 300), random.uniform(0.15, 0.55), random.uniform(0.25, 0.6));
  const word = Array.from({ length: 5 }, (_, index) =>
    pick(random, [...(index % 2 === 0 ? "BDKLMNRSTV" : "AEIOU")]),
  ).join("");
  const [top, block] = [random.uniform(0.1, 0.5), random.uniform(0.15, 0.35)];
  const marks: Mark[] = [
    { outlines: [rectangle(0, 0, width, height)], colour: paper },
    { outlines: [rectangle(0, height * top, width, height * block)], colour: accent },
    {
      outlines: [rectangle(width * 0.3, height * 0.7, width * 0.4, height * 0.18)],
      colour: colourOf(hue + 40, 0.4, 0.7),
    },
    letter(word, {
      x: width / 2,
      y: height * (top + block * 0.25),
      height: height * block * 0.5,
      maxWidth: width * 0.8,
      colour: "#f7f2e6",
    }),
  ];
  return { round, width, height, depth: round ? width : random.uniform(40, 80), marks, paper };
}

/** Draws goods that stand at the origin of `place`. */
export function drawGoods(drawing: Drawing, goods: Goods, place: Projection, look: Look): Silhouette {
  if (!goods.round)
    return drawBox(drawing, goods, place, look, {
      front: goods.marks,
      side: [{ outlines: [rectangle(0, 0, goods.depth, goods.height)], colour: goods.paper }],
      top: goods.paper,
    });
  const radius = goods.width / 2;
  const body = drawTurned(
    drawing,
    [
      [0, radius],
      [goods.height * 0.8, radius],
      [goods.height, radius * 0.85],
    ],
    place,
    look,
    { side: goods.paper, top: goods.paper },
  );
  const front: Surface = (u, v) => {
    const angle = ((u - goods.width / 2) / goods.width) * 2.2;
    return place([radius * Math.sin(angle), v * 0.55 - goods.height * 0.7, radius * Math.cos(angle)]);
  };
  print(drawing, goods.marks.slice(1), front, {
    frame: { left: 0, top: 0, right: goods.width, bottom: goods.height },
    step: 12,
  });
  return body;
}
