import { add, multiply, subtract } from "../../graph/ops/elementwise.ts";
import { matMul } from "../../graph/ops/linear.ts";
import { reshape, slice, split, transposeLast } from "../../graph/ops/movement.ts";
import { meanLast } from "../../graph/ops/reduce.ts";
import { clip, floor, maximum, minimum } from "../../graph/ops/select.ts";
import { constant, formatType, input, known, scalar, type Value } from "../../graph/value.ts";
import { CoreError } from "../../util/errors.ts";
import { luma, normalisation, slotsAround, type PlainGroup } from "./feeds.ts";
import type { ViewGroup } from "./groups.ts";
import { blurMatrix, resizeMatrix } from "./matrices.ts";

/**
 * Views of square pictures [pictures, 3, sourceSize, sourceSize], red, green and blue in 0..255, as the network takes
 * them: [views * pictures, 3, size, size], normalised, view 0 of every picture first. Declares the inputs that `viewFeeds`
 * fills.
 *
 * All of it is products and element-wise operators, so it runs on every device. The number of pictures must be known.
 *
 * Nothing is rounded to 8 bits on the way. PIL does so after each change, mostly downwards, and keeps hues in 256 steps:
 * of photos the views differ from PIL's by 0.3 levels on average where only crops are taken, by 1.6 where colours change.
 */
export function augmentedViews(pictures: Value, group: ViewGroup): Value {
  const { name, size } = group;
  const resized = resizedViews(pictures, group);
  const count = known(resized.shape[0], "The number of views");
  let x = reshape(resized, [count, 3, size * size]);

  const mix = input(`${name}.mix`, [count, 2 * slotsAround, 3, 3]);
  const pull = input(`${name}.pull`, [count, 2 * slotsAround]);
  for (let slot = 0; slot < 2 * slotsAround; slot++) {
    if (slot === slotsAround) x = shiftHue(x, input(`${name}.hue`, [count, 1, 1]));
    const matrix = reshape(slice(mix, 1, slot, slot + 1), [count, 3, 3]);
    x = changeColour(x, matrix, reshape(slice(pull, 1, slot, slot + 1), [count, 1, 1]), size);
  }
  // Grey, normalisation and blur are linear, and the rows of a blur sum to 1: their order does not matter.
  x = add(matMul(input(`${name}.finish`, [count, 3, 3]), x), input(`${name}.offset`, [count, 3, 1]));

  const [falloff, peak] = split(input(`${name}.blur`, [count, 2, 1, 1]), 1, 2) as [Value, Value];
  const blur = blurMatrix(
    reshape(falloff, [count, 1, 1]),
    reshape(peak, [count, 1, 1]),
    input(`${name}.blurBefore`, [count, size, 1]),
    input(`${name}.blurAfter`, [count, size, 1]),
  );
  const across = matMul(reshape(x, [count, 3 * size, size]), transposeLast(blur));
  const blurred = matMul(reshape(blur, [count, 1, size, size]), reshape(across, [count, 3, size, size]));
  if (group.solarize.every((chance) => chance === 0)) return blurred;
  // Turning x into 255 - x from 128 on takes, of whole numbers, the smaller of the two; that is continuous for others.
  return minimum(blurred, subtract(input(`${name}.mirror`, [count, 3, 1, 1]), blurred));
}

/** Cropped, resized and normalised views without any change of colour, for probes. `cropFeeds` fills their inputs. */
export function plainViews(pictures: Value, group: PlainGroup): Value {
  const scale = constant(Float32Array.from(normalisation.scale), [3, 1, 1]);
  const offset = constant(Float32Array.from(normalisation.offset), [3, 1, 1]);
  return add(multiply(resizedViews(pictures, group), scale), offset);
}

/** Crop, resize and flip as two products, horizontal first as in PIL: [views * pictures, 3, size, size] in 0..255. */
function resizedViews(pictures: Value, { name, views, size, sourceSize }: PlainGroup): Value {
  const [pictureCount, ...sides] = pictures.shape;
  const count = known(pictureCount, "The number of pictures");
  if (sides.join() !== `3,${sourceSize},${sourceSize}`) {
    throw new CoreError(
      "graph-shape",
      `The views ${name} are taken from [pictures,3,${sourceSize},${sourceSize}], got ${formatType(pictures)}.`,
    );
  }
  const numbers = (feed: string, ...rest: number[]): Value => input(`${name}.${feed}`, [views * count, ...rest]);
  const columns = resizeMatrix(numbers("acrossCells", sourceSize, 1), numbers("acrossCentres", 1, size), 1);
  const rows = resizeMatrix(numbers("downCells", 1, sourceSize), numbers("downCentres", size, 1), 2);
  const across = reshape(columns, [views, count, sourceSize, size]);
  const down = reshape(rows, [views, count, 1, size, sourceSize]);
  // Broadcast over the views: no picture is copied. The three channels share a factor, so they are one tall matrix.
  const narrow = matMul(reshape(pictures, [1, count, 3 * sourceSize, sourceSize]), across);
  const small = matMul(down, reshape(narrow, [views, count, 3, sourceSize, size]));
  return clip(reshape(small, [views * count, 3, size, size]), 0, 255);
}

const luminance = constant(Float32Array.from(luma), [1, 3]);

/** clip(matrix x + pull * mean grey), for colours x [views, 3, pixels], matrix [views, 3, 3] and pull [views, 1, 1]. */
function changeColour(x: Value, matrix: Value, pull: Value, size: number): Value {
  const count = known(x.shape[0], "The number of views");
  // In two steps, of which the first is wide enough for a graphics card.
  const rows = meanLast(reshape(x, [count, 3, size, size]));
  const grey = matMul(luminance, meanLast(reshape(rows, [count, 3, size])));
  const rounded = floor(add(grey, scalar(0.5)));
  return clip(add(matMul(matrix, x), multiply(pull, rounded)), 0, 255);
}

/** Rows that give green - blue, blue - red, red - green: where a colour lies seen from red, green and blue. */
const differences = [0, 1, -1, -1, 0, 1, 1, -1, 0];
/** So large that a difference of 1/1000 of a grey level counts as fully positive or negative. */
const steep = 1e3;
const sides = constant(
  Float32Array.from(differences, (entry) => entry * steep),
  [3, 3],
);

/**
 * Colours x [views, 3, pixels] turned by `shift` [views, 1, 1] sixths of the colour circle, of -1 to 1, with value and
 * saturation of HSV kept, which are set by a pixel's largest and smallest channel.
 *
 * With the hue in sixths, the channel c of a colour is the largest within 1 of its own hue, the smallest from 2 on, and
 * in between a straight line: over the range of the channels, 2 less the distance of the hue from c's. Solved for that
 * distance by a colour's channels, c becomes 2c - (middle channel), cut at the smallest and the largest. A shift adds to the
 * distance on one side of c and takes from it on the other, which the order of the other two channels tells. Up to one
 * sixth it changes nothing that is not cut off again, so the circle needs no seam.
 */
function shiftHue(x: Value, shift: Value): Value {
  const [red, green, blue] = split(x, 1, 3) as [Value, Value, Value];
  const largest = maximum(maximum(red, green), blue);
  const smallest = minimum(minimum(red, green), blue);
  const middle = subtract(add(add(red, green), blue), add(largest, smallest));
  const side = clip(matMul(sides, x), -1, 1);
  const turned = multiply(side, multiply(shift, subtract(largest, smallest)));
  const moved = subtract(subtract(multiply(x, scalar(2)), middle), turned);
  return minimum(maximum(moved, smallest), largest);
}
