/**
 * One whole DINO step - views in, weights, moments, teacher and centre out - beside the same in plain PyTorch:
 *
 *     nice -n -20 node bench/train.ts [--rounds 5] [--threads 2] [--only vit-tiny-224] [--micro-batch 8]
 *
 * Batch 8, two global and six local crops, 4,096 prototypes, full head; views are made-up pixels on both sides, so nothing
 * but the step is timed. Each side is a process of its own, with the same number of threads and the memory allocator set as
 * for the engine (`--plain-torch` leaves PyTorch's as it comes), and they take turns, so that
 * whatever else the machine does hits both. The first steps, which allocate and compile, are not counted. Prints medians,
 * the median ratio of neighbouring steps, both peaks of resident memory, and GFLOP/s beside onnxruntime's own product of two
 * 1,024 x 1,024 matrices. Needs Debian's python3-torch.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { glibcTunables } from "../core/engine/supervisor.ts";
import { createTrainer } from "../core/engine/training/trainer.ts";
import { createGraph } from "../core/graph/graph.ts";
import { matMul } from "../core/graph/ops/linear.ts";
import { input } from "../core/graph/value.ts";
import { createOrtRuntime } from "../core/runtime/ort.ts";
import { floats } from "../core/runtime/runtime.ts";
import { caseSettings, trainingCases, trainingFlops } from "./training-cases.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    only: { type: "string" },
    "micro-batch": { type: "string", default: "8" },
    "plain-torch": { type: "boolean", default: false },
    worker: { type: "string" },
  },
});
const batch = 8;
const threads = Number(values.threads);
const rounds = Number(values.rounds);
const warmups = 3;
const allocator = { GLIBC_TUNABLES: glibcTunables };

/** What a side says of one step. */
interface Step {
  readonly seconds: number;
  readonly loss: number;
  readonly peak: number;
}

if (values.worker === undefined) await compare();
else await work(values.worker);

async function compare(): Promise<void> {
  console.log(`${threads} threads, load at the start ${loadavg()[0]?.toFixed(1)}`);
  for (const [name, { arch, globalSize, localSize }] of Object.entries(trainingCases)) {
    if (values.only !== undefined && values.only !== name) continue;
    const settings = caseSettings(name, batch);
    const { width, depth, heads, patch, grid } = settings.architecture;
    const options = { width, depth, heads, patch, grid, ...settings.head, globalSize, localSize, localCount: 6 };
    const ours = start(process.execPath, [import.meta.filename, "--worker", name, ...process.argv.slice(2)]);
    const script = join(import.meta.dirname, "train_torch.py");
    const asked = JSON.stringify({ ...options, batch, threads });
    const torch = start("/usr/bin/python3", [script, asked], values["plain-torch"] ? {} : allocator);
    const steps: { ours: Step; torch: Step }[] = [];
    for (let round = -warmups; round < rounds; round++) {
      const pair = { ours: await ours.step(), torch: await torch.step() };
      if (round >= 0) steps.push(pair);
    }
    const ceiling = await products();
    ours.stop();
    torch.stop();
    const seconds = (side: "ours" | "torch"): number => median(steps.map((pair) => pair[side].seconds));
    const work = trainingFlops(settings) / 1e9;
    const last = steps.at(-1);
    console.log(
      `${arch}/16, 2x${globalSize} + 6x${localSize}, ${work.toFixed(0)} GFLOP a step, load ${loadavg()[0]?.toFixed(1)}`,
    );
    for (const side of ["ours", "torch"] as const) {
      console.log(
        `  ${side.padEnd(6)} ${seconds(side).toFixed(2)} s, ${(work / seconds(side)).toFixed(0)} GFLOP/s, peak ${mebibytes(last?.[side].peak)}, ` +
          `loss ${last?.[side].loss.toFixed(3)}; rounds ${steps.map((pair) => pair[side].seconds.toFixed(2)).join(" ")}`,
      );
    }
    const ratios = steps.map((pair) => pair.torch.seconds / pair.ours.seconds);
    console.log(
      `  PyTorch / ours: median ${median(ratios).toFixed(2)}; onnxruntime's matrix product ${ceiling.toFixed(0)} GFLOP/s`,
    );
  }
}

/** Our side: a step for each line on standard input. */
async function work(name: string): Promise<void> {
  const settings = caseSettings(name, batch);
  const { globalSize, localSize, localCount } = settings.crops;
  const views = (count: number, size: number) => ({
    shape: [count * batch, 3, size, size],
    data: new Float32Array(count * batch * 3 * size * size).map(() => Math.random() * 2 - 1),
  });
  const feeds = { global: views(2, globalSize), local: views(localCount, localSize) };
  const runtime = createOrtRuntime("cpu", { threads });
  const trainer = await createTrainer({
    settings,
    runtime,
    augmented: false,
    microBatch: Number(values["micro-batch"]),
  });
  let iteration = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "") continue;
    const start = performance.now();
    const { loss } = await trainer.step({ feeds }, iteration++);
    const seconds = (performance.now() - start) / 1000;
    console.log(JSON.stringify({ seconds, loss, peak: peakBytes() } satisfies Step));
  }
}

function peakBytes(): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? NaN);
}

/** A side in a process of its own. */
function start(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = allocator,
): { step(): Promise<Step>; stop(): void } {
  const env = { ...process.env, ...environment };
  const child: ChildProcess = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env });
  if (child.stdin === null || child.stdout === null) throw new Error(`${command} has no pipes.`);
  const { stdin } = child;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    step: async () => {
      stdin.write("step\n");
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`${command} ended.`);
      return JSON.parse(value) as Step;
    },
    stop: () => stdin.end(),
  };
}

/** GFLOP/s of onnxruntime's product of two matrices of 1,024 x 1,024, the best of some runs. */
async function products(): Promise<number> {
  const size = 1024;
  const shape = [size, size];
  const graph = createGraph("product", { y: matMul(input("a", shape), input("b", shape)) });
  const program = await createOrtRuntime("cpu", { threads }).load(graph);
  const feeds = {
    a: floats(new Float32Array(size ** 2).fill(1), shape),
    b: floats(new Float32Array(size ** 2).fill(1), shape),
  };
  let best = Infinity;
  for (let i = 0; i < 20; i++) {
    const begin = performance.now();
    await program.run(feeds);
    best = Math.min(best, performance.now() - begin);
  }
  await program.release();
  return (2 * size ** 3) / best / 1e6;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

function mebibytes(bytes: number | undefined): string {
  return `${((bytes ?? NaN) / 2 ** 20).toFixed(0)} MiB`;
}
