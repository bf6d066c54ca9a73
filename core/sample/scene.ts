/** One photo: place, camera, the labelled product, its neighbours and what hides a part of it. */
import type { Look, Silhouette } from "./bodies.ts";
import { catalogue, type Sku } from "./catalogue.ts";
import { chance, pick } from "./choice.ts";
import { createProjection, ellipse, standing, type Point, type Projection, type SpacePoint } from "./geometry.ts";
import { designGoods, drawGoods } from "./goods.ts";
import { drawLight, type Light } from "./light.ts";
import { addBlurred, createDrawing, fill, layerOf, toSvg, type Drawing } from "./marks.ts";
import { drawHand, drawLip, drawTag, type Hidden } from "./occluders.ts";
import { drawProduct } from "./products.ts";
import { drawBoard, drawWall, settings } from "./setting.ts";
import { createRandom, type Random } from "../util/random.ts";

/** Pixels around the picture that are drawn and cut off, so that blur finds something there. */
export const margin = 16;

/** Everything that rendering needs, and nothing that depends on the renderer. */
export interface Scene {
  /** Size of the photo in pixels; both SVGs are larger by `margin` on every side. */
  readonly width: number;
  readonly height: number;
  readonly svg: string;
  /** White where the labelled product shows, black elsewhere. */
  readonly maskSvg: string;
  readonly light: Light;
  /** Standard deviation in pixels of the lens blur over the whole picture; 0 for none. */
  readonly blur: number;
  readonly jpegQuality: number;
}

type Occluder = "none" | "hand" | "tag" | "lip" | "neighbour";

const occluders: readonly Occluder[] = ["none", "none", "none", "none", "hand", "tag", "lip", "neighbour"];

function drawPhotoSize(random: Random): readonly [width: number, height: number] {
  const long = 400 + 8 * random.integer(11);
  const short = 320 + 8 * random.integer(9);
  return chance(random, 0.6)
    ? [Math.min(long, short), Math.max(long, short)]
    : [Math.max(long, short), Math.min(long, short)];
}

function drawLook(random: Random, light: number): Look {
  return { light, gloss: random.uniform(0.1, 0.9), crease: random.uniform(0, 6.28) };
}

/** Draws one neighbour; it is never the labelled product, which would make the truth of the mask ambiguous. `sisterShare`: how often a pack of the catalogue is of the same family. */
function createNeighbour(
  random: Random,
  labelled: Sku,
  sisterShare: number,
): {
  readonly width: number;
  readonly depth: number;
  readonly draw: (drawing: Drawing, place: Projection, look: Look) => Silhouette;
} {
  if (chance(random, 0.55)) {
    const goods = designGoods(random);
    return { ...goods, draw: (drawing, place, look) => drawGoods(drawing, goods, place, look) };
  }
  const sisters = catalogue.filter((sku) => sku !== labelled && sku.family === labelled.family);
  const strangers = catalogue.filter((sku) => sku.family !== labelled.family);
  const sku = pick(random, chance(random, sisterShare) ? sisters : strangers);
  return {
    width: sku.family.width,
    depth: sku.family.depth,
    draw: (drawing, place, look) => drawProduct(drawing, sku, place, look),
  };
}

function drawContactShadow(drawing: Drawing, place: Projection, width: number, depth: number): void {
  const ring = ellipse(0, 0, width * 0.56, depth * 0.66);
  const outline = ring.map(([x, z]): Point => place([x, 0, z]));
  fill(drawing, [outline], "#000", 0.5);
}

/** Neighbours to both sides, the farthest first, until they leave the picture or a gap is left. */
function drawNeighbours(
  drawing: Drawing,
  random: Random,
  sku: Sku,
  project: Projection,
  level: number,
  light: number,
  reach: number,
): void {
  for (const side of [-1, 1]) {
    const row: (() => void)[] = [];
    let edge = sku.family.width / 2 + random.uniform(2, 16);
    while (edge < reach && !chance(random, 0.3)) {
      const neighbour = createNeighbour(random, sku, 0.35);
      const x = side * (edge + neighbour.width / 2);
      const place = standing(project, [x, level, random.uniform(-45, -4)], random.uniform(-0.16, 0.16));
      const look = drawLook(random, light);
      row.unshift(() => {
        drawContactShadow(drawing, place, neighbour.width, neighbour.depth);
        neighbour.draw(drawing, place, look);
      });
      edge += neighbour.width + random.uniform(2, 14);
    }
    for (const draw of row) draw();
  }
}

/** Draws the scene of one photo of `sku`; the same seed gives the same scene. */
export function drawScene(sku: Sku, seed: number): Scene {
  const random = createRandom(seed);
  const [width, height] = drawPhotoSize(random);
  const setting = pick(random, settings);
  const occluder = pick(random, occluders);
  const { family } = sku;

  const short = Math.min(width, height);
  const scale = random.uniform(0.76, 1.03) * Math.min(short / family.height, (0.86 * short) / family.width);
  const project = createProjection({
    yaw: random.uniform(-0.3, 0.3),
    pitch: random.uniform(-0.05, 0.24),
    roll: 0.06 * random.normal(),
    distance: random.uniform(520, 900),
    scale,
    target: [0, -family.height / 2, 0],
    centre: [margin + width * (0.5 + random.uniform(-0.1, 0.1)), margin + height * (0.5 + random.uniform(-0.07, 0.07))],
  });
  const light = random.uniform(-1, 1);
  const turn = random.uniform(-0.2, 0.2);
  const foot: SpacePoint = [0, 0, 0];
  const place = standing(project, foot, turn);
  const reach = (0.75 * width) / scale;

  const drawing = createDrawing();
  const background = layerOf(drawing);
  const front = family.depth / 2 + (occluder === "neighbour" ? 110 : random.uniform(6, 40));
  const board = { front, depth: 260 + front };
  drawWall(background, random, setting, project, 260);
  if (setting.rail !== undefined) {
    const above = -family.height - random.uniform(45, 130);
    drawBoard(background, random, setting, project, { ...board, level: above });
    drawBoard(background, random, setting, project, { ...board, level: 330 });
    if (chance(random, 0.6)) drawNeighbours(background, random, sku, project, 330, light, reach);
  }
  drawBoard(background, random, setting, project, { ...board, level: 0 });
  const crowded = setting.rail !== undefined || chance(random, 0.5);
  if (crowded) drawNeighbours(background, random, sku, project, 0, light, reach);
  drawContactShadow(background, place, family.width, family.depth);
  addBlurred(drawing, background, random.uniform(0.7, 3));

  const silhouette = drawProduct(drawing, sku, place, drawLook(random, light));
  const before = layerOf(drawing);
  const hidden = { ...family, place };
  const covered = drawOccluder(before, random, occluder, sku, { project, hidden, front, light });
  if (before.elements.length > 0) addBlurred(drawing, before, random.uniform(0.3, 1.6));

  const mask = createDrawing();
  // One by one: in one path, outlines of opposite winding would cut holes into each other.
  for (const outline of silhouette) fill(mask, [outline], "#fff");
  for (const outline of covered) fill(mask, [outline], "#000");
  const [outerWidth, outerHeight] = [width + 2 * margin, height + 2 * margin];
  return {
    width,
    height,
    svg: toSvg(drawing, outerWidth, outerHeight),
    maskSvg: toSvg(mask, outerWidth, outerHeight),
    light: drawLight(random),
    blur: chance(random, 0.6) ? random.uniform(0.35, 1.2) : 0,
    jpegQuality: 70 + random.integer(24),
  };
}

function drawOccluder(
  drawing: Drawing,
  random: Random,
  occluder: Occluder,
  sku: Sku,
  scene: {
    readonly project: Projection;
    readonly hidden: Hidden;
    readonly front: number;
    readonly light: number;
  },
): Silhouette {
  switch (occluder) {
    case "none":
      return [];
    case "hand":
      return drawHand(drawing, random, scene.hidden);
    case "tag":
      return drawTag(drawing, random, scene.hidden);
    case "lip":
      return drawLip(drawing, random, scene.project, scene.front, sku.family.height);
    case "neighbour": {
      // A sister in front would be as good a reading of the label as the product itself.
      const neighbour = createNeighbour(random, sku, 0);
      const overlap = sku.family.width * random.uniform(0.06, 0.2);
      const x = (sku.family.width / 2 - overlap + neighbour.width / 2) * (chance(random, 0.5) ? 1 : -1);
      const place = standing(scene.project, [x, 0, scene.front - 10 - neighbour.depth / 2], random.uniform(-0.2, 0.2));
      drawContactShadow(drawing, place, neighbour.width, neighbour.depth);
      return neighbour.draw(drawing, place, drawLook(random, scene.light));
    }
  }
}
