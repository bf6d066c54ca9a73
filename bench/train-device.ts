/**
 * DINO steps on a device as a run takes them, from photos: the thread that decodes and draws, views made in the graph,
 * forward, backward, optimiser.
 *
 *     node bench/train-device.ts FOLDER [--device webgpu] [--case vit-tiny-224] [--batch 64] [--micro-batch 64]
 *       [--steps 20] [--python python3]
 *
 * Prints images/s and TFLOP/s; the share of what the device does in a chain of its own products of 4,096 x 4,096 (512 on the
 * CPU); and how much of the time steps took, the rest being waits for pictures. With --python, PyTorch's step in float32 on
 * the same device is timed after it: on CUDA where the device is not the CPU, on views that are there already.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createLoader } from "../core/engine/training/loader.ts";
import { createTrainer } from "../core/engine/training/trainer.ts";
import { measureProducts } from "../core/runtime/choose.ts";
import { createOrtRuntime, type OrtDevice } from "../core/runtime/ort.ts";
import { caseSettings, trainingFlops } from "./training-cases.ts";

const { values, positionals } = parseArgs({
  options: {
    device: { type: "string", default: "webgpu" },
    case: { type: "string", default: "vit-tiny-224" },
    batch: { type: "string", default: "64" },
    "micro-batch": { type: "string" },
    steps: { type: "string", default: "20" },
    python: { type: "string" },
  },
  allowPositionals: true,
});
const device = values.device as OrtDevice;
const steps = Number(values.steps);
const batch = Number(values.batch);
const microBatch = Number(values["micro-batch"] ?? batch);
const settings = { ...caseSettings(values.case, batch), iterations: 1_000_000 };
const work = trainingFlops(settings);
const folder = resolve(positionals[0] ?? ".");
const paths = globSync("**/*.{jpg,jpeg,png,webp}", { cwd: folder }).map((path) => join(folder, path));
if (paths.length < batch) throw new Error(`${folder} has ${paths.length} pictures, and a batch is ${batch}.`);
const cacheBytes = 4 * 2 ** 30;
/** Steps that allocate and compile, and passes over the pictures that decode them. */
const warmups = Math.max(3, Math.ceil(paths.length / batch));

const ceiling = (await measureProducts(device, device === "cpu" ? 512 : 4096)) * 1e9;
const loader = createLoader({ paths, settings, byteLimit: cacheBytes });
const runtime = createOrtRuntime(device);
const trainer = await createTrainer({ settings, runtime, microBatch, augmented: true });
const waits: number[] = [];
const whole: number[] = [];
let loss = NaN;
for (let i = 0; i < warmups + steps; i++) {
  const asked = performance.now();
  const pictures = await loader.batch(i);
  const there = performance.now();
  ({ loss } = await trainer.step(pictures, i));
  if (i < warmups) continue;
  waits.push(there - asked);
  whole.push(performance.now() - asked);
}
const { microBatch: used } = trainer;
await trainer.release();
await loader.close();

const total = whole.reduce((sum, ms) => sum + ms, 0);
const waited = waits.reduce((sum, ms) => sum + ms, 0);
const seconds = median(whole) / 1000;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
console.log(
  `${values.case} on ${device}, batch ${batch} in micro-batches of ${used}, ${paths.length} pictures, loss ${loss.toFixed(3)}`,
);
console.log(
  `  a step ${seconds.toFixed(3)} s: ${(batch / seconds).toFixed(1)} images/s, ${(work / seconds / 1e12).toFixed(3)} TFLOP/s, ` +
    `${percent(work / seconds / ceiling)} of the device's ${(ceiling / 1e12).toFixed(2)} TFLOP/s in products`,
);
console.log(`  ${percent(1 - waited / total)} of the time in steps, ${percent(waited / total)} waiting for pictures`);
if (values.python !== undefined) torch(values.python);

function torch(python: string): void {
  const { width, depth, heads, patch, grid } = settings.architecture;
  const { globalSize, localSize, localCount } = settings.crops;
  const shape = { width, depth, heads, patch, grid, ...settings.head, globalSize, localSize, localCount };
  const asked = { ...shape, batch, threads: 2, device: device === "cpu" ? "cpu" : "cuda" };
  const { stdout, stderr } = spawnSync(python, [join(import.meta.dirname, "train_torch.py"), JSON.stringify(asked)], {
    input: "step\n".repeat(3 + steps),
    encoding: "utf8",
  });
  const lines = stdout.trim().split("\n").slice(3);
  if (lines.length === 0) return console.log(`  PyTorch did not run: ${stderr.trim().split("\n").at(-1)}`);
  const theirs = median(lines.map((line) => (JSON.parse(line) as { seconds: number }).seconds));
  console.log(
    `  PyTorch: ${theirs.toFixed(3)} s, ${(batch / theirs).toFixed(1)} images/s, ${(theirs / seconds).toFixed(2)} times ours`,
  );
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}
