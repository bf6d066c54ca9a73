import { add, exp, multiply, negate, subtract } from "../../graph/ops/elementwise.ts";
import { concat, reshape, slice } from "../../graph/ops/movement.ts";
import { largest, logSoftmax, sum, sumAll } from "../../graph/ops/reduce.ts";
import { equal, where } from "../../graph/ops/select.ts";
import { known, scalar, type Value } from "../../graph/value.ts";

/** What the teacher makes of the two global views of some pictures. */
export interface Targets {
  /** [2 * pictures, prototypes], view 0 of all pictures first. */
  readonly probabilities: Value;
  /** Sum of the entropies of the rows, []. */
  readonly entropySum: Value;
  /** For each prototype, in how many rows it is the largest: [prototypes]. */
  readonly uses: Value;
}

/** Teacher scores [2 * pictures, prototypes], centred and sharpened (Caron et al. 2021, section 3.1 and algorithm 1). */
export function targetsOf(scores: Value, centre: Value | undefined, inverseTemperature: Value): Targets {
  const centred = centre === undefined ? scores : subtract(scores, centre);
  const logarithms = logSoftmax(multiply(centred, inverseTemperature));
  const probabilities = exp(logarithms);
  const isLargest = equal(logarithms, largest(logarithms, [1], true));
  return {
    probabilities,
    entropySum: crossEntropySum(probabilities, logarithms),
    uses: sum(where(isLargest, scalar(1), scalar(0)), [0], false),
  };
}

/** The student's loss on some views, and its gradient. */
export interface ViewLoss {
  /** Sum of cross entropies over views, pictures and the targets of each view, []. */
  readonly lossSum: Value;
  /** Gradient of `share` times that sum with respect to the student's scores, of their shape. */
  readonly gradient: Value;
}

/**
 * The student on the two global views: each is to match the teacher's other one; a view is never compared with itself.
 * `scores` and `targets` are [2 * pictures, prototypes]. The gradient is (p - q) / temperature in closed form.
 */
export function globalLoss(scores: Value, targets: Value, temperature: number, share: number): ViewLoss {
  const rows = known(scores.shape[0], "The number of global views");
  const swapped = concat([slice(targets, 0, rows / 2, rows), slice(targets, 0, 0, rows / 2)], 0);
  const logarithms = logSoftmax(multiply(scores, scalar(1 / temperature)));
  return {
    lossSum: crossEntropySum(swapped, logarithms),
    gradient: multiply(subtract(exp(logarithms), swapped), scalar(share / temperature)),
  };
}

/**
 * The student on local views: each is to match both of the teacher's. `scores` [views * pictures, prototypes], `targets`
 * [2 * pictures, prototypes]; the gradient is (2 p - q0 - q1) / temperature.
 */
export function localLoss(scores: Value, targets: Value, temperature: number, share: number): ViewLoss {
  const rows = known(scores.shape[0], "The number of local views");
  const prototypes = known(scores.shape[1], "The number of prototypes");
  const pictures = known(targets.shape[0], "The number of targets") / 2;
  const both = add(slice(targets, 0, 0, pictures), slice(targets, 0, pictures, 2 * pictures));
  const byView = reshape(scores, [rows / pictures, pictures, prototypes]);
  const logarithms = logSoftmax(multiply(byView, scalar(1 / temperature)));
  const difference = subtract(multiply(exp(logarithms), scalar(2)), both);
  return {
    lossSum: crossEntropySum(both, logarithms),
    gradient: reshape(multiply(difference, scalar(share / temperature)), scores.shape),
  };
}

/** Pairs of a teacher's and another student's view: 2 (views - 1). The loss is the mean over them and over pictures. */
export function pairCount(localCount: number): number {
  return 2 * (2 + localCount) - 2;
}

function crossEntropySum(probabilities: Value, logarithms: Value): Value {
  return negate(sumAll(multiply(probabilities, logarithms)));
}
