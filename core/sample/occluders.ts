/** What stands between the camera and the product: a hand, a tag, a lip of the shelf. */
import { chance, pick } from "./choice.ts";
import { convexHull, ellipse, rectangle, smoothed, type Point, type Projection, type Surface } from "./geometry.ts";
import { letter } from "./lettering.ts";
import { fill, print, stroke, type Drawing } from "./marks.ts";
import type { Silhouette } from "./bodies.ts";
import { tagMarks } from "./setting.ts";
import type { Random } from "../util/random.ts";

/** The product that is partly hidden. Millimetres; its foot is the origin of `place`. */
export interface Hidden {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly place: Projection;
}

/** Light and shadow side of a skin. */
const skins = [
  ["#e3b596", "#b98466"],
  ["#c98f6a", "#97623f"],
  ["#8d5b3e", "#5f3a26"],
  ["#f0cdb4", "#c99a7e"],
  ["#5f3e2c", "#3d271b"],
] as const;

/** A finger from its root to its tip as two circles in their hull. */
function finger(root: Point, tip: Point, radius: number): Point[] {
  return convexHull([
    ...ellipse(root[0], root[1], radius * 1.1, radius * 1.1),
    ...ellipse(tip[0], tip[1], radius, radius),
  ]);
}

/** Draws a hand that holds the product at one side: fingers over the front, the back of the hand beside it. */
export function drawHand(drawing: Drawing, random: Random, hidden: Hidden): Silhouette {
  const { width, height, depth, place } = hidden;
  const side = chance(random, 0.5) ? 1 : -1;
  const [light, dark] = pick(random, skins);
  // Seen from the middle of the front: x grows to the hand's side, so that one drawing serves left and right.
  const surface: Surface = (u, v) => place([side * u, v - height, depth / 2 + 8]);
  const toPicture = (outline: readonly Point[]): Point[] => outline.map(([u, v]) => surface(u, v));
  const radius = random.uniform(7.5, 9.5);
  const count = pick(random, [1, 3, 4]);
  const reach = width * random.uniform(0.1, 0.24) + (count === 1 ? 10 : 0);
  const spread = Math.min(radius * 2.15, (height * 0.7) / count);
  const first = random.uniform(0.3, 0.9) * (height - spread * count);
  const palmX = width / 2 + random.uniform(16, 26);
  const middle = first + (spread * (count - 1)) / 2;
  const half = Math.max(spread * count * 0.62, 24);
  const drop = random.uniform(20, 90);
  const palm = smoothed(
    [
      [palmX - 12, middle - half * 0.9],
      [palmX + 30, middle - half],
      [palmX + 170, middle + drop - 34],
      [palmX + 170, middle + drop + 40],
      [palmX + 26, middle + half * 1.1],
      [palmX - 12, middle + half],
    ],
    true,
    3,
  );
  const fingers = Array.from({ length: count }, (_, index) => {
    const level = first + index * spread;
    const tip: Point = [width / 2 - reach * (1 - 0.12 * Math.abs(index - 1.2)), level + random.uniform(-3, 3)];
    return { tip, outline: finger([palmX, level + random.uniform(-2, 4)], tip, radius) };
  });
  const parts = [palm, ...fingers.map(({ outline }) => outline)].map(toPicture);
  const scale = Math.hypot(surface(1, 0)[0] - surface(0, 0)[0], surface(1, 0)[1] - surface(0, 0)[1]);
  for (const part of parts) {
    fill(drawing, [part], light);
    stroke(drawing, [[...part, ...part.slice(0, 1)]], dark, 1.6 * scale, 0.55);
  }
  const shadows = fingers.map(({ outline }) => outline.map(([x, y]): Point => [x, y + radius * 0.35]));
  fill(drawing, shadows.map(toPicture), dark, 0.22);
  const nails = fingers.map(({ tip: [x, y] }) =>
    ellipse(x - radius * 0.1, y - radius * 0.1, radius * 0.62, radius * 0.5),
  );
  fill(drawing, nails.map(toPicture), "#f3d9cc", 0.6);
  return parts;
}

/** Draws a tag that hangs before a lower or upper corner: a price card or a round "wobbler". */
export function drawTag(drawing: Drawing, random: Random, hidden: Hidden): Silhouette {
  const { width, height, depth, place } = hidden;
  const size = Math.min(width, height) * random.uniform(0.34, 0.5);
  const side = chance(random, 0.5) ? 1 : -1;
  const centreX = side * width * random.uniform(0.36, 0.5);
  const centreY = height * (chance(random, 0.7) ? random.uniform(0.86, 0.98) : random.uniform(0.04, 0.14));
  const lean = random.uniform(-0.25, 0.25);
  const surface: Surface = (u, v) => {
    const [x, y] = [
      centreX + u * Math.cos(lean) - v * Math.sin(lean),
      centreY + u * Math.sin(lean) + v * Math.cos(lean),
    ];
    return place([x, y - height, depth / 2 + 22]);
  };
  const frame = { left: -size, top: -size, right: size, bottom: size };
  if (chance(random, 0.5)) {
    const card = rectangle(-size * 0.55, -size * 0.36, size * 1.1, size * 0.72);
    print(drawing, tagMarks(random, -size * 0.55, -size * 0.36, size * 1.1, size * 0.72), surface, { frame });
    return [card.map(([u, v]) => surface(u, v))];
  }
  const disc = ellipse(0, 0, size * 0.46, size * 0.46, 0, 32);
  const marks = [
    { outlines: [disc], colour: pick(random, ["#c8352c", "#e8c832", "#2f6f9c", "#d8642a"]) },
    letter(`${pick(random, ["10", "20", "25", "30"])}%`, {
      x: 0,
      y: -size * 0.14,
      height: size * 0.28,
      maxWidth: size * 0.66,
      colour: "#fdfaf0",
      weight: 0.2,
    }),
  ];
  print(drawing, marks, surface, { frame });
  return [disc.map(([u, v]) => surface(u, v))];
}

/** Draws the upright lip of the shelf before the foot of the goods. */
export function drawLip(
  drawing: Drawing,
  random: Random,
  project: Projection,
  front: number,
  tallest: number,
): Silhouette {
  const height = tallest * random.uniform(0.05, 0.13);
  const surface: Surface = (u, v) => project([u - 1400, v - height, front + 4]);
  const outline = rectangle(0, 0, 2800, height + 12);
  const frame = { left: 0, top: 0, right: 2800, bottom: height + 12 };
  const colour = pick(random, ["#d9d7d0", "#8c9093", "#b13a30", "#34435c", "#9b7a55"]);
  const marks = [
    { outlines: [outline], colour },
    { outlines: [rectangle(0, 0, 2800, height * 0.16)], colour: "#fff", opacity: 0.4 },
    { outlines: [rectangle(0, height * 0.8, 2800, height * 0.2 + 12)], colour: "#000", opacity: 0.25 },
  ];
  print(drawing, marks, surface, { frame });
  return [outline.map(([u, v]) => surface(u, v))];
}
