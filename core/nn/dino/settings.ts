import type { Architecture } from "../architecture.ts";

/** The projection head after the backbone (Caron et al. 2021, section 3.2, "Network architecture"). */
export interface HeadSettings {
  /** Features of the two hidden layers; 2048 in the paper. */
  readonly hidden: number;
  /** Features of the L2-normalised bottleneck; 256 in the paper. */
  readonly bottleneck: number;
  /** Outputs (K); 65,536 in the paper, far fewer on small libraries. */
  readonly prototypes: number;
  /** Whether the scale of every prototype stays 1 (`norm_last_layer` of the official code). */
  readonly fixedScale: boolean;
}

/** Multi-crop (section 3.1): two global views, which teacher and student see, and local ones for the student alone. */
export interface CropSettings {
  /** Side of the two global crops in pixels, a multiple of the patch. */
  readonly globalSize: number;
  /** Side of the local crops in pixels, a multiple of the patch. */
  readonly localSize: number;
  /** Number of local crops; 0 for training without multi-crop. */
  readonly localCount: number;
  /** Smallest and largest share of the picture's area that a global crop takes. */
  readonly globalScale: readonly [number, number];
  readonly localScale: readonly [number, number];
  /** Side in pixels of the square copies that crops are taken from; proportions are kept in the draw, not in the copy. */
  readonly sourceSize: number;
}

/** A value that moves from `start` to `end` in a straight line over `warmup` iterations and then stays. */
export interface LinearWarmup {
  readonly start: number;
  readonly end: number;
  readonly warmup: number;
}

/**
 * Everything that decides what one pretraining does, as plain data: two runs with equal settings on equal pictures take
 * the same steps. Counts are iterations (optimiser steps), not epochs.
 */
export interface TrainingSettings {
  /** The backbone; its position grid is that of the global crops. */
  readonly architecture: Architecture;
  readonly head: HeadSettings;
  readonly crops: CropSettings;
  /** `official`: the paper's jitter; `mild`: half the hue and saturation and little grey, for products told by colour. */
  readonly colour: "official" | "mild";
  /** Pictures an iteration. */
  readonly batch: number;
  /**
   * Pictures that go through the graph together, a divisor of the batch; measured where it is left out. Gradients add up
   * exactly but for rounding, so it decides memory, speed and last digits: a run keeps the one that it began with.
   */
  readonly microBatch?: number;
  /**
   * How small copies of the pictures are kept; by memory where it is left out. The two differ in last digits: a run keeps
   * the one that it began with.
   */
  readonly copies?: "raw" | "jpeg";
  /** Iterations of the whole run. */
  readonly iterations: number;
  /** Peak learning rate as it is used (the official code's lr * batch / 256 is computed before). */
  readonly learningRate: number;
  readonly minimumLearningRate: number;
  readonly warmupIterations: number;
  /** Weight decay at the start and at the end, by a half cosine. */
  readonly weightDecay: readonly [number, number];
  /** Teacher momentum at the start; it rises to 1 by a half cosine. */
  readonly teacherMomentum: number;
  readonly studentTemperature: number;
  readonly teacherTemperature: LinearWarmup;
  /** Momentum of the centre; null leaves centring out (for comparisons only: training collapses). */
  readonly centreMomentum: number | null;
  /** Largest norm of each tensor's gradient; null for none. */
  readonly clip: number | null;
  /** Iterations in which the last layer of the head does not move. */
  readonly freezeLastLayer: number;
  /** Stochastic depth of the student: the rate of the last block; earlier ones get proportionally less. */
  readonly dropPath: number;
  /** Iterations in which the head alone moves, so that a fresh head does not spoil a trained backbone; 0 unless given. */
  readonly freezeBackbone?: number;
  /** Smaller crops in the first iterations; the graph resizes the positions, so that no tensor changes its shape. */
  readonly lowResolution?: { readonly iterations: number; readonly globalSize: number; readonly localSize: number };
  /** Seed of weights, order, crops and drop path. */
  readonly seed: number;
}
