import { expect, test } from "vitest";
import { centreView, drawCrop, drawViews, type ViewDraw } from "../../../core/nn/augmentation/draw.ts";
import { augmentationGroups, type ViewGroup } from "../../../core/nn/augmentation/groups.ts";
import { createRandom, deriveSeed } from "../../../core/util/random.ts";
import { refusalOf } from "../../helpers/refusal.ts";

const crops = {
  globalSize: 224,
  localSize: 96,
  localCount: 6,
  globalScale: [0.4, 1],
  localScale: [0.05, 0.4],
  sourceSize: 256,
} as const;
const pictures = 4000;
const squares = new Float32Array(pictures).fill(1);

function groupsOf(colour: "official" | "mild"): readonly [ViewGroup, ViewGroup] {
  const [globals, locals] = augmentationGroups({ crops, colour });
  if (globals === undefined || locals === undefined) throw new Error("Two groups are wanted.");
  return [globals, locals];
}

/** The draws of one view over many pictures. */
function manyDraws(group: ViewGroup, view: number): readonly ViewDraw[] {
  const all = drawViews(group, squares, { seed: 1, iteration: 0 });
  return all.map((views) => views[view]).filter((draw) => draw !== undefined);
}

/** Asserts that so many of the draws are as they are with a chance of `chance`: within four standard errors. */
function expectShare(draws: readonly ViewDraw[], holds: (draw: ViewDraw) => boolean, chance: number): void {
  const share = draws.filter(holds).length / draws.length;
  expect(Math.abs(share - chance)).toBeLessThanOrEqual(4 * Math.sqrt((chance * (1 - chance)) / draws.length));
}

/** Asserts that values fill an interval evenly: none outside, the ends nearly reached, the mean in the middle. */
function expectEven(values: readonly number[], low: number, high: number): void {
  const width = high - low;
  expect(Math.min(...values)).toBeGreaterThanOrEqual(low);
  expect(Math.max(...values)).toBeLessThanOrEqual(high);
  // The chance that none of n values falls into a hundredth is 0.99^n, below 1e-8 for n from 1,900 on.
  expect(Math.min(...values)).toBeLessThan(low + 0.01 * width);
  expect(Math.max(...values)).toBeGreaterThan(high - 0.01 * width);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean - (low + high) / 2)).toBeLessThan((4 * width) / Math.sqrt(12 * values.length));
}

test.each([
  ["official", 0, 0, 1, 0],
  ["official", 0, 1, 0.1, 0.2],
  ["official", 1, 3, 0.5, 0],
  ["mild", 0, 1, 0.1, 0],
] as const)("%s, group %i, view %i: chances are those of the settings", (colour, group, view, blur, solarize) => {
  const draws = manyDraws(groupsOf(colour)[group], view);
  expectShare(draws, ({ flip }) => flip, 0.5);
  expectShare(draws, (draw) => draw.colour.length > 0, 0.8);
  expectShare(draws, ({ grey }) => grey, colour === "official" ? 0.2 : 0.05);
  expectShare(draws, (draw) => draw.blur > 0, blur);
  expectShare(draws, (draw) => draw.solarize, solarize);
});

test.each([
  ["official", { brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1 }],
  ["mild", { brightness: 0.4, contrast: 0.4, saturation: 0.1, hue: 0.02 }],
] as const)("%s colour changes fill their ranges, in every order", (colour, ranges) => {
  const steps = manyDraws(groupsOf(colour)[1], 0)
    .map((draw) => draw.colour)
    .filter((list) => list.length > 0);
  for (const kind of ["brightness", "contrast", "saturation"] as const) {
    const factors = steps.map((list) => list.find((step) => step.kind === kind)).map((step) => factorOf(step));
    expectEven(factors, 1 - ranges[kind], 1 + ranges[kind]);
  }
  const shifts = steps.map((list) => list.find((step) => step.kind === "hue")).map((step) => factorOf(step));
  expectEven(shifts, -ranges.hue, ranges.hue);
  const orders = Map.groupBy(steps, (list) => list.map(({ kind }) => kind).join());
  expect(orders.size).toBe(24);
  for (const { length } of orders.values()) {
    expect(Math.abs(length / steps.length - 1 / 24)).toBeLessThan(4 * Math.sqrt(1 / 24 / steps.length));
  }
});

function factorOf(step: ViewDraw["colour"][number] | undefined): number {
  if (step === undefined) return NaN;
  return step.kind === "hue" ? step.shift : step.factor;
}

test("crops of a square take even shares of its area and of the logarithm of proportions", () => {
  const random = createRandom(4);
  const draws = Array.from({ length: pictures }, () => drawCrop(random, [0.05, 0.4], 1));
  // Up to 0.4 of a square every proportion fits, so none is drawn again and what is drawn is seen.
  expectEven(
    draws.map(({ width, height }) => width * height),
    0.05,
    0.4,
  );
  expectEven(
    draws.map(({ width, height }) => Math.log(width / height)),
    Math.log(3 / 4),
    Math.log(4 / 3),
  );
  expectEven(
    draws.map(({ left, width }) => left / (1 - width)),
    0,
    1,
  );
  expectEven(
    draws.map(({ top, height }) => top / (1 - height)),
    0,
    1,
  );
});

test.each([0.3, 0.75, 1, 16 / 9, 2.5])("crops of a picture %f times as wide as high lie inside it", (aspect) => {
  const random = createRandom(8);
  for (let i = 0; i < 1000; i++) {
    const { left, top, width, height } = drawCrop(random, [0.25, 1], aspect);
    expect(Math.min(left, top, width, height)).toBeGreaterThanOrEqual(0);
    expect(Math.max(left + width, top + height)).toBeLessThanOrEqual(1 + 1e-12);
    // In the picture's own proportions, with the little that a float loses.
    expect((width * aspect) / height).toBeGreaterThan(3 / 4 - 1e-9);
    expect((width * aspect) / height).toBeLessThan(4 / 3 + 1e-9);
  }
});

test("where nothing fits in ten tries, the largest central crop of allowed proportions is taken", () => {
  const random = createRandom(2);
  const wide = drawCrop(random, [0.9, 1], 10);
  expect(wide.height).toBe(1);
  expect(wide.width).toBeCloseTo(4 / 30, 12);
  expect(wide.left).toBeCloseTo((1 - 4 / 30) / 2, 12);
  const high = drawCrop(random, [0.9, 1], 0.1);
  expect(high.width).toBe(1);
  expect(high.height).toBeCloseTo(0.1 / 0.75, 12);
  expect(high.top).toBeCloseTo((1 - 0.1 / 0.75) / 2, 12);
});

test("a draw depends on seed, iteration, group and place in the batch, and on nothing drawn before", () => {
  const [globals, locals] = groupsOf("official");
  const aspects = [1, 1.5, 0.7, 1.2];
  const whole = drawViews(globals, aspects, { seed: 3, iteration: 70 });
  const end = drawViews(globals, aspects.slice(2), { seed: 3, iteration: 70, first: 2 });
  expect(end).toEqual(whole.slice(2));
  const differ = [
    drawViews(globals, aspects, { seed: 4, iteration: 70 }),
    drawViews(globals, aspects, { seed: 3, iteration: 71 }),
    drawViews(globals, aspects, { seed: 3, iteration: 70, first: 1 }),
    drawViews(locals, aspects, { seed: 3, iteration: 70 }),
  ];
  for (const other of differ) expect(other[0]?.[0]).not.toEqual(whole[0]?.[0]);
  expect(whole[0]?.[0]).not.toEqual(whole[0]?.[1]);
});

test("seeds of neighbouring places share nothing", () => {
  const seeds = new Set<number>();
  for (let iteration = 0; iteration < 300; iteration++) {
    for (let picture = 0; picture < 300; picture++) seeds.add(deriveSeed(0, iteration, picture));
  }
  // 90,000 of 2^32 numbers: one pair that coincides is to be expected, more than eight are not (Poisson, below 1e-5).
  expect(90_000 - seeds.size).toBeLessThanOrEqual(8);
  expect(deriveSeed(1, 2, 3)).not.toBe(deriveSeed(1, 3, 2));
});

test("sigmas of the blur are in proportion to the size of the view", () => {
  const small = augmentationGroups({ crops: { ...crops, globalSize: 112, localSize: 48 }, colour: "official" });
  expect(small.map(({ blurSigma }) => blurSigma)).toEqual([
    [0.05, 1],
    [0.05, 1],
  ]);
  const sigmas = manyDraws(groupsOf("official")[0], 0).map(({ blur }) => blur);
  expectEven(sigmas, 0.1, 2);
});

test("without local views there is one group", () => {
  const alone = augmentationGroups({ crops: { ...crops, localCount: 0 }, colour: "official" });
  expect(alone.map(({ name }) => name)).toEqual(["global"]);
});

test("the central view has the numbers of torchvision's Resize(256) and CenterCrop(224)", () => {
  // 400 x 300 becomes 341 x 256.
  const { crop } = centreView(4 / 3, 256, 224);
  expect(crop.width).toBeCloseTo(224 / 341, 12);
  expect(crop.height).toBeCloseTo(224 / 256, 12);
  expect(crop.left).toBeCloseTo((1 - 224 / 341) / 2, 12);
  expect(centreView(0.5, 256, 224).crop.height).toBeCloseTo(224 / 512, 12);
});

test("what cannot be drawn is refused", () => {
  const [globals] = groupsOf("official");
  const at = { seed: 1, iteration: 0 };
  for (const aspect of [0, -1, NaN, Infinity]) {
    expect(refusalOf(() => drawViews(globals, [aspect], at))).toMatch(/^option-invalid: .*width over its height/);
  }
  expect(refusalOf(() => drawViews({ ...globals, scale: [0, 1] }, [1], at))).toMatch(/^option-invalid/);
  expect(refusalOf(() => drawViews({ ...globals, blur: [1] }, [1], at))).toMatch(/^option-invalid/);
  expect(refusalOf(() => centreView(1, 200, 224))).toMatch(/^option-invalid: .*no square of 224/);
});
