/** The place: wall, shelf boards and price rails. */
import { pick } from "./choice.ts";
import { rectangle, type Point, type Projection, type SpacePoint, type Surface } from "./geometry.ts";
import { letter } from "./lettering.ts";
import { fill, gradient, print, type Drawing, type Frame, type Mark } from "./marks.ts";
import type { Random } from "../util/random.ts";

/** How the wall behind the goods is made. */
type Wall = "plain" | "planks" | "tiles" | "holes";

/** One place where photos are taken. */
export interface Setting {
  readonly wall: Wall;
  readonly wallColours: readonly string[];
  readonly boardColours: readonly string[];
  readonly grain: boolean;
  readonly rail: string | undefined;
}

/** Kinds of place, from a wooden shelf to a kitchen counter. */
export const settings: readonly Setting[] = [
  {
    wall: "planks",
    wallColours: ["#7d5f43", "#8d6b4b", "#5e4632"],
    boardColours: ["#a98258", "#8a6541", "#6f5138"],
    grain: true,
    rail: "#e3e0d8",
  },
  {
    wall: "holes",
    wallColours: ["#b9bcbd", "#a5aaad", "#d2d2cd"],
    boardColours: ["#c8cbcc", "#aeb3b6"],
    grain: false,
    rail: "#f0efea",
  },
  {
    wall: "plain",
    wallColours: ["#3c4147", "#2f3236", "#52575c"],
    boardColours: ["#80868a", "#5d6266"],
    grain: false,
    rail: "#2d3a52",
  },
  {
    wall: "plain",
    wallColours: ["#dcd6c8", "#c9d0d0", "#cdbfa9"],
    boardColours: ["#e4e1da", "#cfcac0"],
    grain: false,
    rail: "#b8322c",
  },
  {
    wall: "tiles",
    wallColours: ["#d7dcd9", "#b7c6c4", "#e5dfd2"],
    boardColours: ["#7a5a3f", "#a88d6d", "#595450"],
    grain: true,
    rail: undefined,
  },
];

function wallMarks(wall: Wall, colour: string): Mark[] {
  const base: Mark = { outlines: [rectangle(0, 0, 2800, 1800)], colour };
  const shadow = (outlines: Point[][], width: number, opacity: number): Mark => ({
    outlines,
    colour: "#000",
    width,
    opacity,
  });
  const upright = (x: number): Point[] => [
    [x, 0],
    [x, 1800],
  ];
  const level = (y: number): Point[] => [
    [0, y],
    [2800, y],
  ];
  switch (wall) {
    case "plain":
      return [base];
    case "planks":
      return [
        base,
        shadow(
          Array.from({ length: 28 }, (_, index) => upright(index * 100)),
          5,
          0.4,
        ),
      ];
    case "tiles": {
      const columns = Array.from({ length: 28 }, (_, index) => upright(index * 100));
      const rows = Array.from({ length: 18 }, (_, index) => level(index * 100));
      return [base, { outlines: [...columns, ...rows], colour: "#f6f5f0", width: 5, opacity: 0.7 }];
    }
    case "holes": {
      // Only the part that the camera can reach: every hole is an element to draw.
      const holes = Array.from({ length: 24 * 16 }, (_, index) =>
        rectangle(900 + (index % 24) * 42, 560 + Math.floor(index / 24) * 42, 9, 9),
      );
      return [base, { outlines: holes, colour: "#000", opacity: 0.45 }];
    }
  }
}

/** A face whose frame is far larger than what the photo shows. */
const everywhere: Frame = { left: 0, top: 0, right: 2800, bottom: 1800 };

/** Draws the wall `depth` millimetres behind the goods. */
export function drawWall(drawing: Drawing, random: Random, setting: Setting, project: Projection, depth: number): void {
  const surface: Surface = (u, v) => project([u - 1400, v - 1200, -depth]);
  print(drawing, wallMarks(setting.wall, pick(random, setting.wallColours)), surface, { frame: everywhere });
  const [top, foot] = [project([0, -400, -depth]), project([0, 0, -depth])];
  const shade = gradient(drawing, top, foot, [
    [0, "#000", random.uniform(0, 0.25)],
    [0.6, "#000", 0],
    [1, "#000", random.uniform(0.2, 0.55)],
  ]);
  const corners: SpacePoint[] = [
    [-1400, -1200, -depth],
    [1400, -1200, -depth],
    [1400, 600, -depth],
    [-1400, 600, -depth],
  ];
  fill(drawing, [corners.map(project)], shade);
}

/** Draws a shelf board whose upper side lies at `level`: the side that is seen, the front edge, the price rail. */
export function drawBoard(
  drawing: Drawing,
  random: Random,
  setting: Setting,
  project: Projection,
  board: { readonly level: number; readonly front: number; readonly depth: number },
): void {
  const { level, front, depth } = board;
  const colour = pick(random, setting.boardColours);
  const plane = (corners: readonly SpacePoint[]): Point[] => corners.map(project);
  const thickness = random.uniform(18, 32);
  const top = plane([
    [-1400, level, -depth],
    [1400, level, -depth],
    [1400, level, front],
    [-1400, level, front],
  ]);
  const under = plane([
    [-1400, level + thickness, front],
    [1400, level + thickness, front],
    [1400, level + thickness, -depth],
    [-1400, level + thickness, -depth],
  ]);
  fill(drawing, [under], "#1d1b19");
  fill(drawing, [top], colour);
  if (setting.grain) {
    const grain = Array.from({ length: 9 }, (): Point[] => {
      const z = front - random.uniform(0.02, 0.9) * depth;
      return plane([
        [-700, level, z],
        [700, level, z + 2],
        [700, level, z + 3.5],
        [-700, level, z + 4],
      ]);
    });
    fill(drawing, grain, "#3a2714", 0.28);
  }
  const [back, near] = [project([0, level, -depth]), project([0, level, front])];
  fill(
    drawing,
    [top],
    gradient(drawing, back, near, [
      [0, "#000", 0.55],
      [0.7, "#000", 0.12],
      [1, "#fff", 0.08],
    ]),
  );
  const edge: Surface = (u, v) => project([u - 1400, level + v, front]);
  fill(drawing, [[edge(0, 0), edge(2800, 0), edge(2800, thickness), edge(0, thickness)]], colour);
  fill(
    drawing,
    [[edge(0, thickness * 0.6), edge(2800, thickness * 0.6), edge(2800, thickness), edge(0, thickness)]],
    "#000",
    0.25,
  );
  if (setting.rail !== undefined)
    drawRail(drawing, random, setting.rail, (u, v) => project([u - 1400, level + 3 + v, front + 3]));
}

function price(random: Random): string {
  return `${random.integer(5)}.${random.integer(10)}9`;
}

/** A price tag as marks, from its left upper corner. */
export function tagMarks(random: Random, x: number, y: number, width: number, height: number): Mark[] {
  const paper = pick(random, ["#f6f4ec", "#f6f4ec", "#f0d84e", "#e9e6dc"]);
  const bars = Array.from({ length: 9 }, (_, index): Point[] => {
    const at = x + width * (0.07 + 0.035 * index);
    return [
      [at, y + height * 0.55],
      [at, y + height * 0.85],
    ];
  });
  return [
    { outlines: [rectangle(x, y, width, height)], colour: paper },
    {
      outlines: [
        [
          [x + width * 0.07, y + height * 0.22],
          [x + width * 0.42, y + height * 0.22],
        ],
      ],
      colour: "#3a3a3a",
      width: height * 0.09,
    },
    { outlines: bars, colour: "#2a2a2a", width: width * 0.014 },
    letter(price(random), {
      x: x + width * 0.7,
      y: y + height * 0.26,
      height: height * 0.48,
      colour: "#232323",
      maxWidth: width * 0.48,
    }),
  ];
}

function drawRail(drawing: Drawing, random: Random, colour: string, surface: Surface): void {
  const height = random.uniform(30, 40);
  const marks: Mark[] = [
    { outlines: [rectangle(0, 0, 2800, height)], colour },
    { outlines: [rectangle(0, 0, 2800, height * 0.1)], colour: "#fff", opacity: 0.35 },
    { outlines: [rectangle(0, height * 0.86, 2800, height * 0.14)], colour: "#000", opacity: 0.3 },
  ];
  for (let x = 1000 + random.uniform(0, 100); x < 1800; x += random.uniform(75, 190)) {
    marks.push(...tagMarks(random, x, height * 0.12, random.uniform(48, 66), height * 0.72));
  }
  print(drawing, marks, surface, { frame: everywhere });
}
