import { namedArchitecture, type Architecture } from "../nn/architecture.ts";
import { embeddingGraph, multiplyAdds } from "../nn/embedding-graph.ts";
import { initialWeights } from "../nn/initial-weights.ts";
import { measureProducts } from "../runtime/choose.ts";
import { createOrtRuntime, ortKnows } from "../runtime/ort.ts";
import { floatOutput, floats, type Runtime } from "../runtime/runtime.ts";
import { createTfjsRuntime } from "../runtime/tfjs.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import type { DeviceReport, EngineMethods } from "./protocol.ts";

/** A transformer small enough for the slowest device, with every operator of the real one. */
const tiny: Architecture = {
  ...namedArchitecture("vit-tiny", 16, 64),
  width: 24,
  depth: 3,
  heads: 3,
  hidden: 96,
};

/** Pictures in the measured batch: what embed uses on a card, and a multiple of what it uses on the CPU. */
const measuredBatch = 16;

/** A single picture slower than this is measured by itself, so that a slow device does not take minutes. */
const patienceMs = 1500;

/**
 * GFLOP/s in small products below which no picture is tried: a software driver reaches a tenth of it and would need a
 * minute or two, a card with the slowest start of its kernels several times as much.
 */
const patience = 1;

/** Systems for which onnxruntime has what not every build has. */
const homes: Readonly<Partial<Record<string, string>>> = {
  cuda: "Linux on x64",
  directml: "Windows",
  coreml: "macOS",
  webgpu: "Windows, macOS and Linux on x64",
};

/**
 * Self-test of one device: a tiny transformer against the CPU's figures, then a batch of ViT-S/16 at 224 px with
 * random weights. The reason in the report is null when the device works; a device that is far too slow is not measured
 * with pictures.
 */
export async function probeDevice({ device }: EngineMethods["probeDevice"]["request"]): Promise<DeviceReport> {
  const failed = (reason: string): DeviceReport => {
    return { device, reason, imagesPerSecond: null, gigaflopsPerSecond: null, relativeError: null };
  };
  try {
    if (device === "tfjs") {
      const { runtime } = await createTfjsRuntime();
      return { ...failed(""), reason: null, relativeError: await tinyError(runtime) };
    }
    if (!ortKnows(device)) return failed(`onnxruntime has it for ${homes[device] ?? "other systems"} only.`);
    const speed = await measureProducts(device, 128);
    const runtime = createOrtRuntime(device, { allowFallback: false });
    const relativeError = await tinyError(runtime);
    // Float32 in another order of summation, through three blocks; wrong kernels are off by orders of magnitude more.
    if (!(relativeError < 1e-3)) {
      throw new CoreError(
        "device-wrong",
        `The device computes wrong numbers: relative error ${relativeError.toExponential(1)}.`,
      );
    }
    const measured =
      device !== "cpu" && speed < patience
        ? { imagesPerSecond: null, gigaflopsPerSecond: speed }
        : await measureSmall(runtime);
    return { device, reason: null, relativeError, ...measured };
  } catch (error) {
    const { message } = errorRecord(error);
    return failed(message);
  }
}

/** Relative difference of a tiny transformer's CLS tokens from the CPU's. */
async function tinyError(runtime: Runtime): Promise<number> {
  const graph = embeddingGraph(tiny, initialWeights(tiny, 1), { height: 64, width: 48, outputs: ["cls"] });
  const pixels = Float32Array.from({ length: 2 * 3 * 64 * 48 }, (_, i) => Math.sin(i * 0.37));
  const run = async (on: Runtime): Promise<Float32Array> => {
    const program = await on.load(graph);
    const outputs = await program.run({ pixels: floats(pixels, [2, 3, 64, 48]) });
    await program.release();
    return floatOutput(outputs, "cls").data;
  };
  const [expected, found] = [await run(createOrtRuntime("cpu")), await run(runtime)];
  const norm = (values: Float32Array): number => Math.hypot(...values);
  return norm(found.map((value, i) => value - (expected[i] ?? NaN))) / norm(expected);
}

/** Images and floating-point operations a second of ViT-S/16 at 224 px. */
async function measureSmall(runtime: Runtime): Promise<{ imagesPerSecond: number; gigaflopsPerSecond: number }> {
  const architecture = namedArchitecture("vit-small");
  const outputs = ["cls", "clsAttention"] as const;
  const program = await runtime.load(
    embeddingGraph(architecture, initialWeights(architecture, 1), { height: 224, width: 224, outputs }),
  );
  const timed = async (batch: number): Promise<number> => {
    const pixels = new Float32Array(batch * 3 * 224 * 224).map((_, i) => Math.sin(i * 0.7));
    const start = performance.now();
    await program.run({ pixels: floats(pixels, [batch, 3, 224, 224]) });
    return (performance.now() - start) / batch;
  };
  let msPerImage = await timed(1);
  if (msPerImage < patienceMs) {
    await timed(measuredBatch);
    msPerImage = Math.min(await timed(measuredBatch), await timed(measuredBatch));
  }
  await program.release();
  const gigaflopsPerSecond = (2 * multiplyAdds(architecture, 224, 224)) / msPerImage / 1e6;
  return { imagesPerSecond: 1000 / msPerImage, gigaflopsPerSecond };
}
