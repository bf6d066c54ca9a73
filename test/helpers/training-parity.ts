import { createTrainer, type StepMetrics, type TrainerState } from "../../core/engine/training/trainer.ts";
import { hyperValues } from "../../core/nn/dino/optimizer.ts";
import { backwardGraph, fedViews, stateShapes } from "../../core/nn/dino/step.ts";
import { floatOutput, floats, type Runtime, type Tensors } from "../../core/runtime/runtime.ts";
import { relativeError } from "./tensors.ts";
import { cropFeeds, figures, initialState, schedule, settingsOfStep } from "./training-reference.ts";

/**
 * Values of a tensor that mean something. The key third of a qkv bias is left out: it shifts all scores of a query
 * alike, so its exact gradient is 0, and Adam turns the rounding of both sides into steps of full size.
 */
export function meaningful(name: string, data: ArrayLike<number>): number[] {
  const all = Array.from(data);
  return name.endsWith("qkv.bias") ? all.filter((_, i) => Math.floor((3 * i) / all.length) !== 1) : all;
}

function errorOf(name: string, got: ArrayLike<number>): number {
  return relativeError(meaningful(name, got), meaningful(name, figures.tensor(name).data));
}

/** How far a step is from the official code's: relative errors by name. */
export interface StepErrors {
  readonly loss: number;
  /** Tensors after the step: `student.…`, `teacher.…` and `centre`. */
  readonly tensors: Readonly<Record<string, number>>;
  readonly metrics: StepMetrics;
}

/** Where the reference starts. */
export function startState(): TrainerState {
  return { iteration: 0, tensors: initialState() };
}

/** Takes one of the reference's steps from `state`. */
export async function compareStep(
  runtime: Runtime,
  step: number,
  state: TrainerState,
): Promise<{ errors: StepErrors; state: TrainerState }> {
  const trainer = await createTrainer({ settings: settingsOfStep(step), runtime, state, augmented: false });
  const metrics = await trainer.step({ feeds: cropFeeds(step) }, step);
  const after = await trainer.state();
  await trainer.release();
  const tensors: Record<string, number> = {};
  for (const name of figures.names) {
    const [, ours] = /^step\d+\.((?:student|teacher)\..+|center)$/.exec(name) ?? [];
    if (ours === undefined || !name.startsWith(`step${step}.`)) continue;
    const key = ours === "center" ? "centre" : ours;
    tensors[key] = errorOf(name, after.tensors.get(key)?.data ?? []);
  }
  const loss = schedule.losses[step] ?? NaN;
  return { errors: { loss: Math.abs(metrics.loss - loss) / loss, tensors, metrics }, state: after };
}

/** Relative errors of the gradients of one of the reference's steps, before clipping, from `state`. */
export async function compareGradients(
  runtime: Runtime,
  step: number,
  state: TrainerState,
): Promise<Record<string, number>> {
  const settings = settingsOfStep(step);
  const program = await runtime.load(backwardGraph(settings, settings.batch, fedViews, false));
  const hyper = hyperValues(settings, step);
  const feeds: Record<string, Tensors[string]> = {
    hyper: floats(hyper, [hyper.length]),
  };
  for (const [name, { shape, data }] of Object.entries(cropFeeds(step))) feeds[name] = floats(data, shape);
  const zeros = (shape: readonly number[]) => floats(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  for (const [name, shape] of stateShapes(settings)) {
    const tensor = state.tensors.get(name);
    if (!/^(first|second)\./.test(name)) feeds[name] = tensor === undefined ? zeros(shape) : floats(tensor.data, shape);
  }
  const results = await program.run(feeds);
  await program.release();
  const prefix = `step${step}.grad.`;
  const names = figures.names.filter((name) => name.startsWith(prefix));
  return Object.fromEntries(
    names.map((name) => {
      const ours = name.slice(prefix.length);
      return [ours, errorOf(name, floatOutput(results, `next.sum.${ours}`).data)];
    }),
  );
}
