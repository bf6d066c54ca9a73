/** Labels, putting them on images, and the suggestions for them. Every change is one operation that can be undone. */
import * as v from "valibot";
import type { ShownSuggestion } from "../api.ts";
import { change, look } from "../define.ts";
import type { Label, Operation } from "../records.ts";
import { id, ids, imageTarget, labelChoice, limit, modelId, share, words } from "../schemas.ts";
import type { LabelList, LabelledImages, PrecisionStep, SuggestionCount } from "../views.ts";

const labelPath = v.pipe(v.array(words), v.minLength(1), v.maxLength(8));

export const labelMethods = {
  /** The tree of labels with counts, and the keys that assign them. */
  "labels.list": look<LabelList>()(v.strictObject({})),
  /** Makes labels by their names from the top down: `[["Drinks", "Oat"]]` is Oat under Drinks. Throws `label-invalid`. */
  "labels.create": change<{ labels: Label[]; operation: Operation | null }>()(
    v.strictObject({ paths: v.pipe(v.array(labelPath), v.minLength(1), v.maxLength(10_000)) }),
  ),
  /** Throws `label-exists` for a name that is taken beside it, `label-invalid`. */
  "labels.rename": change<Operation | null>()(v.strictObject({ labelId: id, name: words })),
  /** Puts a label under another (null: at the top), at `index` among its siblings. Throws `label-cycle`, `label-exists`. */
  "labels.move": change<Operation | null>()(
    v.strictObject({
      labelId: id,
      parentId: v.nullable(id),
      index: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000))),
    }),
  ),
  /** Gives all images of a label another one, and deletes it. Throws `label-has-children`. */
  "labels.merge": change<Operation | null>()(v.strictObject({ labelId: id, into: id })),
  /** Deletes a label that no image has. Throws `label-in-use`, `label-has-children`. */
  "labels.delete": change<Operation | null>()(v.strictObject({ labelId: id })),
  /** The key that assigns a label: one letter or digit, taken from the label that had it; null takes it away. */
  "labels.setKey": change<null>()(
    v.strictObject({ labelId: id, key: v.nullable(v.pipe(v.string(), v.regex(/^[\p{L}\p{N}]$/u))) }),
  ),
  /** Puts a label on images, in the place of theirs. Thousands at once are one operation. */
  "labels.assign": change<LabelledImages>()(v.strictObject({ target: imageTarget, label: labelChoice })),
  /** Takes the labels off images. */
  "labels.remove": change<LabelledImages>()(v.strictObject({ target: imageTarget })),

  /** How many suggestions each label has, for images without a label. */
  "suggestions.counts": look<SuggestionCount[]>()(v.strictObject({ modelId })),
  /** Suggestions with their voters, most certain first; `after` is the last one of the page before. */
  "suggestions.list": look<ShownSuggestion[]>()(
    v.strictObject({
      modelId,
      labelId: v.optional(id),
      limit: v.optional(limit, 100),
      after: v.optional(v.strictObject({ confidence: share, imageId: id })),
    }),
  ),
  /**
   * What accepting down to a confidence means: how many there are, and what share of them is right, with its interval.
   * Steps in falling order of confidence, 200 at most.
   */
  "suggestions.precision": look<PrecisionStep[]>()(v.strictObject({ modelId, labelId: v.optional(id) })),
  /** Accepts suggestions: those of these images, or all from a confidence on (of one label, or of all). */
  "suggestions.accept": change<LabelledImages>()(
    v.strictObject({
      modelId,
      which: v.union([
        v.strictObject({ imageIds: ids }),
        v.strictObject({ minimumConfidence: share, labelId: v.optional(id), except: v.optional(ids) }),
      ]),
    }),
  ),
  /** Says that these images are not what is suggested: the suggestion goes, and this label is not suggested again. */
  "suggestions.reject": change<Operation | null>()(v.strictObject({ modelId, imageIds: ids })),
} as const;
