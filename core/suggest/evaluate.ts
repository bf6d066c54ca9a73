import { CoreError } from "../util/errors.ts";
import type { CalibrationRecord } from "./calibrate.ts";
import type { Interval } from "./interval.ts";
import { wilsonInterval } from "./interval.ts";
import type { NeighbourTable } from "./nearest.ts";
import { neighboursOf, queryCountOf } from "./nearest.ts";
import type { LabelShare } from "./vote.ts";
import { defaultTemperature, voteLabels, voteWinners } from "./vote.ts";

/** A share of right answers with its 95 % Wilson interval. Without images the rate is 0 and the interval [0, 1]. */
export interface Accuracy extends Interval {
  readonly correct: number;
  readonly count: number;
  readonly rate: number;
}

/** Accuracy over the images of one label, or of always answering with it. */
export interface LabelAccuracy extends Accuracy {
  readonly labelId: number;
}

/** How well the votes of neighbours hit the truth. An image without neighbours counts as missed. */
export interface Evaluation {
  readonly top1: Accuracy;
  /** Truth among the five labels with most votes. Only labels that a neighbour voted for can be among them. */
  readonly top5: Accuracy;
  /** Always answering with the commonest label of the bank: what any method must beat. Null with an empty bank. */
  readonly majority: LabelAccuracy | null;
  /** Top-1 accuracy for every true label, by label id. */
  readonly byLabel: readonly LabelAccuracy[];
}

/** The same votes counted for the labels as given and, if parents are known, for their parents. */
export interface Evaluations {
  readonly fine: Evaluation;
  readonly coarse: Evaluation | null;
}

/** Options of an evaluation. */
export interface EvaluateOptions {
  readonly temperature?: number;
  /** Parent of each label; a label without one stands for itself. Coarse votes are cast under the parents' ids. */
  readonly coarseOf?: ReadonlyMap<number, number>;
}

/** Accuracy of a number of right answers. */
export function accuracyOf(correct: number, count: number): Accuracy {
  return { correct, count, rate: count === 0 ? 0 : correct / count, ...wilsonInterval(correct, count) };
}

/** An image's true label and what was suggested for it, best first. */
export interface Ranking {
  readonly truth: number;
  readonly shares: readonly LabelShare[];
}

/** Evaluates ranked shares, with the baseline of always answering `majorityLabel`. */
export function evaluateRankings(rankings: readonly Ranking[], majorityLabel: number | null): Evaluation {
  const within = (ranking: Ranking, places: number): boolean =>
    ranking.shares.slice(0, places).some(({ labelId }) => labelId === ranking.truth);
  const counts = new Map<number, { correct: number; count: number }>();
  for (const ranking of rankings) {
    const { correct, count } = counts.get(ranking.truth) ?? { correct: 0, count: 0 };
    counts.set(ranking.truth, { correct: correct + (within(ranking, 1) ? 1 : 0), count: count + 1 });
  }
  const accuracyWithin = (places: number): Accuracy =>
    accuracyOf(rankings.filter((ranking) => within(ranking, places)).length, rankings.length);
  return {
    top1: accuracyWithin(1),
    top5: accuracyWithin(5),
    majority:
      majorityLabel === null
        ? null
        : { labelId: majorityLabel, ...accuracyOf(counts.get(majorityLabel)?.count ?? 0, rankings.length) },
    byLabel: Array.from(counts, ([labelId, { correct, count }]) => ({ labelId, ...accuracyOf(correct, count) })).sort(
      (a, b) => a.labelId - b.labelId,
    ),
  };
}

/**
 * Evaluates a given split: the neighbours of every test image among the rows of the bank, whose labels are
 * `bankLabels`, against the test images' own labels `truths`. Throws `evaluation-shape`.
 */
export function evaluateSplit(
  table: NeighbourTable,
  bankLabels: Int32Array,
  truths: Int32Array,
  options: EvaluateOptions = {},
): Evaluations {
  checkQueryCount(table, truths.length);
  const { temperature = defaultTemperature, coarseOf } = options;
  const evaluate = (bank: Int32Array, expected: Int32Array): Evaluation =>
    evaluateRankings(
      Array.from(expected, (truth, query): Ranking => {
        const vote = voteLabels(neighboursOf(table, query), bank, temperature);
        return { truth, shares: vote?.shares ?? [] };
      }),
      commonest(bank),
    );
  const toCoarse = (labelId: number): number => coarseOf?.get(labelId) ?? labelId;
  return {
    fine: evaluate(bankLabels, truths),
    coarse: coarseOf === undefined ? null : evaluate(bankLabels.map(toCoarse), truths.map(toCoarse)),
  };
}

/**
 * Evaluates by leave-one-out: query i of the table is row i of the bank, searched for among the others. Throws
 * `evaluation-shape`, and `evaluation-leak` where an image is its own neighbour.
 */
export function evaluateLeaveOneOut(
  table: NeighbourTable,
  labels: Int32Array,
  options: EvaluateOptions = {},
): Evaluations {
  checkLeftOut(table);
  return evaluateSplit(table, labels, labels, options);
}

/**
 * Records for `calibrate` from the same leave-one-out search; an image without neighbours gives none. Throws as
 * `evaluateLeaveOneOut` does.
 */
export function leaveOneOutRecords(
  table: NeighbourTable,
  labels: Int32Array,
  temperature: number = defaultTemperature,
): CalibrationRecord[] {
  checkQueryCount(table, labels.length);
  checkLeftOut(table);
  const winners = voteWinners(table, labels, temperature);
  const records = Array.from(labels, (truth, row) => ({
    share: winners.shares[row] ?? 0,
    winner: winners.labelIds[row] ?? -1,
    truth,
  }));
  return records.filter(({ winner }) => winner >= 0);
}

/** The label of most rows, the lowest id where several have as many; null without rows. */
function commonest(labels: Int32Array): number | null {
  const counts = new Map<number, number>();
  for (const labelId of labels) counts.set(labelId, (counts.get(labelId) ?? 0) + 1);
  const [first] = Array.from(counts).sort(([idA, a], [idB, b]) => b - a || idA - idB);
  return first?.[0] ?? null;
}

function checkQueryCount(table: NeighbourTable, expected: number): void {
  // A table without columns answers any number of queries: nobody has a neighbour.
  if (table.count > 0 && queryCountOf(table) !== expected) {
    throw new CoreError(
      "evaluation-shape",
      `The neighbours are those of ${queryCountOf(table)} images, but ${expected} have a label.`,
    );
  }
}

function checkLeftOut(table: NeighbourTable): void {
  for (let slot = 0; slot < table.indices.length; slot++) {
    const query = Math.floor(slot / table.count);
    if (table.indices[slot] === query) {
      throw new CoreError("evaluation-leak", `Image ${query} is its own neighbour: it was not left out.`, {
        hint: "Search with the image itself excluded.",
      });
    }
  }
}
