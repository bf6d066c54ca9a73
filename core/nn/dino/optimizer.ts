import { add, divide, multiply, squareRoot, subtract } from "../../graph/ops/elementwise.ts";
import { slice } from "../../graph/ops/movement.ts";
import { sumAll } from "../../graph/ops/reduce.ts";
import { minimum } from "../../graph/ops/select.ts";
import { input, scalar, type Value } from "../../graph/value.ts";
import { isDecayed, lastLayer } from "./parameters.ts";
import { iterationValues } from "./schedules.ts";
import type { TrainingSettings } from "./settings.ts";

/** AdamW as the official code uses it: PyTorch's defaults. */
const firstDecay = 0.9;
const secondDecay = 0.999;
const epsilon = 1e-8;

/** Added to a norm before the clip is divided by it (utils.clip_gradients). */
const clipGuard = 1e-6;

/** The numbers of one iteration that graphs read, in the order in which the input `hyper` holds them. */
const hyperNames = [
  "inverseTemperature",
  "teacherKeep",
  "teacherTake",
  "stepSize",
  "epsilon",
  "decayedKeep",
  // The last layer's own: it stands still at first, and its moments then are younger than those of the others.
  "lastFirstKeep",
  "lastFirstTake",
  "lastSecondKeep",
  "lastSecondTake",
  "lastStepSize",
  "lastEpsilon",
  "lastDecayedKeep",
  // The backbone's own, where it waits for a fresh head.
  "backboneStepSize",
  "backboneDecayedKeep",
] as const;

type HyperName = (typeof hyperNames)[number];

/** A number of the iteration by name, [1]. */
export type HyperSource = (name: HyperName) => Value;

/** The input `hyper` [15], taken apart. */
export function hyperInput(): HyperSource {
  const all = input("hyper", [hyperNames.length]);
  const parts = new Map<HyperName, Value>();
  return (name) => {
    const part = parts.get(name) ?? slice(all, 0, hyperNames.indexOf(name), hyperNames.indexOf(name) + 1);
    parts.set(name, part);
    return part;
  };
}

/** What to feed as `hyper` in iteration number `iteration`, counted from 0. */
export function hyperValues(settings: TrainingSettings, iteration: number): Float32Array {
  const { learningRate, weightDecay, teacherMomentum, teacherTemperature } = iterationValues(settings, iteration);
  const frozen = iteration < settings.freezeLastLayer;
  const waits = iteration < (settings.freezeBackbone ?? 0);
  // PyTorch counts the steps of each tensor by itself, and one without a gradient has taken none.
  const [steps, lastSteps] = [iteration + 1, Math.max(iteration + 1 - settings.freezeLastLayer, 1)];
  const decayedKeep = 1 - learningRate * weightDecay;
  const values: Record<HyperName, number> = {
    inverseTemperature: 1 / teacherTemperature,
    teacherKeep: teacherMomentum,
    teacherTake: 1 - teacherMomentum,
    stepSize: learningRate * correction(steps),
    epsilon: epsilon * Math.sqrt(1 - secondDecay ** steps),
    decayedKeep,
    lastFirstKeep: frozen ? 1 : firstDecay,
    lastFirstTake: frozen ? 0 : 1 - firstDecay,
    lastSecondKeep: frozen ? 1 : secondDecay,
    lastSecondTake: frozen ? 0 : 1 - secondDecay,
    lastStepSize: frozen ? 0 : learningRate * correction(lastSteps),
    lastEpsilon: epsilon * Math.sqrt(1 - secondDecay ** lastSteps),
    lastDecayedKeep: frozen ? 1 : decayedKeep,
    // Its moments gather meanwhile: they are means of gradients, whoever moves.
    backboneStepSize: waits ? 0 : learningRate * correction(steps),
    backboneDecayedKeep: waits ? 1 : decayedKeep,
  };
  return Float32Array.from(hyperNames, (name) => values[name]);
}

/** Both bias corrections in one factor: m / (1 - b1^t) over sqrt(v / (1 - b2^t)) + e, with numerator and denominator times the latter root. */
function correction(steps: number): number {
  return Math.sqrt(1 - secondDecay ** steps) / (1 - firstDecay ** steps);
}

/** A tensor that is trained, with what the optimiser and the teacher keep of it. */
export interface TensorState {
  readonly student: Value;
  readonly teacher: Value;
  /** Moving averages of the gradient and of its square. */
  readonly first: Value;
  readonly second: Value;
}

/**
 * One optimiser step of one tensor: its gradient is clipped by its own norm, AdamW (Loshchilov and Hutter 2019,
 * algorithm 2) moves the student, and the teacher follows it. Each tensor of `state` is read once and element by element.
 */
export function updateTensor(
  name: string,
  state: TensorState,
  gradient: Value,
  clip: number | null,
  hyper: HyperSource,
): TensorState {
  const shape = state.student.shape as readonly number[];
  const isLast = name === lastLayer.directions || name === lastLayer.scales;
  const squares = multiply(gradient, gradient);
  // Factors that make the clipped gradient's share of each moment; a tensor is multiplied by one number once.
  let firstTake = isLast ? hyper("lastFirstTake") : scalar(1 - firstDecay);
  let secondTake = isLast ? hyper("lastSecondTake") : scalar(1 - secondDecay);
  if (clip !== null) {
    const excess = divide(scalar(clip), add(squareRoot(sumAll(squares)), scalar(clipGuard)));
    const factor = minimum(excess, scalar(1));
    firstTake = multiply(factor, firstTake);
    secondTake = multiply(multiply(factor, factor), secondTake);
  }
  const first = add(
    multiply(state.first, isLast ? hyper("lastFirstKeep") : scalar(firstDecay)),
    multiply(gradient, firstTake),
  );
  const second = add(
    multiply(state.second, isLast ? hyper("lastSecondKeep") : scalar(secondDecay)),
    multiply(squares, secondTake),
  );
  const direction = divide(first, add(squareRoot(second), hyper(isLast ? "lastEpsilon" : "epsilon")));
  const { decayedKeep, stepSize } = pace(name, isLast);
  const kept = isDecayed(name, shape) ? multiply(state.student, hyper(decayedKeep)) : state.student;
  const student = subtract(kept, multiply(direction, hyper(stepSize)));
  return { student, teacher: follow(state.teacher, student, hyper), first, second };
}

/** The numbers that say how far a tensor moves: of the last layer, of the backbone, of the rest of the head. */
function pace(name: string, isLast: boolean): { readonly decayedKeep: HyperName; readonly stepSize: HyperName } {
  if (isLast) return { decayedKeep: "lastDecayedKeep", stepSize: "lastStepSize" };
  if (name.startsWith("backbone.")) return { decayedKeep: "backboneDecayedKeep", stepSize: "backboneStepSize" };
  return { decayedKeep: "decayedKeep", stepSize: "stepSize" };
}

/** The teacher's exponential moving average of the student. */
function follow(teacher: Value, student: Value, hyper: HyperSource): Value {
  return add(multiply(teacher, hyper("teacherKeep")), multiply(student, hyper("teacherTake")));
}
