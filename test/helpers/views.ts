/** Runs the augmentation graph, for tests of core/nn/augmentation. */
import { createGraph } from "../../core/graph/graph.ts";
import { input } from "../../core/graph/value.ts";
import type { WeightTensor } from "../../core/nn/architecture.ts";
import type { ViewDraw } from "../../core/nn/augmentation/draw.ts";
import { viewFeeds } from "../../core/nn/augmentation/feeds.ts";
import type { ViewGroup } from "../../core/nn/augmentation/groups.ts";
import { augmentedViews } from "../../core/nn/augmentation/views.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { floatOutput, floats, type Runtime, type TensorData, type Tensors } from "../../core/runtime/runtime.ts";
import type { Planes } from "./augmentation.ts";

/** A group with every stage, for `views` views of `size` pixels from squares of `sourceSize`. */
export function testGroup(views: number, size: number, sourceSize: number): ViewGroup {
  return {
    name: "some",
    views,
    size,
    sourceSize,
    scale: [0.2, 1],
    colour: { chance: 0.9, brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1, grey: 0.2 },
    blur: Array.from({ length: views }, () => 0.5),
    blurSigma: [0.1, 2],
    solarize: Array.from({ length: views }, () => 0.3),
  };
}

/** A draw that changes nothing. */
export const unchanged: ViewDraw = {
  crop: { left: 0, top: 0, width: 1, height: 1 },
  flip: false,
  colour: [],
  grey: false,
  blur: 0,
  solarize: false,
};

/** The views of some pictures, as `augmentedViews` gives them: view 0 of every picture first. */
export async function makeViews(
  pictures: readonly Planes[],
  group: ViewGroup,
  draws: readonly (readonly ViewDraw[])[],
  runtime: Runtime = createOrtRuntime("cpu"),
): Promise<Float32Array> {
  const shape = [pictures.length, 3, group.sourceSize, group.sourceSize];
  const program = await runtime.load(createGraph("views", { views: augmentedViews(input("pictures", shape), group) }));
  try {
    const feeds = asTensors(viewFeeds(group, draws));
    const pixels = floats(Float32Array.from(pictures.flatMap(({ planes }) => planes.flat())), shape);
    const outputs = await program.run({ pictures: pixels, ...feeds });
    return floatOutput(outputs, "views").data;
  } finally {
    await program.release();
  }
}

/** Feeds as a program takes them. */
export function asTensors(feeds: Readonly<Record<string, WeightTensor>>): Tensors {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]): [string, TensorData] => [name, floats(data, shape)]),
  );
}

/** Normalised planes [3, pixels] as pixels of 0..255. */
export function asColours(view: ArrayLike<number>): number[][] {
  const pixels = view.length / 3;
  const mean = [0.485, 0.456, 0.406];
  const deviation = [0.229, 0.224, 0.225];
  return Array.from({ length: pixels }, (_, i) =>
    mean.map((middle, c) => 255 * ((view[c * pixels + i] ?? NaN) * (deviation[c] ?? NaN) + middle)),
  );
}

/** A square picture from a colour per place. */
export function planesOf(side: number, colour: (x: number, y: number) => readonly number[]): Planes {
  const plane = (c: number): number[] =>
    Array.from({ length: side * side }, (_, i) => colour(i % side, Math.floor(i / side))[c] ?? NaN);
  return { side, planes: [plane(0), plane(1), plane(2)] };
}
