/** How far the library is. */
export interface Standing {
  readonly images: number;
  readonly labelled: number;
  /** Images that the model has looked at; null without a model. */
  readonly embedded: number | null;
  readonly suggestions: number;
  /** Whether a job waits or runs. */
  readonly busy: boolean;
}

/** What helps most now. */
export type NextStep =
  | { readonly kind: "model" }
  | { readonly kind: "embed"; readonly count: number }
  | { readonly kind: "label" }
  | { readonly kind: "suggest"; readonly count: number };

/** So many labels are enough to vote with. */
const enoughLabels = 10;

/** What to do next, for people who do it for the first time; null where nothing is in the way. */
export function nextStepOf({ images, labelled, embedded, suggestions, busy }: Standing): NextStep | null {
  if (images === 0) return null;
  if (embedded === null) return { kind: "model" };
  if (busy) return null;
  if (embedded < images) return { kind: "embed", count: images - embedded };
  if (labelled === 0) return { kind: "label" };
  if (labelled >= enoughLabels && suggestions === 0 && labelled < images) return { kind: "suggest", count: labelled };
  return null;
}
