/**
 * The augmentation of one view once more, in float64 and plain loops, by the textbook's formulas and not by the graph's:
 * colours go through hue, saturation and value with a case for each sixth of the circle. As PIL computes it, in 8 bits, it
 * is compared with PIL itself; without the rounding, which the graph leaves out, with the graph.
 */
import type { ViewDraw } from "../../core/nn/augmentation/draw.ts";

/** A square picture: three planes of side * side values of 0..255. */
export interface Planes {
  readonly side: number;
  readonly planes: readonly (readonly number[])[];
}

type Colour = readonly [number, number, number];

/** What becomes of the number for a byte: of a sum, of a blend of two pictures, and of hue and saturation from 0 to 1. */
interface Rounding {
  readonly sum: (value: number) => number;
  readonly blend: (value: number) => number;
  readonly part: (value: number) => number;
}

const exact: Rounding = { sum: byte, blend: byte, part: (value) => value };
const pil: Rounding = {
  sum: (value) => Math.floor(byte(value) + 0.5),
  // PIL computes blends in float32, which decides where a value is a whole number but for rounding.
  blend: (value) => Math.trunc(byte(Math.fround(value))),
  part: (value) => Math.trunc(Math.fround(value) * 255) / 255,
};

/** The view [3, size, size] of a picture, normalised; as PIL computes it with `inPil`. */
export function plainView(picture: Planes, draw: ViewDraw, size: number, inPil = false): number[] {
  const rounding = inPil ? pil : exact;
  return coloured(resized(picture, draw, size, rounding), draw, size, rounding);
}

/** Colours, blur, solarising and normalisation of a view whose pixels are given row by row. */
function coloured(start: readonly Colour[], draw: ViewDraw, size: number, rounding: Rounding): number[] {
  let pixels = start;
  for (const step of draw.colour) {
    const greys = pixels.map((colour) => rounding.sum(greyOf(colour)));
    const meanGrey = Math.floor(greys.reduce((sum, grey) => sum + grey, 0) / pixels.length + 0.5);
    pixels = pixels.map((colour, i) => {
      if (step.kind === "hue") return turned(colour, Math.trunc(step.shift * 255), rounding);
      const other = { brightness: 0, contrast: meanGrey, saturation: greys[i] ?? 0 }[step.kind];
      return channelwise(colour, (value) => rounding.blend(other + step.factor * (value - other)));
    });
  }
  if (draw.grey) pixels = pixels.map((colour) => channelwise(colour, () => rounding.sum(greyOf(colour))));
  if (draw.blur > 0) pixels = blurred(pixels, size, draw.blur).map((colour) => channelwise(colour, rounding.sum));
  if (draw.solarize) pixels = pixels.map((colour) => channelwise(colour, (v) => (v < 127.5 ? v : 255 - v)));
  const mean = [0.485, 0.456, 0.406];
  const deviation = [0.229, 0.224, 0.225];
  return [0, 1, 2].flatMap((c) =>
    pixels.map((colour) => ((colour[c] ?? 0) / 255 - (mean[c] ?? 0)) / (deviation[c] ?? 1)),
  );
}

function byte(value: number): number {
  return Math.min(255, Math.max(0, value));
}

function channelwise([red, green, blue]: Colour, change: (value: number) => number): Colour {
  return [change(red), change(green), change(blue)];
}

function greyOf([red, green, blue]: Colour): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** Foley and van Dam's conversions to hue, saturation and value and back, the hue moved by `steps` of 1/255 in between. */
function turned(colour: Colour, steps: number, { sum, part: cut }: Rounding): Colour {
  const [red, green, blue] = colour;
  const value = Math.max(...colour);
  const range = value - Math.min(...colour);
  if (range === 0) return colour;
  let sixths = 4 + (red - green) / range;
  if (red === value) sixths = (green - blue) / range;
  else if (green === value) sixths = 2 + (blue - red) / range;
  const before = cut((sixths / 6 + 1) % 1) * 255;
  // In 8 bits there are 256 hues, of which the last is the first once more.
  const circle = cut === pil.part ? 256 : 255;
  const hue = (((before + steps + circle) % circle) * 6) / 255;
  const part = hue - Math.floor(hue);
  const saturation = cut(range / value);
  const p = sum(value * (1 - saturation));
  const q = sum(value * (1 - saturation * part));
  const t = sum(value * (1 - saturation * (1 - part)));
  const cases: Colour[] = [
    [value, t, p],
    [q, value, p],
    [p, value, t],
    [p, q, value],
    [t, p, value],
    [value, p, q],
  ];
  return cases[Math.floor(hue) % 6] ?? colour;
}

function resized(
  { side, planes }: Planes,
  { crop, flip }: ViewDraw,
  size: number,
  { sum: rounded }: Rounding,
): Colour[] {
  const columns = Array.from({ length: size }, (_, i) =>
    weights(side, size, crop.left * side, crop.width * side, flip ? size - 1 - i : i),
  );
  const rows = Array.from({ length: size }, (_, i) => weights(side, size, crop.top * side, crop.height * side, i));
  const [red, green, blue] = planes.map((plane) => {
    // Rows of the picture first, as PIL has it; what overshoots 0 to 255 is cut off after each pass in 8 bits alone.
    const between = rounded === pil.sum ? rounded : (value: number): number => value;
    const narrow = Array.from({ length: side }, (_, y) =>
      columns.map((column) => between(weighted(column, (x) => plane[y * side + x]))),
    );
    return rows.flatMap((row) => columns.map((_, x) => rounded(weighted(row, (y) => narrow[y]?.[x]))));
  });
  return (red ?? []).map((value, i) => [value, green?.[i] ?? NaN, blue?.[i] ?? NaN]);
}

function weighted(list: readonly number[], value: (index: number) => number | undefined): number {
  return list.reduce((sum, weight, i) => sum + weight * (value(i) ?? NaN), 0);
}

/** Weight of each of `side` cells in cell `index` of the `size` that the part from `start` on is resized to. */
function weights(side: number, size: number, start: number, length: number, index: number): number[] {
  const shrink = Math.max(1, length / size);
  const middle = start + ((index + 0.5) * length) / size;
  const raw = Array.from({ length: side }, (_, j) => {
    const touched = j + 1 > start + 1e-6 && j < start + length - 1e-6;
    return touched ? keys((j + 0.5 - middle) / shrink) : 0;
  });
  const sum = raw.reduce((total, weight) => total + weight, 0);
  return raw.map((weight) => weight / sum);
}

/** Keys' cubic convolution kernel for a = -0.5. */
function keys(x: number): number {
  const d = Math.abs(x);
  if (d <= 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
  return d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
}

/** A Gaussian of the whole plane at once, with the border repeated; up to four standard deviations along each axis. */
function blurred(pixels: readonly Colour[], size: number, sigma: number): Colour[] {
  const reach = Math.ceil(4 * sigma);
  const inside = (i: number): number => Math.min(size - 1, Math.max(0, i));
  return pixels.map((_, at): Colour => {
    const x = at % size;
    const y = (at - x) / size;
    const sums = [0, 0, 0];
    let total = 0;
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const weight = Math.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
        total += weight;
        pixels[inside(y + dy) * size + inside(x + dx)]?.forEach(
          (value, c) => (sums[c] = (sums[c] ?? 0) + weight * value),
        );
      }
    }
    return [(sums[0] ?? 0) / total, (sums[1] ?? 0) / total, (sums[2] ?? 0) / total];
  });
}
