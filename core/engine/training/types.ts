import type { WeightTensor } from "../../nn/architecture.ts";
import type { DropPathMasks } from "../../nn/dino/drop-path.ts";
import type { IterationValues } from "../../nn/dino/schedules.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import type { Runtime } from "../../runtime/runtime.ts";

/**
 * Everything a run needs to go on: `student.<name>`, `teacher.<name>` (`backbone.…` and `head.…` under the official names),
 * the optimiser's moments `first.<name>` and `second.<name>` of every tensor that is trained, and `centre` [1, prototypes].
 */
export interface TrainerState {
  /** Iterations that were taken. */
  readonly iteration: number;
  readonly tensors: ReadonlyMap<string, WeightTensor>;
}

/** One iteration's input. */
export interface TrainingBatch {
  /** [batch, 3, sourceSize, sourceSize] in 0..255; only where the graph makes the views. */
  readonly pictures?: Float32Array;
  /**
   * Inputs of the graph by name, all in view-major order along their first axis [views * batch, …]: what the augmentation
   * of `global` and `local` takes (`<group>.…`), or the views `global` and `local` themselves, normalised.
   */
  readonly feeds: Readonly<Record<string, WeightTensor>>;
  /** From `drawDropPath`; wanted exactly where the settings have a drop path. */
  readonly dropPath?: DropPathMasks | undefined;
}

/** What one iteration says about itself. */
export interface StepMetrics extends IterationValues {
  /** False when the loss or a gradient is not a number: then the state is the one before this step. */
  readonly finite: boolean;
  /** Mean cross entropy over pairs of views. */
  readonly loss: number;
  /** Mean entropy of the teacher's targets. */
  readonly teacherEntropy: number;
  /** Mean Kullback-Leibler divergence of the student from the teacher: loss less entropy. */
  readonly divergence: number;
  /** Norm of all gradients together, before clipping. */
  readonly gradientNorm: number;
  /** Norm of the gradient of the one tensor where it is largest. */
  readonly largestGradientNorm: number;
  /** Norm of the centre after the step. */
  readonly centreNorm: number;
  /** Mean over dimensions of the standard deviation of the teacher's CLS, at length 1, over the batch's global views. */
  readonly clsDeviation: number;
  /** Prototypes that are the largest target of at least one global view. */
  readonly prototypesUsed: number;
}

export interface TrainerOptions {
  readonly settings: TrainingSettings;
  readonly runtime: Runtime;
  /** Where to go on; without it a fresh network, its teacher a copy of it. Moments and centre may be missing: then they are 0. */
  readonly state?: TrainerState | undefined;
  /** Pictures at a time, a divisor of the batch; the whole batch without it. Gradients are added up exactly. */
  readonly microBatch?: number | undefined;
  /** Whether the graph makes the views from pictures; otherwise they are fed. */
  readonly augmented: boolean;
}

/** A training that is loaded on a device. */
export interface Trainer {
  /** Pictures at a time: fewer than were asked for once the device had no room for them. */
  readonly microBatch: number;
  /**
   * Takes the optimiser step number `iteration`, counted from 0. Throws `training-input` for a batch that does not fit, and
   * the signal's reason where it is aborted between two micro-batches: then the step leaves no trace.
   */
  step(batch: TrainingBatch, iteration: number, signal?: AbortSignal): Promise<StepMetrics>;
  /** Copies of everything. */
  state(): Promise<TrainerState>;
  /** Frees what it holds on the device. */
  release(): Promise<void>;
}
