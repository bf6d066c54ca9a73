/**
 * Augmentation of one batch: drawing, numbers for the graph and the graph, on a device, against torchvision with PIL in one process on the
 * same number of views. Pictures are noise unless a folder of photos is given, of which `--sheet` writes the views:
 *
 *     node bench/augmentation.ts [FOLDER --sheet views.png] [--device cpu] [--batch 8] [--source 256] [--global 224]
 *       [--local 96] [--count 6] [--colour official] [--python python3]
 *
 * Times are the smallest and the median of ten runs. Needs torchvision for the comparison.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGraph } from "../core/graph/graph.ts";
import { sumAll } from "../core/graph/ops/reduce.ts";
import { input } from "../core/graph/value.ts";
import { sharp } from "../core/image/setup.ts";
import { drawViews } from "../core/nn/augmentation/draw.ts";
import { viewFeeds } from "../core/nn/augmentation/feeds.ts";
import { augmentationGroups } from "../core/nn/augmentation/groups.ts";
import { augmentedViews } from "../core/nn/augmentation/views.ts";
import { createOrtRuntime, type OrtDevice } from "../core/runtime/ort.ts";
import { floatOutput, floats, type TensorData, type Tensors } from "../core/runtime/runtime.ts";
import { createRandom } from "../core/util/random.ts";

const { values, positionals } = parseArgs({
  options: {
    sheet: { type: "string" },
    device: { type: "string", default: "cpu" },
    batch: { type: "string", default: "8" },
    source: { type: "string", default: "256" },
    global: { type: "string", default: "224" },
    local: { type: "string", default: "96" },
    count: { type: "string", default: "6" },
    colour: { type: "string", default: "official" },
    python: { type: "string", default: "python3" },
  },
  allowPositionals: true,
});
const [batch, sourceSize, globalSize, localSize, localCount] = [
  values.batch,
  values.source,
  values.global,
  values.local,
  values.count,
].map(Number) as [number, number, number, number, number];
const [globalScale, localScale] = [
  [0.4, 1],
  [0.05, 0.4],
] as const;
const crops = { globalSize, localSize, localCount, globalScale, localScale, sourceSize };
const groups = augmentationGroups({ crops, colour: values.colour === "mild" ? "mild" : "official" });

const shape = [batch, 3, sourceSize, sourceSize];
const pixels = new Float32Array(batch * 3 * sourceSize ** 2);
const aspects = new Float32Array(batch).fill(1);
const folder = positionals[0];
if (folder === undefined) {
  const random = createRandom(1);
  pixels.forEach((_, i) => (pixels[i] = random.integer(256)));
} else {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.jpe?g$/i.test(name));
  for (let i = 0; i < batch; i++) {
    const bytes = readFileSync(join(folder, names.sort()[Math.floor(((i + 0.5) * names.length) / batch)] ?? ""));
    const { autoOrient } = await sharp(bytes).metadata();
    aspects[i] = autoOrient.width / autoOrient.height;
    const { data } = await sharp(bytes)
      .autoOrient()
      .resize({ width: sourceSize, height: sourceSize, fit: "fill", kernel: "cubic" })
      .removeAlpha()
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const plane = sourceSize ** 2;
    data.forEach((byte, at) => (pixels[i * 3 * plane + (at % 3) * plane + Math.floor(at / 3)] = byte));
  }
}

async function time(label: string, work: (iteration: number) => unknown): Promise<number> {
  const times: number[] = [];
  for (let iteration = 0; iteration < 11; iteration++) {
    const started = performance.now();
    await work(iteration);
    // The first run warms up.
    if (iteration > 0) times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const [best = NaN, median = NaN] = [times[0], times[5]];
  console.log(`${label.padEnd(12)} ${best.toFixed(1).padStart(7)} ms, median ${median.toFixed(1)} ms`);
  return best;
}

const draw = (iteration: number) => groups.map((group) => drawViews(group, aspects, { seed: 1, iteration }));
const drawn = draw(0);
const feeds = (): Tensors =>
  Object.fromEntries(
    groups.flatMap((group, i) =>
      Object.entries(viewFeeds(group, drawn[i] ?? [])).map(([name, { data, shape: sizes }]): [string, TensorData] => [
        name,
        floats(data, sizes),
      ]),
    ),
  );
const inputs = feeds();
const pictures = input("pictures", shape);
const views = Object.fromEntries(groups.map((group) => [group.name, augmentedViews(pictures, group)]));
const runtime = createOrtRuntime(values.device as OrtDevice);
// Sums alone leave the device, as in training.
const sums = Object.fromEntries(Object.entries(views).map(([name, value]) => [name, sumAll(value)]));
const program = await runtime.load(createGraph("augmentation", sums));

const drawing = await time("draw", draw);
const filling = await time("numbers", feeds);
const running = await time("graph", () => program.run({ pictures: floats(pixels, shape), ...inputs }));
await program.release();
const script = fileURLToPath(new URL("augmentation.py", import.meta.url));
const numbers = [batch, sourceSize, globalSize, localSize, localCount, 5].map(String);
const torch = 1000 * Number(execFileSync(values.python, [script, ...numbers], { encoding: "utf8" }));
console.log(`torchvision  ${torch.toFixed(1).padStart(7)} ms`);
console.log(`ratio        ${(torch / (drawing + filling + running)).toFixed(1).padStart(7)}`);

if (values.sheet !== undefined) {
  const full = await runtime.load(createGraph("augmentation", views));
  const outputs = await full.run({ pictures: floats(pixels, shape), ...inputs });
  const mean = [0.485, 0.456, 0.406];
  const std = [0.229, 0.224, 0.225];
  // A row for each picture: the whole of it as it is kept, its global views, its local ones.
  interface Tile {
    readonly data: Float32Array;
    readonly at: number;
    readonly size: number;
    readonly row: number;
    readonly raw: boolean;
  }
  const tiles = Array.from({ length: batch }, (_, i): Tile => ({
    data: pixels,
    at: i,
    size: sourceSize,
    row: i,
    raw: true,
  }));
  for (const { name, views: count, size } of groups) {
    const { data } = floatOutput(outputs, name);
    for (let at = 0; at < count * batch; at++) tiles.push({ data, at, size, row: at % batch, raw: false });
  }
  const lefts = new Array<number>(batch).fill(0);
  const layers = tiles.map(({ data, at, size, row, raw }) => {
    const plane = size ** 2;
    const rgb = Buffer.alloc(3 * plane);
    for (let i = 0; i < rgb.length; i++) {
      const value = data[at * 3 * plane + (i % 3) * plane + Math.floor(i / 3)] ?? 0;
      rgb[i] = raw ? value : Math.round(Math.min(1, Math.max(0, value * (std[i % 3] ?? 1) + (mean[i % 3] ?? 0))) * 255);
    }
    const left = lefts[row] ?? 0;
    lefts[row] = left + size + 4;
    return { input: rgb, raw: { width: size, height: size, channels: 3 as const }, left, top: row * (sourceSize + 4) };
  });
  const canvas = { width: Math.max(...lefts), height: batch * (sourceSize + 4), channels: 3 as const };
  await sharp({ create: { ...canvas, background: "white" } })
    .composite(layers)
    .png()
    .toFile(values.sheet);
  await full.release();
}
