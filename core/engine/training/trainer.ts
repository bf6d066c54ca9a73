import { hyperValues } from "../../nn/dino/optimizer.ts";
import { iterationValues, type IterationValues } from "../../nn/dino/schedules.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { readMeasures, stateNames } from "../../nn/dino/step.ts";
import { CoreError } from "../../util/errors.ts";
import { microBatches, viewSource } from "./feeds.ts";
import { loadStepPrograms, releaseAll } from "./programs.ts";
import { copiedState, initialTensors } from "./state.ts";
import type { StepMetrics, Trainer, TrainerOptions } from "./types.ts";

export type { StepMetrics, Trainer, TrainerOptions, TrainerState, TrainingBatch } from "./types.ts";

/**
 * Loads a training on a device: weights, moments, teacher and centre stay there from step to step. A step is a run of one
 * graph for each micro-batch, which adds up gradients, and one for the optimiser. Throws `training-state` for a state that does not fit the settings, `option-invalid` for a micro-batch
 * that does not divide the batch.
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { settings, runtime, state, microBatch = settings.batch, augmented } = options;
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
  return {
    step: async (batch, iteration) => {
      const parts = microBatches(settings, batch, microBatch, augmented);
      const hyper = hyperValues(settings, iteration);
      const measured = measuredMetrics(settings, await programs.backward(tensors, parts, hyper));
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
