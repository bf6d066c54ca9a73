import type { Operation } from "../../core/rpc/records.ts";
import type { PrecisionStep } from "../../core/rpc/views.ts";
import { inFull } from "./words.ts";

/** What of a list of suggestions is looked at, or in which order unlabelled images come. */
export const reviewModes = ["suggestions", "uncertain", "diverse", "typical", "mixed"] as const;
export type ReviewMode = (typeof reviewModes)[number];

/** What was decided about an image. */
export type Decision = "accepted" | "rejected" | "labelled" | "skipped";

/** Suggestions are offered for acceptance down to this precision, unless the user moves the slider. */
const usualPrecision = 0.95;

/** The number of steps that are accepted unless the user says otherwise: as many as keep the precision high. */
export function usualStep(steps: readonly PrecisionStep[]): number {
  return steps.findLastIndex(({ expected }) => expected >= usualPrecision) + 1;
}

/** The number of steps down to a confidence: where a slider stays when the list under it changes. */
export function stepAtConfidence(steps: readonly PrecisionStep[], confidence: number): number {
  return steps.findLastIndex((step) => step.confidence >= confidence) + 1;
}

/** `Accept 412 at about 97 %, between 94 and 99`; `left` are skipped and not accepted. */
export function precisionWords(step: PrecisionStep, left: number): string {
  const points = (share: number): number => Math.round(share * 100);
  const count = inFull(Math.max(0, step.count - left));
  const about = points(step.expected);
  return `Accept ${count} at about ${about} %, between ${points(step.low)} and ${points(step.high)}`;
}

/** How many of them are wrong, as far as can be told; the worst of the interval beside it. */
export function mistakeWords({ count, expected, low }: PrecisionStep): string {
  const wrong = Math.round(count * (1 - expected));
  // A share such as 0.94 is a little more or less in binary: that is no mistake more.
  const most = Math.ceil(count * (1 - low) - 1e-9);
  if (most === 0) return "all of them right";
  const mistakes = wrong === most ? inFull(most) : `${inFull(wrong)} to ${inFull(most)}`;
  return `perhaps ${mistakes} wrong, if the rest are of the kinds labelled so far`;
}

/** The next image that is not decided about: after `from`, else from the start; -1 where there is none. */
export function nextUndecided(ids: readonly number[], decided: ReadonlyMap<number, Decision>, from: number): number {
  for (let by = 1; by <= ids.length; by++) {
    const at = (from + by) % ids.length;
    if (!decided.has(ids[at] ?? 0)) return at;
  }
  return -1;
}

/**
 * Decisions as the library knows them by now: images that are open again (undo) are undecided, images that are not open
 * any more are labelled. `open` has those that still wait for a label.
 */
export function settled(
  ids: readonly number[],
  decided: ReadonlyMap<number, Decision>,
  open: ReadonlySet<number>,
): Map<number, Decision> {
  const now = new Map<number, Decision>();
  for (const id of ids) {
    const decision = decided.get(id);
    if (open.has(id)) {
      if (decision === "skipped") now.set(id, decision);
    } else now.set(id, decision === undefined || decision === "skipped" ? "labelled" : decision);
  }
  return now;
}

const labellingKinds: ReadonlySet<string> = new Set([
  "assign-labels",
  "accept-suggestions",
  "label-cluster",
  "import-labels",
]);

/** Images labelled since a time: what suggestions of then do not know yet. */
export function labelledSince(operations: readonly Operation[], time: number): number {
  return operations.reduce(
    (sum, { kind, state, createdAt, changeCount }) =>
      sum + (state === "done" && createdAt > time && labellingKinds.has(kind) ? changeCount : 0),
    0,
  );
}
