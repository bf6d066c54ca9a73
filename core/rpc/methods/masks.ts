/** Masks. The attention, patch features and mask pictures of an image come over HTTP (paths.ts). */
import * as v from "valibot";
import { change, look } from "../define.ts";
import type { Operation } from "../records.ts";
import { device, id, imageTarget, maskChoice, modelId, whole } from "../schemas.ts";
import type { MaskPreview, ShownMask } from "../views.ts";

/** A side of a picture. */
const side = whole(1, 100_000);

export const maskMethods = {
  /** An image's mask with its run lengths; null where it has none. */
  "masks.get": look<ShownMask | null>()(v.strictObject({ imageId: id })),
  /**
   * Makes a mask and shows it without keeping it. What the model sees of a picture is kept for the next call, so that
   * another method, head, mass or edge takes a fraction of the first. Throws `masks-unsupported`, `head-missing`.
   */
  "masks.preview": look<MaskPreview>()(
    v.strictObject({
      imageId: id,
      modelId,
      recipe: maskChoice,
      device,
      /** `live`: smaller, with the picture's proportions, soon enough to follow a slider. */
      detail: v.optional(v.picklist(["live", "full"]), "full"),
    }),
  ),
  /**
   * Keeps the mask that a model makes by a recipe, in the place of what the image has, corrected or not: it counts as made
   * by the model. Throws as `masks.preview` does.
   */
  "masks.keep": change<Operation | null>()(v.strictObject({ imageId: id, modelId, recipe: maskChoice, device })),
  /** Keeps a mask that a person drew or corrected, at the size of the upright picture. Throws `mask-size`, `mask-invalid`. */
  "masks.save": change<Operation | null>()(
    v.strictObject({
      imageId: id,
      width: side,
      height: side,
      /** Lengths of background and foreground in turn, background first, down the columns; their sum is the area. */
      runs: v.pipe(
        v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10_000_000_000))),
        v.maxLength(4_000_000),
      ),
    }),
  ),
  /** Takes masks off images. */
  "masks.remove": change<Operation | null>()(v.strictObject({ target: imageTarget })),
} as const;
