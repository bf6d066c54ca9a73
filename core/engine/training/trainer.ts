import { hyperValues } from "../../nn/dino/optimizer.ts";
import { smallerMicroBatch } from "../../nn/dino/micro-batch.ts";
import { iterationValues, type IterationValues } from "../../nn/dino/schedules.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { readMeasures, stateNames } from "../../nn/dino/step.ts";
import { CoreError } from "../../util/errors.ts";
import { microBatches, viewSource } from "./feeds.ts";
import { loadStepPrograms, releaseAll } from "./programs.ts";
import { copiedState, initialTensors } from "./state.ts";
import type { StepMetrics, Trainer, TrainerOptions, TrainingBatch } from "./types.ts";

export type { StepMetrics, Trainer, TrainerOptions, TrainerState, TrainingBatch } from "./types.ts";

/**
 * Loads a training on a device: weights, moments, teacher and centre stay there from step to step. A step is a run of one
 * graph for each micro-batch, which adds up gradients, and one for the optimiser. Where the device has no memory left for a
 * micro-batch, the step is taken again in smaller ones. Throws `training-state` for a state that does not fit the settings,
 * `option-invalid` for a micro-batch that does not divide the batch.
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { settings, runtime, state, augmented } = options;
  let { microBatch = settings.batch } = options;
  if (!Number.isInteger(microBatch) || microBatch < 1 || settings.batch % microBatch !== 0) {
    throw new CoreError(
      "option-invalid",
      `A micro-batch of ${microBatch} does not divide the batch of ${settings.batch}.`,
      { hint: "Choose a divisor of the batch." },
    );
  }
  const start = initialTensors(settings, state);
  const programs = await loadStepPrograms(settings, runtime, microBatch, viewSource(settings, microBatch, augmented));
  let tensors = programs.adopt(start);
  let taken = state?.iteration ?? 0;
  let centreNorm = Math.hypot(...(start.get(stateNames.centre)?.data ?? []));
  const backward = async (batch: TrainingBatch, hyper: Float32Array, signal?: AbortSignal): Promise<Float32Array> => {
    for (;;) {
      try {
        return await programs.backward(tensors, microBatches(settings, batch, microBatch, augmented), hyper, signal);
      } catch (error) {
        const smaller = smallerMicroBatch(settings.batch, microBatch);
        if (!(error instanceof CoreError) || error.code !== "device-memory" || smaller === null) throw error;
        await programs.resize(smaller, viewSource(settings, smaller, augmented));
        microBatch = smaller;
      }
    }
  };
  return {
    get microBatch() {
      return microBatch;
    },
    step: async (batch, iteration, signal) => {
      const hyper = hyperValues(settings, iteration);
      const measured = measuredMetrics(settings, await backward(batch, hyper, signal));
      // A step that is not finite is left out: the tensors before it stay as they are.
      if (measured.finite) {
        ({ tensors, centreNorm } = await programs.update(tensors, hyper));
        taken = iteration + 1;
      }
      return { ...iterationValues(settings, iteration), ...measured, centreNorm };
    },
    state: () => copiedState(settings, taken, tensors),
    release: async () => {
      releaseAll(tensors);
      await programs.release();
    },
  };
}

function measuredMetrics(
  settings: TrainingSettings,
  measures: Float32Array,
): Omit<StepMetrics, keyof IterationValues | "centreNorm"> {
  const { gradientNorms, ...means } = readMeasures(settings, measures);
  const norms = [...gradientNorms.values()];
  const gradientNorm = Math.hypot(...norms);
  return {
    ...means,
    divergence: means.loss - means.teacherEntropy,
    gradientNorm,
    largestGradientNorm: Math.max(...norms),
    finite: Number.isFinite(means.loss) && Number.isFinite(gradientNorm),
  };
}
