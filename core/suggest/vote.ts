import { CoreError } from "../util/errors.ts";
import type { Neighbour, NeighbourTable } from "./nearest.ts";
import { queryCountOf } from "./nearest.ts";

/** Temperature of the votes in DINO's evaluation (its eval_knn.py), after Wu et al. 2018, section 3.4. */
export const defaultTemperature = 0.07;

/** The part of the vote that a label got, 0 to 1. */
export interface LabelShare {
  readonly labelId: number;
  readonly share: number;
}

/** What a query's neighbours said together. */
export interface Vote {
  /** Shares of every label that got a vote, largest first, equal ones by label id. They sum to 1. */
  readonly shares: readonly LabelShare[];
  /** The first of the shares. */
  readonly winner: LabelShare;
  /** The neighbours that voted for the winner, in the order they came. */
  readonly voters: readonly Neighbour[];
}

/**
 * Weighted k-NN vote: each neighbour votes for its label with exp(similarity / temperature), votes are divided by their
 * sum. `labels[index]` is the label id of a row of the bank. Null without neighbours: nobody voted. Throws
 * `similarity-not-finite` and `label-missing`.
 */
export function voteLabels(
  neighbours: readonly Neighbour[],
  labels: ArrayLike<number>,
  temperature: number = defaultTemperature,
): Vote | null {
  checkTemperature(temperature);
  const weights = new Map<number, number>();
  const best = neighbours.reduce((most, { similarity }) => Math.max(most, similarity), -Infinity);
  let total = 0;
  for (const { index, similarity } of neighbours) {
    const weight = voteWeight(similarity, best, temperature);
    const labelId = labelOf(labels, index);
    weights.set(labelId, (weights.get(labelId) ?? 0) + weight);
    total += weight;
  }
  const shares = Array.from(weights, ([labelId, weight]): LabelShare => ({ labelId, share: weight / total })).sort(
    (a, b) => b.share - a.share || a.labelId - b.labelId,
  );
  const winner = shares[0];
  if (winner === undefined) return null;
  return { shares, winner, voters: neighbours.filter(({ index }) => labels[index] === winner.labelId) };
}

/** The winning label and its share for every query of a table; the label is -1 where a query has no neighbours. */
export interface Winners {
  readonly labelIds: Int32Array;
  readonly shares: Float64Array;
}

/**
 * The winners of `voteLabels` for many queries at once, without an object per query. `labels` holds one label id
 * (0 or more) per row of the bank.
 */
export function voteWinners(
  table: NeighbourTable,
  labels: Int32Array,
  temperature: number = defaultTemperature,
): Winners {
  checkTemperature(temperature);
  // Label ids are sparse; votes are counted in a dense array with one slot per label, in the order of the ids.
  const labelIds = Int32Array.from(new Set(labels)).sort();
  const slotOfLabel = new Map<number, number>();
  labelIds.forEach((labelId, slot) => slotOfLabel.set(labelId, slot));
  const slots = labels.map((labelId) => slotOfLabel.get(labelId) ?? 0);
  const weights = new Float64Array(labelIds.length);

  const queries = queryCountOf(table);
  const winners = { labelIds: new Int32Array(queries).fill(-1), shares: new Float64Array(queries) };
  for (let query = 0; query < queries; query++) {
    const start = query * table.count;
    let end = start;
    let best = -Infinity;
    while (end < start + table.count && (table.indices[end] ?? -1) >= 0) {
      best = Math.max(best, table.similarities[end++] ?? 0);
    }
    let total = 0;
    for (let i = start; i < end; i++) {
      const weight = voteWeight(table.similarities[i] ?? 0, best, temperature);
      const slot = labelOf(slots, table.indices[i] ?? 0);
      weights[slot] = (weights[slot] ?? 0) + weight;
      total += weight;
    }
    let winner = -1;
    let most = 0;
    for (let i = start; i < end; i++) {
      const slot = labelOf(slots, table.indices[i] ?? 0);
      const share = (weights[slot] ?? 0) / total;
      if (share > most || (share === most && slot < winner)) {
        winner = slot;
        most = share;
      }
    }
    for (let i = start; i < end; i++) weights[labelOf(slots, table.indices[i] ?? 0)] = 0;
    winners.labelIds[query] = labelIds[winner] ?? -1;
    winners.shares[query] = most;
  }
  return winners;
}

/** Weight of one vote, divided by that of the most similar neighbour so that no temperature makes it overflow. */
function voteWeight(similarity: number, best: number, temperature: number): number {
  const weight = Math.exp((similarity - best) / temperature);
  if (Number.isNaN(weight)) {
    throw new CoreError("similarity-not-finite", "The similarity of a neighbour is not a finite number.", {
      hint: "Compute the embeddings again.",
    });
  }
  return weight;
}

function labelOf(labels: ArrayLike<number>, index: number): number {
  const labelId = labels[index];
  if (labelId === undefined) {
    throw new CoreError("label-missing", `Row ${index} of the bank has no label: there are ${labels.length} labels.`);
  }
  return labelId;
}

function checkTemperature(temperature: number): void {
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new CoreError("option-invalid", `The temperature must be above 0, not ${temperature}.`);
  }
}
