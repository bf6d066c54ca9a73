import { gradients } from "../../graph/gradient.ts";
import { createGraph, type Graph } from "../../graph/graph.ts";
import { add, multiply } from "../../graph/ops/elementwise.ts";
import { concat, reshape, slice } from "../../graph/ops/movement.ts";
import { sum, sumAll } from "../../graph/ops/reduce.ts";
import { input, scalar, type Value } from "../../graph/value.ts";
import { CoreError } from "../../util/errors.ts";
import { visionTransformer } from "../vision-transformer.ts";
import { projectionHead, unitRows } from "./head.ts";
import { globalLoss, localLoss, pairCount, targetsOf } from "./loss.ts";
import { hyperInput, updateTensor, type HyperSource, type TensorState } from "./optimizer.ts";
import { trainedShapes } from "./parameters.ts";
import type { TrainingSettings } from "./settings.ts";
import { globalViews, viewGroups, type ViewGroupSize } from "./views.ts";

/**
 * Makes the views of a group from what the caller feeds: [views * pictures, 3, size, size], normalised, view 0 of all
 * pictures first. `fedViews` takes them as inputs.
 */
export type ViewSource = (group: ViewGroupSize, pictures: number) => Value;

/** Views that the caller feeds under the group's name. */
export const fedViews: ViewSource = ({ name, views, size }, pictures) => input(name, [views * pictures, 3, size, size]);

/** Names of the tensors of a training as inputs; the outputs that replace them are called `next.<name>`. */
export const stateNames = {
  student: (name: string): string => `student.${name}`,
  teacher: (name: string): string => `teacher.${name}`,
  first: (name: string): string => `first.${name}`,
  second: (name: string): string => `second.${name}`,
  centre: "centre",
} as const;

/** Name and shape of every tensor that a training carries from one iteration to the next. */
export function stateShapes(settings: TrainingSettings): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const kind of ["student", "teacher", "first", "second"] as const) {
    for (const [name, shape] of trainedShapes(settings)) shapes.set(stateNames[kind](name), shape);
  }
  if (settings.centreMomentum !== null) shapes.set(stateNames.centre, [1, settings.head.prototypes]);
  return shapes;
}

/** What adds up over micro-batches beside gradients, one after the other in the vector `sums`. */
const sumParts = ["loss", "entropy", "cls", "clsSquares", "uses", "scores"] as const;

type SumName = (typeof sumParts)[number];

/** Sizes of the parts of `sums`. */
function sumSizes({ architecture, head }: TrainingSettings): Record<SumName, number> {
  const { width } = architecture;
  const { prototypes } = head;
  return { loss: 1, entropy: 1, cls: width, clsSquares: width, uses: prototypes, scores: prototypes };
}

/** A part of the vector `sums`: where it starts and ends. */
function sumRange(settings: TrainingSettings, part: SumName): readonly [number, number] {
  const sizes = sumSizes(settings);
  const start = sumParts.slice(0, sumParts.indexOf(part)).reduce((total, name) => total + sizes[name], 0);
  return [start, start + sizes[part]];
}

function totalSums(settings: TrainingSettings): number {
  return Object.values(sumSizes(settings)).reduce((total, size) => total + size, 0);
}

/** Forward and backward through `pictures` pictures. */
interface Backward {
  /** Of the loss over the whole batch, by name of the tensor. */
  readonly gradients: ReadonlyMap<string, Value>;
  /** [totalSums]. */
  readonly sums: Value;
}

function backward(
  settings: TrainingSettings,
  pictures: number,
  views: ViewSource,
  state: StateSource,
  hyper: HyperSource,
): Backward {
  const { architecture, head, crops, batch, studentTemperature, centreMomentum } = settings;
  const groups = new Map(viewGroups(settings).map((group) => [group.name, views(group, pictures)]));
  const features = (kind: "student" | "teacher", group: ViewGroupSize): Value => {
    const pixels = groups.get(group.name);
    if (pixels === undefined) throw new CoreError("internal", `There are no ${group.name} views.`);
    const dropPath =
      kind === "student" && settings.dropPath > 0
        ? input(`dropPath.${group.name}`, [2 * architecture.depth, group.views * pictures, 1, 1])
        : undefined;
    return visionTransformer(
      architecture,
      (name) => state(stateNames[kind](`backbone.${name}`)),
      pixels,
      ["cls"],
      dropPath,
    ).cls;
  };
  const scores = (kind: "student" | "teacher", cls: Value): Value =>
    projectionHead((name) => state(stateNames[kind](name)), cls, head.fixedScale);

  const teacherCls = features("teacher", globalViews(settings));
  const teacherScores = scores("teacher", teacherCls);
  const centre = centreMomentum === null ? undefined : state(stateNames.centre);
  const targets = targetsOf(teacherScores, centre, hyper("inverseTemperature"));

  // The mean over the whole batch, whatever share of it this is: so gradients of micro-batches add up.
  const share = 1 / (pairCount(crops.localCount) * batch);
  // One pass of the head over all views, so that its large weights have one gradient each.
  const studentCls = viewGroups(settings).map((group) => features("student", group));
  const studentScores = scores("student", concat(studentCls, 0));
  const rows = 2 * pictures;
  const losses = [globalLoss(slice(studentScores, 0, 0, rows), targets.probabilities, studentTemperature, share)];
  if (crops.localCount > 0) {
    const local = slice(studentScores, 0, rows, rows + crops.localCount * pictures);
    losses.push(localLoss(local, targets.probabilities, studentTemperature, share));
  }
  const lossSum = losses.map((loss) => loss.lossSum).reduce((a, b) => add(a, b));
  const scoreGradient = concat(
    losses.map(({ gradient }) => gradient),
    0,
  );

  const names = [...trainedShapes(settings).keys()];
  const results = gradients(
    [{ value: studentScores, gradient: scoreGradient }],
    names.map((name) => state(stateNames.student(name))),
  );
  const units = unitRows(teacherCls);
  const sums: Record<SumName, Value> = {
    loss: lossSum,
    entropy: targets.entropySum,
    cls: sum(units, [0], false),
    clsSquares: sum(multiply(units, units), [0], false),
    uses: targets.uses,
    scores: sum(teacherScores, [0], false),
  };
  const sizes = sumSizes(settings);
  return {
    gradients: new Map(names.map((name, i) => [name, results[i] as Value])),
    sums: concat(
      sumParts.map((part) => reshape(sums[part], [sizes[part]])),
      0,
    ),
  };
}

/** The tensors of a training as inputs, by the names of `stateShapes`. */
type StateSource = (name: string) => Value;

function stateInputs(settings: TrainingSettings): StateSource {
  const values = new Map([...stateShapes(settings)].map(([name, shape]) => [name, input(name, shape)]));
  return (name) => present(values, name);
}

/**
 * Forward and backward through `pictures` pictures: outputs `next.sum.<tensor>`, the gradients, and `next.sums`, which stay on
 * the device, and `measures`, which `readMeasures` takes apart. With `carried` they are added to what earlier micro-batches
 * gave: inputs of these names without `next.`, times `carry` [1], which is 0 for the first of a batch and 1 after it.
 */
export function backwardGraph(
  settings: TrainingSettings,
  pictures: number,
  views: ViewSource,
  carried: boolean,
): Graph {
  const { gradients: found, sums } = backward(settings, pictures, views, stateInputs(settings), hyperInput());
  const carry = input("carry", [1]);
  const added = (name: string, value: Value): Value =>
    carried ? add(multiply(input(name, value.shape), carry), value) : value;
  const totals = added("sums", sums);
  const outputs: Record<string, Value> = {};
  const measured = [totals];
  for (const [name, value] of found) {
    const total = added(sumName(name), value);
    outputs[`next.${sumName(name)}`] = total;
    measured.push(reshape(sumAll(multiply(total, total)), [1]));
  }
  // onnxruntime works from the last output to the first, and the gradients of the last tensors are ready first.
  return createGraph("dino_backward", { measures: concat(measured, 0), "next.sums": totals, ...outputs });
}

/**
 * The rest of an iteration, from what `backwardGraph` gave for the whole batch (inputs `sum.<tensor>` and `sums`) and the
 * tensors of the training to those that replace them (`next.<name>`), and `centreSquares` [] where there is a centre. Each
 * tensor is read element by element and only on the way to what replaces it, so it may be written over.
 */
export function updateGraph(settings: TrainingSettings): Graph {
  const { clip, centreMomentum, head } = settings;
  const state = stateInputs(settings);
  const hyper = hyperInput();
  const outputs: Record<string, Value> = {};
  for (const [name, shape] of trainedShapes(settings)) {
    const old: TensorState = {
      student: state(stateNames.student(name)),
      teacher: state(stateNames.teacher(name)),
      first: state(stateNames.first(name)),
      second: state(stateNames.second(name)),
    };
    const next = updateTensor(name, old, input(sumName(name), shape), clip, hyper);
    for (const kind of ["student", "teacher", "first", "second"] as const) {
      outputs[`next.${stateNames[kind](name)}`] = next[kind];
    }
  }
  if (centreMomentum !== null) {
    const sums = input("sums", [totalSums(settings)]);
    const scoreSum = reshape(slice(sums, 0, ...sumRange(settings, "scores")), [1, head.prototypes]);
    // The moving average of the mean score of the batch's global views (Caron et al. 2021, equation 4).
    const centre = add(
      multiply(state(stateNames.centre), scalar(centreMomentum)),
      multiply(scoreSum, scalar((1 - centreMomentum) / (2 * settings.batch))),
    );
    outputs[`next.${stateNames.centre}`] = centre;
    outputs["centreSquares"] = sumAll(multiply(centre, centre));
  }
  return createGraph("dino_update", outputs);
}

/** Name and shape of what `backwardGraph` leaves on the device. */
export function accumulatorShapes(settings: TrainingSettings): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>([["sums", [totalSums(settings)]]]);
  for (const [name, shape] of trainedShapes(settings)) shapes.set(sumName(name), shape);
  return shapes;
}

function sumName(name: string): string {
  return `sum.${name}`;
}

function present<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new CoreError("internal", `Training knows no tensor ${name}.`);
  return value;
}

/** What a step measured: means over the batch, and norms. */
export interface Measures {
  readonly loss: number;
  readonly teacherEntropy: number;
  readonly clsDeviation: number;
  readonly prototypesUsed: number;
  /** Norm of each tensor's gradient before clipping. */
  readonly gradientNorms: ReadonlyMap<string, number>;
}

/** Takes the output `measures` apart. */
export function readMeasures(settings: TrainingSettings, measures: Float32Array): Measures {
  const { batch, crops } = settings;
  const part = (name: SumName): Float32Array => measures.subarray(...sumRange(settings, name));
  const names = [...trainedShapes(settings).keys()];
  const norms = measures.subarray(totalSums(settings)).map(Math.sqrt);
  const rows = 2 * batch;
  const squares = part("clsSquares");
  const deviations = part("cls").map((total, i) =>
    Math.sqrt(Math.max((squares[i] ?? 0) / rows - (total / rows) ** 2, 0)),
  );
  return {
    loss: (part("loss")[0] ?? NaN) / (pairCount(crops.localCount) * batch),
    teacherEntropy: (part("entropy")[0] ?? NaN) / rows,
    clsDeviation: deviations.reduce((total, value) => total + value, 0) / deviations.length,
    prototypesUsed: part("uses").filter((uses) => uses > 0).length,
    gradientNorms: new Map(names.map((name, i) => [name, norms[i] ?? NaN])),
  };
}
