import type { LinearWarmup, TrainingSettings } from "./settings.ts";

/** What changes from one iteration to the next. */
export interface IterationValues {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly teacherMomentum: number;
  readonly teacherTemperature: number;
}

/** The schedules of the official code (utils.cosine_scheduler, DINOLoss) at `iteration`, counted from 0. */
export function iterationValues(settings: TrainingSettings, iteration: number): IterationValues {
  const { iterations, weightDecay, teacherMomentum, teacherTemperature } = settings;
  return {
    learningRate: learningRateAt(settings, iteration),
    weightDecay: halfCosine(weightDecay[0], weightDecay[1], iteration, iterations),
    teacherMomentum: halfCosine(teacherMomentum, 1, iteration, iterations),
    teacherTemperature: linearWarmupAt(teacherTemperature, iteration),
  };
}

/**
 * From 0 in a straight line to the peak, which is reached at the last iteration of the warm-up and held for one more;
 * then a half cosine towards the minimum, which only the iteration after the last one would reach.
 */
function learningRateAt(settings: TrainingSettings, iteration: number): number {
  const { learningRate, minimumLearningRate, warmupIterations, iterations } = settings;
  if (iteration < warmupIterations) {
    return warmupIterations === 1 ? 0 : (learningRate * iteration) / (warmupIterations - 1);
  }
  return halfCosine(learningRate, minimumLearningRate, iteration - warmupIterations, iterations - warmupIterations);
}

/** From `start` at 0 to `end` at `length`, where it stays. */
function halfCosine(start: number, end: number, iteration: number, length: number): number {
  const share = length > 0 ? Math.min(iteration / length, 1) : 1;
  return end + 0.5 * (start - end) * (1 + Math.cos(Math.PI * share));
}

/** The straight line of NumPy's linspace: `start` at 0, `end` at `warmup - 1` and from then on. */
function linearWarmupAt({ start, end, warmup }: LinearWarmup, iteration: number): number {
  if (iteration >= warmup) return end;
  return warmup === 1 ? start : start + ((end - start) * iteration) / (warmup - 1);
}
