/**
 * Takes the reference's first step on WebGPU with no help from the CPU, in a process of its own: the Vulkan driver is
 * chosen by the environment, and a driver that crashes must not take the tests with it. Prints a report as JSON.
 */
import { createTrainer } from "../../../core/engine/training/trainer.ts";
import { createOrtRuntime } from "../../../core/runtime/ort.ts";
import type { Runtime } from "../../../core/runtime/runtime.ts";
import { errorRecord } from "../../../core/util/errors.ts";
import { compareStep, startState, type StepErrors } from "../../helpers/training-parity.ts";
import { cropFeeds, settingsOfStep } from "../../helpers/training-reference.ts";

export interface WebGpuTraining {
  /** Why the device or the graph was refused. */
  readonly refused?: string;
  readonly errors?: StepErrors;
  /** Losses of two steps whose tensors stay on the device in between, here and on the CPU. */
  readonly losses?: { readonly webgpu: readonly number[]; readonly cpu: readonly number[] };
}

async function twoLosses(runtime: Runtime): Promise<number[]> {
  const trainer = await createTrainer({ settings: settingsOfStep(0), runtime, state: startState(), augmented: false });
  const first = await trainer.step({ feeds: cropFeeds(0) }, 0);
  const second = await trainer.step({ feeds: cropFeeds(1) }, 1);
  await trainer.release();
  return [first.loss, second.loss];
}

async function report(): Promise<WebGpuTraining> {
  const webgpu = createOrtRuntime("webgpu", { allowFallback: false });
  try {
    const { errors } = await compareStep(webgpu, 0, startState());
    return { errors, losses: { webgpu: await twoLosses(webgpu), cpu: await twoLosses(createOrtRuntime("cpu")) } };
  } catch (error) {
    return { refused: errorRecord(error).message };
  }
}

console.log(JSON.stringify(await report()));
