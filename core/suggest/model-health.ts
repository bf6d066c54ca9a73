import { neighboursOf, queryCountOf, type NeighbourTable } from "./nearest.ts";
import { neighbourDeviations, outlierDeviation } from "./outliers.ts";
import { voteLabels } from "./vote.ts";

/**
 * How well a model knows an image, as far as labels can tell: `agree`, its labelled neighbours mostly have its label, or
 * one label where it has none; `divided`, no label has half of their vote; `against`, another label than its own has;
 * `apart`, it is an outlier, so that its neighbours say little; `unknown`, too few of its neighbours have a label.
 */
export type Health = "unknown" | "agree" | "divided" | "against" | "apart";

/** Labelled neighbours below which nothing is said: of two votes one is half by itself. */
export const healthVoters = 3;

/**
 * The health of every row. `labels` holds the label id of a row of the bank, 0 for none. Votes are weighted as those of
 * suggestions are; a row never votes for itself, since it is not among its neighbours. Outliers are those of the check.
 */
export function modelHealth(table: NeighbourTable, labels: ArrayLike<number>): Health[] {
  const { deviations } = neighbourDeviations(table);
  return Array.from({ length: queryCountOf(table) }, (_, row): Health => {
    if ((deviations[row] ?? 0) >= outlierDeviation) return "apart";
    const voters = neighboursOf(table, row).filter(({ index }) => labels[index] !== 0);
    const vote = voters.length < healthVoters ? null : voteLabels(voters, labels);
    if (vote === null) return "unknown";
    const own = labels[row] ?? 0;
    if (vote.winner.share < 0.5) return "divided";
    return own === 0 || own === vote.winner.labelId ? "agree" : "against";
  });
}
