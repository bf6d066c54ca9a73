import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createGraph } from "../../../core/graph/graph.ts";
import { input } from "../../../core/graph/value.ts";
import { decodeForModel } from "../../../core/image/model-input.ts";
import type { ColourStep, ViewDraw } from "../../../core/nn/augmentation/draw.ts";
import { centreView, drawViews } from "../../../core/nn/augmentation/draw.ts";
import { cropFeeds, viewFeeds } from "../../../core/nn/augmentation/feeds.ts";
import { augmentedViews, plainViews } from "../../../core/nn/augmentation/views.ts";
import { createOrtRuntime } from "../../../core/runtime/ort.ts";
import { floatOutput, floats } from "../../../core/runtime/runtime.ts";
import { createTfjsRuntime } from "../../../core/runtime/tfjs.ts";
import { createRandom } from "../../../core/util/random.ts";
import { plainView, type Planes } from "../../helpers/augmentation.ts";
import { blobs, from, temporaryFolder } from "../../image/pictures.ts";
import { refusalOf } from "../../helpers/refusal.ts";
import { largestDifference } from "../../helpers/tensors.ts";
import { asColours, asTensors, makeViews, planesOf, testGroup, unchanged } from "../../helpers/views.ts";

const first = [200, 100, 50];
const second = [10, 60, 120];
/** The two colours side by side, and once more below: PIL's figures are for a picture of these two pixels. */
const twoColours = planesOf(2, (x) => (x === 0 ? first : second));

async function changed(change: Partial<ViewDraw>): Promise<number[][]> {
  const view = await makeViews([twoColours], testGroup(1, 2, 2), [[{ ...unchanged, ...change }]]);
  return asColours(view).slice(0, 2);
}

const inPil: readonly [string, Partial<ViewDraw>, number[][], number][] = [
  // PIL cuts off what is behind the point, which is up to 1.
  [
    "brightness",
    { colour: [{ kind: "brightness", factor: 1.2 }] },
    [
      [240, 120, 60],
      [12, 72, 144],
    ],
    1,
  ],
  [
    "contrast",
    { colour: [{ kind: "contrast", factor: 0.7 }] },
    [
      [166, 96, 61],
      [33, 68, 110],
    ],
    1,
  ],
  [
    "saturation",
    { colour: [{ kind: "saturation", factor: 1.2 }] },
    [
      [215, 95, 35],
      [1, 61, 133],
    ],
    1,
  ],
  [
    "grey",
    { grey: true },
    [
      [124, 124, 124],
      [52, 52, 52],
    ],
    1,
  ],
  // PIL keeps hue and saturation as whole numbers up to 255: one step of hue is up to 6 levels of a pure colour.
  [
    "hue",
    { colour: [{ kind: "hue", shift: 0.05 }] },
    [
      [200, 142, 50],
      [10, 31, 120],
    ],
    3,
  ],
  [
    "solarize",
    { solarize: true },
    [
      [55, 100, 50],
      [10, 60, 120],
    ],
    1e-3,
  ],
];

test.each(inPil)("%s is PIL's", async (_, change, wanted, tolerance) => {
  expect(largestDifference((await changed(change)).flat(), wanted.flat())).toBeLessThan(tolerance);
});

test("a view that changes nothing is the picture", async () => {
  expect(largestDifference((await changed({})).flat(), [first, second].flat())).toBeLessThan(1e-3);
});

test.each([
  [1, [0, 1, 15, 75, 179, 240, 254, 255]],
  [2, [10, 28, 59, 103, 152, 196, 227, 245]],
])("an edge blurred by %i pixels is PIL's within 2 levels, as PIL blurs by boxes", async (sigma, wanted) => {
  const edge = planesOf(8, (x) => (x < 4 ? [0, 0, 0] : [255, 255, 255]));
  const view = await makeViews([edge], testGroup(1, 8, 8), [[{ ...unchanged, blur: sigma }]]);
  const rows = asColours(view).map(([red]) => red ?? NaN);
  for (let row = 0; row < 8; row++) {
    expect(largestDifference(rows.slice(row * 8, row * 8 + 8), wanted)).toBeLessThan(2);
  }
});

/** Pictures with every kind of pixel: noise, greys, black, white, pure colours, two channels alike. */
function difficultPictures(side: number, count: number): Planes[] {
  const random = createRandom(11);
  const special = [
    [0, 0, 0],
    [255, 255, 255],
    [255, 0, 0],
    [0, 255, 255],
    [255, 255, 0],
    [0, 0, 255],
    [90, 90, 90],
    [200, 40, 40],
    [40, 200, 200],
    [1, 0, 0],
  ];
  return Array.from({ length: count }, () =>
    planesOf(side, () =>
      random.next() < 0.5
        ? (special[random.integer(special.length)] ?? [])
        : [random.integer(256), random.integer(256), random.integer(256)],
    ),
  );
}

/** Largest difference to the plain implementation, in normalised values: 1 is about 57 levels. */
async function differenceToPlain(run: (...all: Parameters<typeof makeViews>) => ReturnType<typeof makeViews>) {
  const group = testGroup(5, 12, 16);
  const pictures = difficultPictures(16, 3);
  const draws = drawViews(group, [1, 0.6, 1.9], { seed: 5, iteration: 2 });
  const got = await run(pictures, group, draws);
  const wanted = Array.from({ length: group.views }, (_, view) =>
    pictures.map((picture, i) => plainView(picture, draws[i]?.[view] ?? unchanged, group.size)),
  ).flat(2);
  return largestDifference(got, wanted);
}

test("views are those of a plain implementation in float64, view by view and picture by picture", async () => {
  // A dozen steps in float32 on values up to 255, over a deviation of 57: some 1e-5. A contrast's mean that falls beside
  // a half would differ by a whole level (0.007), which this seed does not meet.
  expect(await differenceToPlain(makeViews)).toBeLessThan(2e-4);
});

test("TensorFlow.js makes the same views", async () => {
  const { runtime } = await createTfjsRuntime();
  expect(await differenceToPlain((pictures, group, draws) => makeViews(pictures, group, draws, runtime))).toBeLessThan(
    2e-4,
  );
});

test("every order of the colour changes is kept", async () => {
  const kinds = ["brightness", "contrast", "saturation", "hue"] as const;
  const orders = permutations(kinds);
  const step = (kind: (typeof kinds)[number]): ColourStep =>
    kind === "hue"
      ? { kind, shift: -0.08 }
      : { kind, factor: { brightness: 1.4, contrast: 1.35, saturation: 0.85 }[kind] };
  const draws = orders.map((order) => ({ ...unchanged, colour: order.map(step) }));
  const [picture] = difficultPictures(6, 1);
  if (picture === undefined) throw new Error("no picture");
  const got = await makeViews([picture], testGroup(24, 6, 6), [draws]);
  const wanted = draws.map((draw) => plainView(picture, draw, 6));
  expect(largestDifference(got, wanted.flat())).toBeLessThan(2e-4);
  // They are 24 different views, so an exchange would show.
  expect(new Set(wanted.map((view) => view.map((value) => value.toFixed(2)).join())).size).toBe(24);
});

function permutations<T>(values: readonly T[]): T[][] {
  if (values.length < 2) return [[...values]];
  return values.flatMap((value, i) => permutations(values.filter((_, j) => j !== i)).map((rest) => [value, ...rest]));
}

test("plain views are crops with nothing but flips", async () => {
  const [picture] = difficultPictures(16, 1);
  if (picture === undefined) throw new Error("no picture");
  const group = testGroup(2, 12, 16);
  const draws = drawViews(group, [1.3], { seed: 9, iteration: 0 });
  const graph = createGraph("views", { views: plainViews(input("pictures", [1, 3, 16, 16]), group) });
  const program = await createOrtRuntime("cpu").load(graph);
  const pictures = floats(Float32Array.from(picture.planes.flat()), [1, 3, 16, 16]);
  const outputs = await program.run({ pictures, ...asTensors(cropFeeds(group, draws)) });
  await program.release();
  const wanted = (draws[0] ?? []).flatMap(({ crop, flip }) => plainView(picture, { ...unchanged, crop, flip }, 12));
  expect(largestDifference(floatOutput(outputs, "views").data, wanted)).toBeLessThan(1e-4);
});

test("the central view is close to what embedding makes of the file", async () => {
  const { write } = temporaryFolder();
  const photo = blobs(331, 240, 3);
  const path = write("photo.png", await from(photo).png().toBuffer());
  const { data } = await from(photo).resize({ width: 128, height: 128, fit: "fill", kernel: "cubic" }).raw().toBuffer({
    resolveWithObject: true,
  });
  const square = planesOf(128, (x, y) => [...data.subarray((y * 128 + x) * 3, (y * 128 + x) * 3 + 3)]);
  const view = await makeViews([square], testGroup(1, 112, 128), [[centreView(331 / 240, 128, 112)]]);
  const wanted = await decodeForModel(path, { resize: 128, crop: 112 });
  const apart = asColours(view)
    .flat()
    .map((value, i) => Math.abs(value - (wanted[i] ?? NaN)));
  // Resized twice instead of once, and rounded in between.
  expect(apart.reduce((sum, difference) => sum + difference, 0) / apart.length).toBeLessThan(0.5);
});

test("pictures, draws and colour changes that do not fit are refused", () => {
  const group = testGroup(2, 12, 16);
  const pictures = input("pictures", [1, 3, 16, 18]);
  expect(refusalOf(() => augmentedViews(pictures, group))).toMatch(/^graph-shape: .*3,16,16.*3,16,18/);
  expect(refusalOf(() => augmentedViews(input("pictures", ["batch", 3, 16, 16]), group))).toMatch(/^graph-shape/);
  const feeds = (colour: readonly ColourStep[]) => () => viewFeeds(group, [[unchanged, { ...unchanged, colour }]]);
  expect(refusalOf(() => viewFeeds(group, [[unchanged]]))).toMatch(/^option-invalid: .*2 views.*1 draws/);
  expect(refusalOf(feeds([{ kind: "hue", shift: 0.3 }]))).toMatch(/^option-invalid: .*0.3/);
  expect(
    refusalOf(
      feeds([
        { kind: "hue", shift: 0.1 },
        { kind: "hue", shift: 0.1 },
      ]),
    ),
  ).toMatch(/^option-invalid: .*once/);
  const four = Array.from({ length: 4 }, (): ColourStep => ({ kind: "brightness", factor: 1 }));
  expect(refusalOf(feeds(four))).toMatch(/^option-invalid: .*3 changes/);
});

interface Fixture {
  readonly side: number;
  readonly size: number;
  readonly picture: string;
  readonly views: readonly {
    readonly box: readonly [number, number, number, number];
    readonly flip: boolean;
    readonly colour: readonly (readonly ["brightness" | "contrast" | "saturation" | "hue", number])[];
    readonly grey: boolean;
    readonly blur: number;
    readonly solarize: boolean;
    readonly pixels: string;
  }[];
}

test("views are those of torchvision and PIL", async () => {
  const file = new URL("../../fixtures/augmentation/views.json", import.meta.url);
  const { side, size, picture, views } = JSON.parse(readFileSync(file, "utf8")) as Fixture;
  const source = Buffer.from(picture, "base64");
  const pixels = planesOf(side, (x, y) => [...source.subarray((y * side + x) * 3, (y * side + x) * 3 + 3)]);
  const draws = views.map(({ box: [left, top, right, bottom], colour, ...rest }): ViewDraw => ({
    ...rest,
    crop: { left: left / side, top: top / side, width: (right - left) / side, height: (bottom - top) / side },
    colour: colour.map(([kind, amount]) => (kind === "hue" ? { kind, shift: amount } : { kind, factor: amount })),
  }));
  const got = await makeViews([pixels], testGroup(views.length, size, side), [draws]);
  const apart = (made: (i: number, length: number) => ArrayLike<number>): { mean: number; largest: number }[] =>
    views.map(({ pixels: wanted }, i) => {
      const bytes = Buffer.from(wanted, "base64");
      const view = asColours(made(i, bytes.length)).flat();
      const differences = view.map((value, j) => Math.abs(value - (bytes[j] ?? NaN)));
      return { mean: differences.reduce((sum, d) => sum + d, 0) / bytes.length, largest: Math.max(...differences) };
    });
  const plain = apart((i) => plainView(pixels, draws[i] ?? unchanged, size, true));
  const graph = apart((i, length) => got.subarray(i * length, (i + 1) * length));
  for (const [i, { blur }] of views.entries()) {
    const [inPil, inGraph] = [plain[i], graph[i]];
    // The plain implementation rounds as PIL does. What is left is one pixel in a thousand whose hue lies between two
    // whole numbers, and the blur: PIL's boxes see other pixels beyond the border.
    expect(inPil?.mean).toBeLessThan(blur > 0 ? 0.6 : 0.01);
    expect(inPil?.largest).toBeLessThan(blur > 0 ? 16 : 6);
    // The graph does not round. PIL truncates after each change of colour, so that it is darker by half a level a step, and
    // a step of hue is 6 levels of a pure colour, twice that when brightness and contrast rise afterwards.
    expect(inGraph?.mean).toBeLessThan(1.5);
    expect(inGraph?.largest).toBeLessThan(17);
  }
  expect(views).toHaveLength(5);
});
