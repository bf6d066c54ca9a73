import { createGraph } from "../graph/graph.ts";
import { matMul } from "../graph/ops/linear.ts";
import { sumLast } from "../graph/ops/reduce.ts";
import { input } from "../graph/value.ts";
import { errorRecord } from "../util/errors.ts";
import { createOrtRuntime, ortKnows, type OrtDevice } from "./ort.ts";
import { floatOutput, floats } from "./runtime.ts";

/** A device that was not chosen, and why, in a sentence for the user. */
export interface Refusal {
  readonly device: OrtDevice;
  readonly reason: string;
}

export interface Choice {
  readonly device: OrtDevice;
  readonly refused: readonly Refusal[];
}

/** Devices of a platform in the order in which they are tried; the CPU always works and comes last. */
export function deviceOrder(platform: NodeJS.Platform): readonly OrtDevice[] {
  if (platform === "win32") return ["webgpu", "directml", "cpu"];
  if (platform === "darwin") return ["webgpu", "coreml", "cpu"];
  return ["cuda", "webgpu", "cpu"];
}

/** Products that the speed check chains. */
const raceLength = 8;

/**
 * GFLOP/s of a chain of products of `size` x `size` matrices, wholly on the device, after one warm-up run whose result
 * is checked. Throws when the device cannot run it or gives wrong numbers.
 */
export async function measureProducts(device: OrtDevice, size = 512): Promise<number> {
  const shape = [size, size];
  let product = input("a", shape);
  const factor = input("b", shape);
  for (let i = 0; i < raceLength; i++) product = matMul(product, factor);
  const program = await createOrtRuntime(device, { allowFallback: false }).load(
    createGraph("race", { sums: sumLast(product) }),
  );
  try {
    // Ones times a matrix of 1 / size leave ones, so every sum of a row is the size.
    const feeds = {
      a: floats(new Float32Array(size ** 2).fill(1), shape),
      b: floats(new Float32Array(size ** 2).fill(1 / size), shape),
    };
    const { data } = floatOutput(await program.run(feeds), "sums");
    // Sizes are powers of two: every product and sum here is exact, on any device that rounds at all.
    if (data.some((sum) => Math.abs(sum - size) > 1e-2)) throw new Error("The device computes wrong numbers.");
    const start = performance.now();
    await program.run(feeds);
    return (2 * raceLength * size ** 3) / (performance.now() - start) / 1e6;
  } finally {
    await program.release();
  }
}

/**
 * The first device that works and beats the CPU, with the reason for each one before it. A software driver answers like
 * a card but is far slower than the CPU's own kernels, so the speed is measured and not believed.
 */
export async function chooseDevice(skip: readonly Refusal[] = [], platform = process.platform): Promise<Choice> {
  const refused: Refusal[] = [];
  let cpuSpeed: number | undefined;
  for (const device of deviceOrder(platform)) {
    if (device === "cpu") break;
    const known = skip.find((refusal) => refusal.device === device);
    if (known !== undefined) {
      refused.push(known);
      continue;
    }
    try {
      if (!ortKnows(device)) throw new Error(`This build of onnxruntime has no ${device} provider for ${platform}.`);
      cpuSpeed ??= await measureProducts("cpu");
      // Small products first: a software driver needs seconds for the large ones, a card is idle most of the small ones.
      const small = await measureProducts(device, 128);
      const speed = small < cpuSpeed / 100 ? small : await measureProducts(device);
      if (speed > cpuSpeed) return { device, refused };
      refused.push({
        device,
        reason: `Slower than the CPU here (${speed.toFixed(0)} against ${cpuSpeed.toFixed(0)} GFLOP/s): probably a software driver.`,
      });
    } catch (error) {
      refused.push({ device, reason: errorRecord(error).message });
    }
  }
  return { device: "cpu", refused };
}
