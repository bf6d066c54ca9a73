import { CoreError } from "../util/errors.ts";
import { keptMass } from "./attention.ts";
import { removeSpikes } from "./spikes.ts";

/** A picture whose true mask is known: its attention [heads, rows * columns], and how much of each patch is foreground. */
export interface HeadExample {
  readonly attention: Float32Array;
  readonly heads: number;
  readonly rows: number;
  readonly columns: number;
  /** From 0 to 1, row by row. */
  readonly truth: Float32Array;
}

/** How well each head's attention fits the true masks. */
export interface HeadChoice {
  readonly head: number;
  /** Mean intersection over union of each head at patch resolution. */
  readonly overlaps: readonly number[];
}

/**
 * The head whose kept mass overlaps best, on average, with the true masks: which head follows the object differs from one
 * training run to the next. Ties go to the lower head. Throws `masks-missing` without an example.
 */
export function bestHead(examples: readonly HeadExample[], mass: number): HeadChoice {
  const heads = examples[0]?.heads;
  if (heads === undefined) {
    throw new CoreError("masks-missing", "Choosing the best head needs corrected masks, and there are none.", {
      hint: "Correct a few masks first (`dinoscope masks import FOLDER`), or use the mean of all heads.",
    });
  }
  const overlaps = Array.from({ length: heads }, (_, head) => {
    const all = examples.map((example) => overlapOfHead(example, head, mass));
    return all.reduce((sum, overlap) => sum + overlap, 0) / all.length;
  });
  return { head: overlaps.indexOf(Math.max(...overlaps)), overlaps };
}

function overlapOfHead({ attention, rows, columns, truth }: HeadExample, head: number, mass: number): number {
  const patches = rows * columns;
  const values = attention.subarray(head * patches, (head + 1) * patches);
  const kept = keptMass(removeSpikes(values, rows, columns), mass);
  let intersection = 0;
  let union = 0;
  truth.forEach((share, patch) => {
    intersection += kept[patch] === 1 ? share : 0;
    union += kept[patch] === 1 ? 1 : share;
  });
  return union === 0 ? 1 : intersection / union;
}
