import { wholeGraph, accumulateGraph, readMeasures } from "../../nn/dino/step.ts";
import { hyperValues } from "../../nn/dino/optimizer.ts";
import { iterationValues } from "../../nn/dino/schedules.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { CoreError } from "../../util/errors.ts";
import { microBatches, viewSource } from "./feeds.ts";
import { accumulatedSteps, releaseAll, wholeSteps } from "./programs.ts";
import { copiedState, initialTensors } from "./state.ts";
import type { StepMetrics, Trainer, TrainerOptions } from "./types.ts";

export type { StepMetrics, Trainer, TrainerOptions, TrainerState, TrainingBatch } from "./types.ts";

/**
 * Loads a training on a device: weights, moments, teacher and centre stay there from step to step. With the whole batch
 * at a time a step is one run of one graph; with smaller micro-batches one run each, which add up gradients, and one for
 * the optimiser. Throws `training-state` for a state that does not fit the settings, `option-invalid` for a micro-batch
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
  const views = viewSource(settings, microBatch, augmented);
  const programs =
    microBatch === settings.batch
      ? await wholeSteps(runtime, wholeGraph(settings, views))
      : await accumulatedSteps(settings, runtime, accumulateGraph(settings, microBatch, views));
  let tensors = programs.adopt(start);
  let taken = state?.iteration ?? 0;
  return {
    step: async (batch, iteration) => {
      const parts = microBatches(settings, batch, microBatch, augmented);
      const { next, measures } = await programs.run(tensors, parts, hyperValues(settings, iteration));
      const metrics = stepMetrics(settings, iteration, measures);
      // A step that is not finite leaves no trace: what it computed is dropped, and the tensors before it stay.
      releaseAll(metrics.finite ? tensors : next);
      if (metrics.finite) {
        tensors = next;
        taken = iteration + 1;
      }
      return metrics;
    },
    state: () => copiedState(settings, taken, tensors),
    release: async () => {
      releaseAll(tensors);
      await programs.release();
    },
  };
}

function stepMetrics(settings: TrainingSettings, iteration: number, measures: Float32Array): StepMetrics {
  const { gradientNorms, ...means } = readMeasures(settings, measures);
  const norms = [...gradientNorms.values()];
  const gradientNorm = Math.hypot(...norms);
  return {
    ...iterationValues(settings, iteration),
    ...means,
    divergence: means.loss - means.teacherEntropy,
    gradientNorm,
    largestGradientNorm: Math.max(...norms),
    finite: Number.isFinite(means.loss) && Number.isFinite(gradientNorm),
  };
}
