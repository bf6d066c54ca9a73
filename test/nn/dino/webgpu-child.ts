/**
 * Takes the reference's first step on WebGPU with no help from the CPU, in a process of its own: the Vulkan driver is
 * chosen by the environment, and a driver that crashes must not take the tests with it. Prints a report as JSON.
 */
import { createTrainer, type TrainingBatch } from "../../../core/engine/training/trainer.ts";
import { drawViews } from "../../../core/nn/augmentation/draw.ts";
import { viewFeeds } from "../../../core/nn/augmentation/feeds.ts";
import { augmentationGroups } from "../../../core/nn/augmentation/groups.ts";
import { drawDropPath } from "../../../core/nn/dino/drop-path.ts";
import type { TrainingSettings } from "../../../core/nn/dino/settings.ts";
import { createOrtRuntime } from "../../../core/runtime/ort.ts";
import type { Runtime } from "../../../core/runtime/runtime.ts";
import { errorRecord } from "../../../core/util/errors.ts";
import { createRandom } from "../../../core/util/random.ts";
import { compareStep, startState, type StepErrors } from "../../helpers/training-parity.ts";
import { cropFeeds, settingsOfStep } from "../../helpers/training-reference.ts";

export interface WebGpuTraining {
  /** Why the device or the graph was refused. */
  readonly refused?: string;
  readonly errors?: StepErrors;
  /** Losses of two steps whose tensors stay on the device in between, here and on the CPU. */
  readonly losses?: Losses;
  /** Losses of two steps as a run takes them: views made in the graph, micro-batches added up, drop path, scales trained. */
  readonly wholeLosses?: Losses;
}

interface Losses {
  readonly webgpu: readonly number[];
  readonly cpu: readonly number[];
}

async function twoLosses(runtime: Runtime): Promise<number[]> {
  const trainer = await createTrainer({ settings: settingsOfStep(0), runtime, state: startState(), augmented: false });
  const first = await trainer.step({ feeds: cropFeeds(0) }, 0);
  const second = await trainer.step({ feeds: cropFeeds(1) }, 1);
  await trainer.release();
  return [first.loss, second.loss];
}

/** Two pictures, one at a time. */
const wholeSettings: TrainingSettings = {
  ...settingsOfStep(0),
  head: { ...settingsOfStep(0).head, fixedScale: false },
  colour: "official",
  batch: 2,
  microBatch: 1,
  freezeLastLayer: 0,
  dropPath: 0.2,
  seed: 3,
};

async function wholeLosses(runtime: Runtime): Promise<number[]> {
  const { crops, seed } = wholeSettings;
  const trainer = await createTrainer({ settings: wholeSettings, runtime, microBatch: 1, augmented: true });
  const random = createRandom(seed);
  const pictures = Float32Array.from({ length: 2 * 3 * crops.sourceSize ** 2 }, () => random.integer(256));
  const losses: number[] = [];
  for (const iteration of [0, 1]) {
    const feeds = Object.assign(
      {},
      ...augmentationGroups(wholeSettings).map((group) =>
        viewFeeds(group, drawViews(group, [1, 1.3], { seed, iteration })),
      ),
    ) as TrainingBatch["feeds"];
    const dropPath = drawDropPath(createRandom(seed + iteration), wholeSettings);
    losses.push((await trainer.step({ pictures, feeds, dropPath }, iteration)).loss);
  }
  await trainer.release();
  return losses;
}

async function report(): Promise<WebGpuTraining> {
  const webgpu = createOrtRuntime("webgpu", { allowFallback: false });
  try {
    const { errors } = await compareStep(webgpu, 0, startState());
    const cpu = createOrtRuntime("cpu");
    return {
      errors,
      losses: { webgpu: await twoLosses(webgpu), cpu: await twoLosses(cpu) },
      wholeLosses: { webgpu: await wholeLosses(webgpu), cpu: await wholeLosses(cpu) },
    };
  } catch (error) {
    return { refused: errorRecord(error).message };
  }
}

console.log(JSON.stringify(await report()));
