import { CoreError } from "../../util/errors.ts";
import { createRandom, deriveSeed, type Random } from "../../util/random.ts";
import { checkGroup, type ColourRanges, type ViewGroup } from "./groups.ts";

/** A part of a picture, in shares of its width and height: the whole is { left: 0, top: 0, width: 1, height: 1 }. */
export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** One change of colour. Factors are around 1; shifts are turns of the colour circle, from -0.5 to 0.5. */
export type ColourStep =
  | { readonly kind: "brightness" | "contrast" | "saturation"; readonly factor: number }
  | { readonly kind: "hue"; readonly shift: number };

/** How one view is made of one picture: plain numbers, in the order in which they are applied. */
export interface ViewDraw {
  readonly crop: Crop;
  readonly flip: boolean;
  /** In the order in which they are applied; each kind once at most, none where the colours stay. */
  readonly colour: readonly ColourStep[];
  readonly grey: boolean;
  /** Standard deviation in pixels of the view; 0 for none. */
  readonly blur: number;
  readonly solarize: boolean;
}

/** Which draw of a run. */
export interface DrawPosition {
  readonly seed: number;
  readonly iteration: number;
  /** Number of the first picture within its batch; 0 unless a batch is drawn in parts. */
  readonly first?: number;
}

/**
 * The views of some pictures, given their proportions (width / height of the true, upright picture): for each picture a
 * list of its views. They follow from the seed, the iteration, the name of the group and the picture's number in the
 * batch alone. So a run that goes on draws what it would have drawn, and it does not matter how a batch is cut up.
 * Throws `option-invalid` for a group or proportions that cannot be.
 */
export function drawViews(
  group: ViewGroup,
  aspects: ArrayLike<number>,
  { seed, iteration, first = 0 }: DrawPosition,
): readonly (readonly ViewDraw[])[] {
  checkGroup(group);
  const letters = Array.from(group.name, (letter) => letter.codePointAt(0) ?? 0);
  return Array.from(aspects, (aspect, i) => {
    const random = createRandom(deriveSeed(seed, ...letters, iteration, first + i));
    return Array.from({ length: group.views }, (_, view) => drawView(random, group, view, aspect));
  });
}

/** One view as DINO's code draws it: crop, flip, colours, grey, blur, solarise (Caron et al. 2021, after BYOL). */
function drawView(random: Random, group: ViewGroup, view: number, aspect: number): ViewDraw {
  const crop = drawCrop(random, group.scale, aspect);
  const flip = random.next() < 0.5;
  const colour = random.next() < group.colour.chance ? drawColour(random, group.colour) : [];
  const grey = random.next() < group.colour.grey;
  const blurred = random.next() < (group.blur[view] ?? 0);
  const blur = blurred ? random.uniform(...group.blurSigma) : 0;
  return { crop, flip, colour, grey, blur, solarize: random.next() < (group.solarize[view] ?? 0) };
}

const narrowest = 3 / 4;
const widest = 4 / 3;

/**
 * torchvision's RandomResizedCrop: a share of the area, proportions drawn evenly by their logarithm, ten tries, then the
 * largest central crop whose proportions are allowed. Sides are not rounded to pixels here, which is all that differs.
 */
export function drawCrop(random: Random, scale: readonly [number, number], aspect: number): Crop {
  if (!(aspect > 0 && aspect < Infinity)) {
    throw new CoreError("option-invalid", `A picture's width over its height must be above 0, got ${aspect}.`);
  }
  for (let tries = 0; tries < 10; tries++) {
    const area = random.uniform(...scale);
    const ratio = Math.exp(random.uniform(Math.log(narrowest), Math.log(widest)));
    // In shares of the sides, for a picture of area 1.
    const width = Math.sqrt((area * ratio) / aspect);
    const height = Math.sqrt((area / ratio) * aspect);
    if (width <= 1 && height <= 1) {
      return { left: random.uniform(0, 1 - width), top: random.uniform(0, 1 - height), width, height };
    }
  }
  const width = Math.min(1, widest / aspect);
  const height = Math.min(1, aspect / narrowest);
  return { left: (1 - width) / 2, top: (1 - height) / 2, width, height };
}

/** torchvision's ColorJitter: the four changes in a random order. */
function drawColour(random: Random, ranges: ColourRanges): ColourStep[] {
  const kinds = random.shuffled(["brightness", "contrast", "saturation", "hue"] as const);
  return kinds.map((kind) =>
    kind === "hue"
      ? { kind, shift: random.uniform(-ranges.hue, ranges.hue) }
      : { kind, factor: random.uniform(Math.max(0, 1 - ranges[kind]), 1 + ranges[kind]) },
  );
}

/**
 * The view that embedding takes of a picture, without chance: shorter side to `resize` pixels, the central square of
 * `size` pixels, colours as they are. Taken from the square copy it lacks what lies outside the square but within reach
 * of the resize's kernel, so that the outermost pixels differ a little.
 */
export function centreView(aspect: number, resize: number, size: number): ViewDraw {
  // The long side is cut off to whole pixels, as in torchvision's Resize.
  const width = size / Math.floor(resize * Math.max(1, aspect));
  const height = size / Math.floor(resize * Math.max(1, 1 / aspect));
  if (!(width > 0 && width <= 1 && height > 0 && height <= 1)) {
    throw new CoreError(
      "option-invalid",
      `A picture ${aspect} times as wide as high, its shorter side resized to ${resize}, has no square of ${size} pixels.`,
    );
  }
  const crop = { left: (1 - width) / 2, top: (1 - height) / 2, width, height };
  return { crop, flip: false, colour: [], grey: false, blur: 0, solarize: false };
}
