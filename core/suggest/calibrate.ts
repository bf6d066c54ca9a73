import { CoreError } from "../util/errors.ts";
import type { Interval } from "./interval.ts";
import { normalQuantile95, wilsonInterval } from "./interval.ts";
import type { CurvePoint } from "./monotone.ts";
import { isotonicRegression, valueAt } from "./monotone.ts";

/** What the neighbours of one labelled image said when it was left out itself, and what the user had said. */
export interface CalibrationRecord {
  /** Share of the vote that went to the winning label, 0 to 1. */
  readonly share: number;
  readonly winner: number;
  readonly truth: number;
}

/** A probability of being right with its 95 % interval: 0 <= low <= confidence <= high <= 1. */
export interface Confidence extends Interval {
  readonly confidence: number;
}

/** How suggestions of one label differ from the curve, in log-odds: estimate and standard deviation. */
export interface LabelShift {
  readonly shift: number;
  readonly deviation: number;
}

/** How often suggestions are right, measured on labelled images. Plain data. */
export interface Calibration {
  /** Number of labelled images that it rests on. */
  readonly basis: number;
  /** False below `minimumBasis`: the figures are then little more than a guess, as their intervals show. */
  readonly sufficient: boolean;
  /** Probability of being right by share, over all labels, and the limits of its 95 % interval. None ever falls. */
  readonly confidence: readonly CurvePoint[];
  readonly low: readonly CurvePoint[];
  readonly high: readonly CurvePoint[];
  /** Standard deviation of the shift between labels, in log-odds: all that is known of a label without a record. */
  readonly spread: number;
  readonly shifts: ReadonlyMap<number, LabelShift>;
}

/** Labelled images below which a calibration calls itself insufficient. */
export const minimumBasis = 30;

/** Records in a group, at least: fewer say next to nothing on their own. */
const minimumGroup = 5;

/** Spread between labels that is assumed until records show another, in log-odds: 0.7 turns 80 % into 67 or 89 %. */
const assumedSpread = 0.7;

/** Weight of that assumption against the records', in squared information: that of some three labels of 16 records. */
const assumedSpreadWeight = 50;

/**
 * Measures how often the winner of a vote is right, as a function of its share, from leave-one-out on the user's own
 * labels.
 *
 * Curve: records are sorted by share into groups (equal shares stay together) and an isotonic regression runs over the
 * rates of the groups (Zadrozny and Elkan 2002, there over single records, where the end blocks are single images that
 * claim certainty). The rate of each block is then shrunk by two pseudo-records, one at the overall rate and one half
 * right and half wrong (Jeffreys), so that none is 0 or 1.
 * Interval: Wilson's, for the records of one group. The probability rises with the share, so the rate of a group bounds
 * it from below at the group's largest share and from above at its smallest; past the ends of the data it opens to 0
 * and 1. Labels: how much more or less often suggestions of a label are right than the curve says is a shift in
 * log-odds, drawn towards 0 the more, the fewer its records (a random intercept; Gelman and Hill 2007, chapter 12).
 *
 * It cannot see pictures of labels that the user has not named yet. Throws `share-invalid`.
 */
export function calibrate(records: readonly CalibrationRecord[]): Calibration {
  for (const { share } of records) {
    if (!(share >= 0 && share <= 1)) throw new CoreError("share-invalid", `A share must be from 0 to 1, not ${share}.`);
  }
  const curves = fitCurves(records);
  const outcomesByLabel = new Map<number, Outcome[]>();
  for (const record of records) {
    const outcomes = outcomesByLabel.get(record.winner) ?? [];
    if (outcomes.length === 0) outcomesByLabel.set(record.winner, outcomes);
    outcomes.push({ curve: logOdds(valueAt(curves.confidence, record.share)), correct: isCorrect(record) ? 1 : 0 });
  }
  const spread = spreadBetweenLabels(outcomesByLabel.values());
  const shifts = new Map<number, LabelShift>();
  for (const [labelId, outcomes] of outcomesByLabel) shifts.set(labelId, fitShift(outcomes, spread));
  return { basis: records.length, sufficient: records.length >= minimumBasis, ...curves, spread, shifts };
}

/**
 * Probability that a suggestion of a label with this share of the vote is right. Its interval joins the uncertainty of
 * the curve and of the label's shift as independent errors in log-odds, so it is wide for a label with few records.
 */
export function confidenceOf(calibration: Calibration, labelId: number, share: number): Confidence {
  const { shift, deviation } = calibration.shifts.get(labelId) ?? { shift: 0, deviation: calibration.spread };
  const centre = logOdds(valueAt(calibration.confidence, share));
  const below = centre - logOdds(valueAt(calibration.low, share));
  const above = logOdds(valueAt(calibration.high, share)) - centre;
  const shiftError = normalQuantile95 * deviation;
  return {
    confidence: logistic(centre + shift),
    low: logistic(centre + shift - Math.hypot(below, shiftError)),
    high: logistic(centre + shift + Math.hypot(above, shiftError)),
  };
}

function fitCurves(records: readonly CalibrationRecord[]): Pick<Calibration, "confidence" | "low" | "high"> {
  const overall = (records.filter(isCorrect).length + 0.5) / (records.length + 1);
  const groups = groupByShare(records);
  const risen = isotonicRegression(groups.map(({ correct, count }) => ({ value: correct / count, weight: count })));
  // Shrunk by blocks, after pooling: many groups that were all right say more together than each by itself. Shrinking
  // moves small blocks further than large ones, so the order is restored once more.
  const shrunk = groups.map(({ count }, i) => {
    const blockCount = groups.reduce((sum, group, j) => (risen[j] === risen[i] ? sum + group.count : sum), 0);
    const value = ((risen[i] ?? 0) * blockCount + overall + 0.5) / (blockCount + 2);
    return { value, weight: count };
  });
  const rates = isotonicRegression(shrunk);
  const intervals = groups.map(({ count }, i) => wilsonInterval((rates[i] ?? overall) * count, count));
  // What bounds the curve from below at one share does so at all larger ones, what bounds it from above at all smaller.
  const lows = intervals.map((_, i) => Math.max(...intervals.slice(0, i + 1).map(({ low }) => low)));
  const highs = intervals.map((_, i) => Math.min(...intervals.slice(i).map(({ high }) => high)));
  const confidence = groups.map(({ mean }, i): CurvePoint => ({ share: mean, value: rates[i] ?? overall }));
  const low = groups.map(({ largest }, i): CurvePoint => ({ share: largest, value: lows[i] ?? 0 }));
  const high = groups.map(({ smallest }, i): CurvePoint => ({ share: smallest, value: highs[i] ?? 1 }));
  return {
    confidence: confidence.length > 0 ? confidence : [{ share: 0, value: overall }],
    low: (low[0]?.share ?? 1) > 0 ? [{ share: 0, value: 0 }, ...low] : low,
    high: (high.at(-1)?.share ?? 0) < 1 ? [...high, { share: 1, value: 1 }] : high,
  };
}

/** Records of neighbouring shares, and how many of them were right. */
interface ShareGroup {
  readonly count: number;
  readonly correct: number;
  readonly smallest: number;
  readonly mean: number;
  readonly largest: number;
}

/**
 * Cuts records by rising share into groups of n^(2/3)/2 or more: with many records, the error that a group's width
 * makes then falls faster than that of its count. A share with enough records for a group of its own (often 1, where
 * all neighbours agreed) is not mixed with smaller ones.
 */
function groupByShare(records: readonly CalibrationRecord[]): ShareGroup[] {
  const size = Math.max(minimumGroup, records.length ** (2 / 3) / 2);
  const sorted = records.toSorted((a, b) => a.share - b.share);
  const starts: number[] = [];
  let start = 0;
  for (let next = 0; next < sorted.length;) {
    const run = next;
    while (next < sorted.length && sorted[next]?.share === sorted[run]?.share) next++;
    if (run - start >= size || (run > start && next - run >= size)) {
      starts.push(start);
      start = run;
    }
  }
  // A rest that is too small for a group joins the last one.
  if (starts.length === 0 || sorted.length - start >= size) starts.push(start);
  return starts
    .map((from, i) => sorted.slice(from, starts[i + 1]))
    .filter((members) => members.length > 0)
    .map((members) => ({
      count: members.length,
      correct: members.filter(isCorrect).length,
      smallest: members[0]?.share ?? 0,
      mean: members.reduce((sum, { share }) => sum + share, 0) / members.length,
      largest: members.at(-1)?.share ?? 1,
    }));
}

/** A record beside the curve: the log-odds it was given, and 1 where the suggestion was right, else 0. */
interface Outcome {
  readonly curve: number;
  readonly correct: number;
}

/**
 * Spread of the labels' shifts by the method of moments: for a label with information I (the sum of p(1-p) over its
 * records) and surplus U (right minus expected), the expectation of U^2 is I + I^2 spread^2. The assumed spread counts
 * as labels of its own, so that a handful of records cannot claim that all labels are alike.
 */
function spreadBetweenLabels(labels: Iterable<readonly Outcome[]>): number {
  let excess = assumedSpreadWeight * assumedSpread ** 2;
  let weight = assumedSpreadWeight;
  for (const outcomes of labels) {
    const { surplus, information } = compare(outcomes, 0);
    excess += surplus ** 2 - information;
    weight += information ** 2;
  }
  return Math.sqrt(Math.max(0, excess / weight));
}

/** Most probable shift of a label under a normal prior of this spread, and its standard deviation there (Laplace). */
function fitShift(outcomes: readonly Outcome[], spread: number): LabelShift {
  if (spread === 0) return { shift: 0, deviation: 0 };
  // The most probable shift solves surplus(shift) = shift / spread^2; the surplus falls, and is one per record at most.
  let low = -outcomes.length * spread ** 2;
  let high = -low;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (compare(outcomes, middle).surplus > middle / spread ** 2) low = middle;
    else high = middle;
  }
  const shift = (low + high) / 2;
  return { shift, deviation: 1 / Math.sqrt(compare(outcomes, shift).information + 1 / spread ** 2) };
}

/** Right minus expected and the sum of p(1-p) over a label's records, with the curve shifted. */
function compare(outcomes: readonly Outcome[], shift: number): { surplus: number; information: number } {
  let surplus = 0;
  let information = 0;
  for (const { curve, correct } of outcomes) {
    const probability = logistic(curve + shift);
    surplus += correct - probability;
    information += probability * (1 - probability);
  }
  return { surplus, information };
}

function isCorrect({ winner, truth }: CalibrationRecord): boolean {
  return winner === truth;
}

function logOdds(probability: number): number {
  return Math.log(probability / (1 - probability));
}

function logistic(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
