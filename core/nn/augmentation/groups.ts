import { CoreError } from "../../util/errors.ts";
import type { TrainingSettings } from "../dino/settings.ts";

/** How far colours are shifted: half-widths of the intervals that factors (around 1) and the hue (around 0) come from. */
export interface ColourRanges {
  /** Chance that brightness, contrast, saturation and hue change at all. */
  readonly chance: number;
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  /** In turns of the colour circle, at most 0.5. */
  readonly hue: number;
  /** Chance of a grey picture. */
  readonly grey: number;
}

/** Views of one size, which are made and go through the network together. */
export interface ViewGroup {
  /** In front of the names of its inputs: `global.across`. */
  readonly name: string;
  /** Views of each picture. */
  readonly views: number;
  /** Side of a view in pixels. */
  readonly size: number;
  /** Side in pixels of the square copies that views are taken from. */
  readonly sourceSize: number;
  /** Smallest and largest share of the picture's area. */
  readonly scale: readonly [number, number];
  readonly colour: ColourRanges;
  /** Chance of a blur, for each view. */
  readonly blur: readonly number[];
  /** Smallest and largest standard deviation of the blur in pixels of the view. */
  readonly blurSigma: readonly [number, number];
  /** Chance of a solarised view, for each view. */
  readonly solarize: readonly number[];
}

/** Colour changes of Caron et al. 2021 (those of BYOL), and milder ones for products. */
export const colourRanges: Readonly<Record<"official" | "mild", ColourRanges>> = {
  official: { chance: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1, grey: 0.2 },
  // Two packs of one brand often differ in colour alone: what the network is taught to ignore must not tell them apart.
  // Brightness and contrast stay, as shelves are lit differently.
  mild: { chance: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.1, hue: 0.02, grey: 0.05 },
};

/** Sides at which the official sigmas of 0.1 to 2 pixels are meant: of global and of local crops. */
const officialSizes = { global: 224, local: 96 } as const;

/**
 * The views of one picture: two global ones and, where the settings have any, local ones. Chances of blur and of
 * solarising are those of the official code. `mild` does not solarise, which turns light colours into others, and blurs
 * as the official code does: small print is unreadable at these sizes anyway, and hand-held photos are blurred alike.
 *
 * Sigmas are in proportion to the size: what is blurred away of a 224 pixel view is at 112 pixels half as wide.
 */
export function augmentationGroups({
  crops,
  colour,
}: Pick<TrainingSettings, "crops" | "colour">): readonly ViewGroup[] {
  const ranges = colourRanges[colour];
  const sigma = (size: number, official: number): readonly [number, number] => [
    0.1 * (size / official),
    2 * (size / official),
  ];
  const shared = { sourceSize: crops.sourceSize, colour: ranges };
  const globals: ViewGroup = {
    ...shared,
    name: "global",
    views: 2,
    size: crops.globalSize,
    scale: crops.globalScale,
    blur: [1, 0.1],
    blurSigma: sigma(crops.globalSize, officialSizes.global),
    solarize: colour === "official" ? [0, 0.2] : [0, 0],
  };
  if (crops.localCount === 0) return [globals];
  const locals: ViewGroup = {
    ...shared,
    name: "local",
    views: crops.localCount,
    size: crops.localSize,
    scale: crops.localScale,
    blur: Array.from({ length: crops.localCount }, () => 0.5),
    blurSigma: sigma(crops.localSize, officialSizes.local),
    solarize: Array.from({ length: crops.localCount }, () => 0),
  };
  return [globals, locals];
}

/** Throws `option-invalid` for a group that cannot be drawn. */
export function checkGroup({ name, views, size, sourceSize, scale, blur, solarize }: ViewGroup): void {
  const whole = [views, size, sourceSize].every((count) => Number.isInteger(count) && count > 0);
  const [low, high] = scale;
  if (!whole || !(low > 0 && low <= high && high <= 1) || blur.length !== views || solarize.length !== views) {
    throw new CoreError(
      "option-invalid",
      `The views ${name} need whole numbers of views and pixels and shares of the picture between 0 and 1, got ` +
        `${views} views of ${size} pixels from ${sourceSize}, shares ${low} to ${high}, ` +
        `${blur.length} chances of blur and ${solarize.length} of solarising.`,
    );
  }
}
