/** What the last check found, and what can be done about it. A check itself is a job. */
import * as v from "valibot";
import type { RareLabelRow, ShownFinding } from "../api.ts";
import { change, look } from "../define.ts";
import type { CheckKind, Operation } from "../records.ts";
import { id, ids, limit, whole } from "../schemas.ts";

const kind = v.picklist(["wrong-labels", "twins", "duplicates", "outliers"]);

export const checkMethods = {
  /** How many findings of each kind still hold, and how many of those are worth a look without being asked for. */
  "checks.counts": look<{ kind: CheckKind; found: number; likely: number }[]>()(v.strictObject({})),
  /** Findings that still hold, most urgent first. */
  "checks.list": look<ShownFinding[]>()(v.strictObject({ kind, limit: v.optional(limit, 100) })),
  /** Labels with fewer images than `minimum`. */
  "checks.rareLabels": look<RareLabelRow[]>()(v.strictObject({ minimum: v.optional(whole(1, 1_000_000)) })),
  /** Gives the first `count` images with doubtful labels the label of their neighbours. */
  "checks.acceptWrongLabels": change<Operation | null>()(v.strictObject({ count: limit })),
  /** Gives all copies in the group of an image the label of its best picture. Throws `labels-missing`. */
  "checks.unifyDuplicates": change<Operation | null>()(v.strictObject({ imageId: id })),
  /** Puts the label of each of two images on the other, as one operation. Throws `labels-missing` where one has none. */
  "checks.swapLabels": change<Operation | null>()(v.strictObject({ first: id, second: id })),
  /**
   * Says that findings are right as they are: that about an image, that about just these images (two twins; one image
   * may be in several pairs), or the first `count`. They do not come back.
   */
  "checks.dismiss": change<Operation | null>()(
    v.strictObject({
      kind,
      which: v.union([
        v.strictObject({ imageId: id }),
        v.strictObject({ imageIds: v.pipe(ids, v.minLength(1), v.maxLength(10_000)) }),
        v.strictObject({ count: limit }),
      ]),
    }),
  ),
} as const;
