import { emptyBitmap, type Bitmap } from "./bitmap.ts";
import { lerpRow, lerpTable, shrinkPicture, type Picture } from "./resample.ts";

export interface GuidedFilterOptions {
  /** Pixels from the middle of a window to its side, at the working size. */
  readonly radius: number;
  /** How much contrast (squared, of values from 0 to 1) counts as an edge; 1e-4 to 1e-2 is usual. */
  readonly epsilon: number;
}

/** For each pixel the linear model of the mask in the colours around it: q = a . colour + b. */
export interface LocalModels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, then the constant: four planes. */
  readonly planes: readonly Float32Array[];
}

/** Pixels that windows are computed on, at most; 16 planes of float32 of this size are the memory that it takes. */
export const workingPixels = 2 ** 18;

/** Size of a picture for the filter: its own, or its proportions with `workingPixels` pixels. */
export function workingSize(width: number, height: number): { readonly width: number; readonly height: number } {
  const scale = Math.min(1, Math.sqrt(workingPixels / (width * height)));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * The guided filter in colour (He, Sun, Tang 2013, section 3.4): within each window the mask is fitted as a linear
 * function of the picture's colours, so it gets edges where the picture has them. `guide` is three planes of values from 0
 * to 1, `mask` the scores to fit. Box filters by running sums: the time does not depend on the radius.
 */
export function fitLocalModels(
  guide: readonly Float32Array[],
  mask: Float32Array,
  width: number,
  height: number,
  options: GuidedFilterOptions,
): LocalModels {
  return fitToGuide(describeGuide(guide, width, height, options), mask);
}

/** What the filter knows of a picture before there is a mask: the means and products of its colours in each window. */
export interface GuideMoments extends GuidedFilterOptions {
  readonly width: number;
  readonly height: number;
  readonly colours: readonly Float32Array[];
  readonly means: readonly Float32Array[];
  /** Red by red, by green, by blue, green by green, by blue, blue by blue. */
  readonly products: readonly Float32Array[];
}

/** The first half of `fitLocalModels`, to be kept while masks are tried on one picture. */
export function describeGuide(
  guide: readonly Float32Array[],
  width: number,
  height: number,
  { radius, epsilon }: GuidedFilterOptions,
): GuideMoments {
  const box = (values: Float32Array): Float32Array => boxMean(values, width, height, radius);
  const [red, green, blue] = guide as readonly [Float32Array, Float32Array, Float32Array];
  const pairs = [
    [red, red],
    [red, green],
    [red, blue],
    [green, green],
    [green, blue],
    [blue, blue],
  ] as const;
  const products = pairs.map(([a, b]) => box(product(a, b)));
  return { width, height, radius, epsilon, colours: [red, green, blue], means: guide.map(box), products };
}

function product(a: Float32Array, b: Float32Array): Float32Array {
  const result = new Float32Array(a.length);
  for (let i = 0; i < a.length; i++) result[i] = (a[i] as number) * (b[i] as number);
  return result;
}

/** The second half: the models of one mask. */
export function fitToGuide(guide: GuideMoments, mask: Float32Array): LocalModels {
  const { width, height, radius, epsilon, colours, means, products } = guide;
  const box = (values: Float32Array): Float32Array => boxMean(values, width, height, radius);
  type Three = readonly [Float32Array, Float32Array, Float32Array];
  const [mr, mg, mb] = means as Three;
  const [rr, rg, rb, gg, gb, bb] = products as readonly [...Three, ...Three];
  const mean = box(mask);
  const [cr, cg, cb] = colours.map((colour) => box(product(colour, mask))) as unknown as Three;
  for (let i = 0; i < mask.length; i++) {
    const [r, g, b, m] = [mr[i] as number, mg[i] as number, mb[i] as number, mean[i] as number];
    // The covariance of the colours in the window, epsilon on its diagonal, and its inverse by cofactors.
    const srr = (rr[i] as number) - r * r + epsilon;
    const srg = (rg[i] as number) - r * g;
    const srb = (rb[i] as number) - r * b;
    const sgg = (gg[i] as number) - g * g + epsilon;
    const sgb = (gb[i] as number) - g * b;
    const sbb = (bb[i] as number) - b * b + epsilon;
    const irr = sgg * sbb - sgb * sgb;
    const irg = srb * sgb - srg * sbb;
    const irb = srg * sgb - srb * sgg;
    const igg = srr * sbb - srb * srb;
    const igb = srg * srb - srr * sgb;
    const ibb = srr * sgg - srg * srg;
    const determinant = srr * irr + srg * irg + srb * irb;
    const vr = (cr[i] as number) - r * m;
    const vg = (cg[i] as number) - g * m;
    const vb = (cb[i] as number) - b * m;
    const ar = (irr * vr + irg * vg + irb * vb) / determinant;
    const ag = (irg * vr + igg * vg + igb * vb) / determinant;
    const ab = (irb * vr + igb * vg + ibb * vb) / determinant;
    // The planes of the products are not needed any more at i: they take the result.
    cr[i] = ar;
    cg[i] = ag;
    cb[i] = ab;
    mean[i] = m - ar * r - ag * g - ab * b;
  }
  return { width, height, planes: [cr, cg, cb, mean].map(box) };
}

/**
 * The mask that local models give on the picture at full size: models are interpolated between the pixels they were made
 * for (fast guided filter: He and Sun 2015) and applied to every pixel's own colour; foreground from 0.5 on.
 */
export function applyLocalModels({ width, height, planes }: LocalModels, picture: Picture): Bitmap {
  const across = lerpTable(width, picture.width);
  const down = lerpTable(height, picture.height);
  const bitmap = emptyBitmap(picture.width, picture.height);
  const rows = planes.map(() => new Float32Array(width + 1));
  const [red, green, blue, constant] = rows as [Float32Array, Float32Array, Float32Array, Float32Array];
  for (let y = 0; y < picture.height; y++) {
    planes.forEach((plane, k) => {
      lerpRow(plane, width, height, down.low[y] as number, down.weight[y] as number, rows[k] as Float32Array);
    });
    for (let x = 0, at = 3 * y * picture.width; x < picture.width; x++, at += 3) {
      const low = across.low[x] as number;
      const next = across.weight[x] as number;
      const here = 1 - next;
      const r = here * (red[low] as number) + next * (red[low + 1] as number);
      const g = here * (green[low] as number) + next * (green[low + 1] as number);
      const b = here * (blue[low] as number) + next * (blue[low + 1] as number);
      const c = here * (constant[low] as number) + next * (constant[low + 1] as number);
      const q =
        (r * (picture.data[at] as number) +
          g * (picture.data[at + 1] as number) +
          b * (picture.data[at + 2] as number)) /
          255 +
        c;
      bitmap.data[y * picture.width + x] = q >= 0.5 ? 1 : 0;
    }
  }
  return bitmap;
}

/** A mask with the edges of its picture. `scores` gives the mask at a working size; windows reach `options.radius` there. */
export function refineEdges(
  picture: Picture,
  scores: (width: number, height: number) => Float32Array,
  options: GuidedFilterOptions,
): Bitmap {
  return refineAlong(pictureMoments(picture, options), picture, scores);
}

/** What the filter knows of a picture, at its working size. */
export function pictureMoments(picture: Picture, options: GuidedFilterOptions): GuideMoments {
  const { width, height } = workingSize(picture.width, picture.height);
  return describeGuide(shrinkPicture(picture, width, height), width, height, options);
}

/** `refineEdges` with the moments of the picture at hand. */
export function refineAlong(
  moments: GuideMoments,
  picture: Picture,
  scores: (width: number, height: number) => Float32Array,
): Bitmap {
  return applyLocalModels(fitToGuide(moments, scores(moments.width, moments.height)), picture);
}

/** Mean over the square of pixels up to `radius` away, as much of it as lies inside. */
export function boxMean(values: Float32Array, width: number, height: number, radius: number): Float32Array {
  const middle = new Float32Array(values.length);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    let sum = 0;
    for (let x = 0; x < Math.min(radius, width); x++) sum += values[row + x] as number;
    for (let x = 0; x < width; x++) {
      if (x + radius < width) sum += values[row + x + radius] as number;
      if (x > radius) sum -= values[row + x - radius - 1] as number;
      middle[row + x] = sum / (Math.min(x + radius, width - 1) - Math.max(x - radius, 0) + 1);
    }
  }
  const result = new Float32Array(values.length);
  const sums = new Float64Array(width);
  const addRow = (y: number, sign: number): void => {
    for (let x = 0; x < width; x++) sums[x] = (sums[x] as number) + sign * (middle[y * width + x] as number);
  };
  for (let y = 0; y < Math.min(radius, height); y++) addRow(y, 1);
  for (let y = 0; y < height; y++) {
    if (y + radius < height) addRow(y + radius, 1);
    if (y > radius) addRow(y - radius - 1, -1);
    const count = Math.min(y + radius, height - 1) - Math.max(y - radius, 0) + 1;
    for (let x = 0; x < width; x++) result[y * width + x] = (sums[x] as number) / count;
  }
  return result;
}
