import { CoreError } from "../util/errors.ts";
import { createRandom } from "../util/random.ts";
import { neighboursOf, queryCountOf, type Neighbour, type NeighbourTable } from "./nearest.ts";
import { checkTable } from "./twins.ts";
import { defaultTemperature, type LabelShare } from "./vote.ts";

/** A labelled row whose neighbours say something else. */
export interface WrongLabel {
  readonly row: number;
  /** The label it has, and that label's share of its neighbours' vote. */
  readonly own: LabelShare;
  /** The label with the largest share among the others. */
  readonly suggested: LabelShare;
  /** Logarithm of how many times more votes the other label has; the list is in falling order of it. */
  readonly score: number;
  /** True for the first `expected` of the list. */
  readonly likely: boolean;
  /** The neighbours with another label, most similar first. */
  readonly disagreeing: readonly Neighbour[];
}

/** Likely wrong labels, most likely first. */
export interface WrongLabels {
  /** How many labels are estimated to be wrong: a length at which the list can be read to its end. */
  readonly expected: number;
  readonly list: readonly WrongLabel[];
}

export interface WrongLabelOptions {
  readonly temperature?: number;
  /** Entries of the list, at most. */
  readonly limit?: number;
}

/** Neighbours that vote here: more than for a suggestion, since a single wrong neighbour must not look like a finding. */
export const wrongLabelNeighbours = 50;

/** Random labels tried for each row when the scores of wrong labels are measured. */
const trials = 5;

/** Shares of the scores of wrong labels at which the tails are compared: below a tenth they are too few to count. */
const tails = Array.from({ length: 46 }, (_, i) => 0.1 + 0.02 * i);

/**
 * Ranks labelled rows by how much their neighbours, searched for with the row itself left out, vote for another label:
 * score = log((w + a) / (o + a)), where o is the share of the row's own label, w the largest other share, and a half of
 * one neighbour's even share. Only rows where another label is ahead are listed, and none that is alone with its label:
 * no neighbour could speak for it.
 *
 * `expected` needs no threshold: every row is given random labels of other rows to see how wrong labels score here. If a
 * part e of the labels is wrong, then of the scores above any bound at least e times as many are real as with random
 * labels; the smallest such ratio over all bounds is the estimate (Blanchard, Lee and Scott 2010, "Semi-Supervised
 * Novelty Detection"). It is about right where the model tells the labels apart and too large where it does not; labels
 * that are mixed up with a similar one, rather than with any, make it too small.
 *
 * The table is that of a leave-one-out search (query i is row i). Throws `check-shape`, `option-invalid`, and
 * `label-missing` for a neighbour without a label.
 */
export function findWrongLabels(
  table: NeighbourTable,
  labels: Int32Array,
  { temperature = defaultTemperature, limit = Infinity }: WrongLabelOptions = {},
): WrongLabels {
  checkTable(table, labels.length);
  if (!(temperature > 0)) throw new CoreError("option-invalid", `The temperature must be above 0, not ${temperature}.`);
  const halfVote = 0.5 / Math.max(1, table.count);
  const random = createRandom(labels.length);
  const votes = createVotes(table, labels, temperature);
  const imageCounts = new Map<number, number>();
  for (const label of labels) imageCounts.set(label, (imageCounts.get(label) ?? 0) + 1);
  const scoreOf = (label: number): number =>
    Math.log(((votes.bestBeside(label)?.share ?? 0) + halfVote) / (votes.shareOf(label) + halfVote));

  const found: Pick<WrongLabel, "row" | "own" | "suggested" | "score">[] = [];
  const scores: number[] = [];
  const scoresOfWrong: number[] = [];
  for (let row = 0; row < queryCountOf(table) && imageCounts.size > 1; row++) {
    const labelId = labels[row] ?? -1;
    if (imageCounts.get(labelId) === 1 || !votes.count(row)) continue;
    const score = scoreOf(labelId);
    scores.push(score);
    const suggested = votes.bestBeside(labelId);
    if (suggested !== null && score > 0) {
      found.push({ row, own: { labelId, share: votes.shareOf(labelId) }, suggested, score });
    }
    for (let trial = 0; trial < trials; trial++) {
      let other = labelId;
      while (other === labelId) other = labels[random.integer(labels.length)] ?? -1;
      scoresOfWrong.push(scoreOf(other));
    }
  }
  const expected = Math.round(wrongShare(scores, scoresOfWrong) * scores.length);
  const list = found
    .sort((a, b) => b.score - a.score || b.suggested.share - a.suggested.share || a.row - b.row)
    .slice(0, limit)
    .map((entry, rank) => ({
      ...entry,
      likely: rank < expected,
      disagreeing: neighboursOf(table, entry.row).filter(({ index }) => labels[index] !== entry.own.labelId),
    }));
  return { expected, list };
}

/** The vote of one row at a time: the shares of `voteLabels`, without an object for each. */
interface Votes {
  /** Counts the votes for a row; false where it has no neighbours. */
  readonly count: (row: number) => boolean;
  /** A label's share in the vote counted last. */
  readonly shareOf: (labelId: number) => number;
  /** The label with the largest share beside this one, the lower id of equal ones; null where no other got a vote. */
  readonly bestBeside: (labelId: number) => LabelShare | null;
}

function createVotes(table: NeighbourTable, labels: Int32Array, temperature: number): Votes {
  const labelIds = Int32Array.from(new Set(labels)).sort();
  const slotOfLabel = new Map(Array.from(labelIds, (labelId, slot) => [labelId, slot]));
  const slots = labels.map((labelId) => slotOfLabel.get(labelId) ?? 0);
  const weights = new Float64Array(labelIds.length);
  let total = 0;
  // Slots of the two largest weights, or -1.
  let first = -1;
  let second = -1;
  const before = (slot: number, other: number): boolean => {
    if (other < 0) return true;
    const [weight = 0, otherWeight = 0] = [weights[slot], weights[other]];
    return weight > otherWeight || (weight === otherWeight && slot < other);
  };
  return {
    count: (row) => {
      weights.fill(0);
      [total, first, second] = [0, -1, -1];
      const start = row * table.count;
      const end = start + table.count;
      const best = table.similarities[start] ?? 0;
      for (let at = start; at < end && (table.indices[at] ?? -1) >= 0; at++) {
        const slot = slots[table.indices[at] ?? 0];
        if (slot === undefined) throw new CoreError("label-missing", `Row ${table.indices[at]} has no label.`);
        const weight = Math.exp(((table.similarities[at] ?? 0) - best) / temperature);
        weights[slot] = (weights[slot] ?? 0) + weight;
        total += weight;
      }
      for (let at = start; at < end && (table.indices[at] ?? -1) >= 0; at++) {
        const slot = slots[table.indices[at] ?? 0] ?? 0;
        if (slot === first || slot === second) continue;
        if (before(slot, first)) [first, second] = [slot, first];
        else if (before(slot, second)) second = slot;
      }
      return first >= 0;
    },
    shareOf: (labelId) => (weights[slotOfLabel.get(labelId) ?? -1] ?? 0) / total,
    bestBeside: (labelId) => {
      const slot = labelIds[first] === labelId ? second : first;
      const winner = labelIds[slot];
      return winner === undefined ? null : { labelId: winner, share: (weights[slot] ?? 0) / total };
    },
  };
}

/** Part of the labels that is wrong: the smallest ratio of the two lists' tails. */
function wrongShare(scores: readonly number[], scoresOfWrong: readonly number[]): number {
  const real = Float64Array.from(scores).sort();
  const wrong = Float64Array.from(scoresOfWrong).sort();
  if (real.length === 0) return 0;
  const ratios = tails.map((tail) => {
    const bound = wrong[Math.max(0, Math.floor((1 - tail) * wrong.length))] ?? 0;
    return countFrom(real, bound) / real.length / (countFrom(wrong, bound) / wrong.length);
  });
  return Math.min(1, ...ratios);
}

/** How many of these rising values are at least `bound`. */
function countFrom(rising: Float64Array, bound: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] ?? 0) < bound) low = middle + 1;
    else high = middle;
  }
  return rising.length - low;
}
