import { CoreError } from "../../util/errors.ts";
import type { WeightTensor } from "../architecture.ts";
import type { ColourStep, ViewDraw } from "./draw.ts";
import type { ViewGroup } from "./groups.ts";
import { lineBlur, writeResize, type LineResize } from "./matrices.ts";

/** Changes of colour on either side of the shift of hue: brightness, contrast and saturation may all be on one. */
export const slotsAround = 3;

/** Weights of red, green and blue in grey (ITU-R BT.601), as in PIL. */
export const luma = [0.299, 0.587, 0.114] as const;

/** Mean and standard deviation of ImageNet's channels, of values from 0 to 1. */
const mean = [0.485, 0.456, 0.406] as const;
const std = [0.229, 0.224, 0.225] as const;
const channels = [0, 1, 2] as const;

/** What the crops alone need: a group without colours, blur and solarising. */
export type PlainGroup = Pick<ViewGroup, "name" | "views" | "size" | "sourceSize">;

/**
 * The inputs of `augmentedViews` for some pictures' draws (`drawViews`: a list of views for each picture), by name; the
 * first axis of each is views * pictures, view 0 of every picture first.
 */
export function viewFeeds(
  group: ViewGroup,
  draws: readonly (readonly ViewDraw[])[],
): Readonly<Record<string, WeightTensor>> {
  const { name, size, views } = group;
  const count = views * draws.length;
  const slots = 2 * slotsAround;
  const mix = new Float32Array(count * slots * 9);
  const pull = new Float32Array(count * slots);
  const hue = new Float32Array(count);
  const finish = new Float32Array(count * 9);
  const offset = new Float32Array(count * 3);
  const mirror = new Float32Array(count * 3);
  const blur = new Float32Array(count * 2);
  const [before, after] = [new Float32Array(count * size), new Float32Array(count * size)];
  eachView(group, draws, (draw, i) => {
    hue[i] = writeColour(draw.colour, mix, pull, i * slots);
    finish.set(finishMatrix(draw.grey), i * 9);
    for (const c of channels) {
      offset[i * 3 + c] = -mean[c] / std[c];
      // What x and its mirror image add up to; without solarising so much that x is always the smaller.
      mirror[i * 3 + c] = (draw.solarize ? 1 : 2.01) / std[c] - (2 * mean[c]) / std[c];
    }
    const line = lineBlur(size, draw.blur);
    blur.set([line.falloff, line.peak], i * 2);
    before.set(line.before, i * size);
    after.set(line.after, i * size);
  });
  return {
    ...cropFeeds(group, draws),
    [`${name}.mix`]: { shape: [count, slots, 3, 3], data: mix },
    [`${name}.pull`]: { shape: [count, slots], data: pull },
    [`${name}.hue`]: { shape: [count, 1, 1], data: hue },
    [`${name}.finish`]: { shape: [count, 3, 3], data: finish },
    [`${name}.offset`]: { shape: [count, 3, 1], data: offset },
    [`${name}.blur`]: { shape: [count, 2, 1, 1], data: blur },
    [`${name}.blurBefore`]: { shape: [count, size, 1], data: before },
    [`${name}.blurAfter`]: { shape: [count, size, 1], data: after },
    ...(group.solarize.some((chance) => chance > 0)
      ? { [`${name}.mirror`]: { shape: [count, 3, 1, 1], data: mirror } }
      : {}),
  };
}

/** The inputs of `plainViews`, in the same order: crop and flip of the draws, and nothing else of them. */
export function cropFeeds(
  group: PlainGroup,
  draws: readonly (readonly Pick<ViewDraw, "crop" | "flip">[])[],
): Readonly<Record<string, WeightTensor>> {
  const { name, size, sourceSize, views } = group;
  const count = views * draws.length;
  const across = { cells: new Float32Array(count * sourceSize), centres: new Float32Array(count * size) };
  const down = { cells: new Float32Array(count * sourceSize), centres: new Float32Array(count * size) };
  eachView(group, draws, ({ crop, flip }, i) => {
    const left = crop.left * sourceSize;
    writeResize(lineOf(across, i, group), left, left + crop.width * sourceSize, flip);
    const top = crop.top * sourceSize;
    writeResize(lineOf(down, i, group), top, top + crop.height * sourceSize);
  });
  return {
    // Laid out for a matrix that is multiplied from the right.
    [`${name}.acrossCells`]: { shape: [count, sourceSize, 1], data: across.cells },
    [`${name}.acrossCentres`]: { shape: [count, 1, size], data: across.centres },
    [`${name}.downCells`]: { shape: [count, 1, sourceSize], data: down.cells },
    [`${name}.downCentres`]: { shape: [count, size, 1], data: down.centres },
  };
}

/** The part of one view. */
function lineOf({ cells, centres }: LineResize, view: number, { size, sourceSize }: PlainGroup): LineResize {
  return {
    cells: cells.subarray(view * sourceSize, (view + 1) * sourceSize),
    centres: centres.subarray(view * size, (view + 1) * size),
  };
}

/** Calls `write` for each view with its place along the first axis. Throws `option-invalid` for a list of another length. */
function eachView<Draw>(
  { name, views }: PlainGroup,
  draws: readonly (readonly Draw[])[],
  write: (draw: Draw, index: number) => void,
): void {
  draws.forEach((list, picture) => {
    if (list.length !== views) {
      throw new CoreError("option-invalid", `Each picture has ${views} views ${name}, got ${list.length} draws.`);
    }
    list.forEach((draw, view) => write(draw, view * draws.length + picture));
  });
}

/**
 * Writes the changes before and after that of hue into the slots from `base` on, identity where there are fewer than
 * three, and gives the shift of hue in sixths of the circle.
 */
function writeColour(steps: readonly ColourStep[], mix: Float32Array, pull: Float32Array, base: number): number {
  for (let slot = 0; slot < 2 * slotsAround; slot++) mix.set(identity, (base + slot) * 9);
  let slot = 0;
  let shift: number | undefined;
  for (const step of steps) {
    if (step.kind === "hue") {
      if (shift !== undefined) throw new CoreError("option-invalid", "A view's hue is shifted once at most.");
      // PIL keeps a hue in 8 bits, of which torchvision moves it by a whole number, towards 0.
      shift = (6 * Math.trunc(step.shift * 255)) / 255;
      if (!(Math.abs(shift) <= 1)) {
        throw new CoreError("option-invalid", `A hue can be shifted by a sixth of a turn at most, got ${step.shift}.`);
      }
      slot = slotsAround;
      continue;
    }
    if (slot === (shift === undefined ? 1 : 2) * slotsAround) {
      throw new CoreError("option-invalid", `A view takes ${slotsAround} changes of colour on one side of its hue's.`);
    }
    mix.set(stepMatrix(step.kind, step.factor), (base + slot) * 9);
    pull[base + slot] = step.kind === "contrast" ? 1 - step.factor : 0;
    slot++;
  }
  return shift ?? 0;
}

const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** What a change does to red, green and blue, without contrast's share of the mean grey. */
function stepMatrix(kind: "brightness" | "contrast" | "saturation", factor: number): number[] {
  // Saturation blends each pixel with its own grey.
  const own = kind === "saturation" ? 1 - factor : 0;
  return identity.map((one, i) => factor * one + own * (luma[i % 3] ?? 0));
}

/** From 0..255 to normalised values less their offset, through grey where wanted. */
function finishMatrix(grey: boolean): number[] {
  return identity.map((one, i) => (grey ? (luma[i % 3] ?? 0) : one) / (255 * (std[Math.floor(i / 3)] ?? 1)));
}

/** Scale and offset per channel that normalise values of 0..255. */
export const normalisation = {
  scale: std.map((deviation) => 1 / (255 * deviation)),
  offset: std.map((deviation, c) => -(mean[c] ?? 0) / deviation),
} as const;
