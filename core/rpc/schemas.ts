/** Shapes that several methods share. Every list and text has a bound, so that a message cannot ask for more. */
import * as v from "valibot";

/** No parameters. */
export const nothing = v.strictObject({});

/** The id of a row: image, label, model, cluster, job, operation. */
export const id = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** Images at once: more than anybody selects, little enough for one message. */
const maximalIds = 1_000_000;
export const ids = v.pipe(v.array(id), v.maxLength(maximalIds));

/** Rows of one answer. */
export const limit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000));

/** A share or a probability. */
export const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

/** Text that a person typed. */
export const words = v.pipe(v.string(), v.maxLength(1000));

/** A path on the machine of the core; it must lie inside one of the roots (see `files.roots`). */
export const path = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));

export const seed = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1));

/** A whole number in a range. */
export function whole(low: number, high: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(low), v.maxValue(high));
}

/** The model meant; without it the one in use: chosen as current, or else the newest trained one that has looked at pictures. */
export const modelId = v.optional(id);

/** Where models run; without it what the setting `device` says, or else the best device that works. */
export const device = v.optional(v.picklist(["auto", "cuda", "webgpu", "directml", "coreml", "cpu"]));

/** A label by id, or by names from the top of the tree down; labels that are not there are made. */
export const labelChoice = v.union([
  v.strictObject({ labelId: id }),
  v.strictObject({ path: v.pipe(v.array(words), v.minLength(1), v.maxLength(8)) }),
]);

/** Which images: all conditions that are given must hold; none means every image whose file is there. */
export const imageFilter = v.strictObject({
  /** Part of the path, whatever the case of its letters. */
  text: v.optional(words),
  sourceId: v.optional(id),
  /** Exactly one of these labels. */
  labelIds: v.optional(v.pipe(v.array(id), v.maxLength(10_000))),
  /** True: only images with a label; false: only those without. */
  labelled: v.optional(v.boolean()),
  /** Without a label, and with a suggestion of the model that it offers (`offered`), holds back, or has not. */
  suggestion: v.optional(v.picklist(["offered", "abstained", "none"])),
  /** The label that is suggested. */
  suggestedLabelIds: v.optional(v.pipe(v.array(id), v.maxLength(10_000))),
  /** In this cluster; null: in none (noise). */
  clusterId: v.optional(v.nullable(id)),
  mask: v.optional(v.picklist(["any", "none", "made", "edited"])),
  /** `ready` unless given: files that are gone or cannot be read are asked for by name. */
  state: v.optional(v.picklist(["ready", "problem", "missing", "any"])),
  embedded: v.optional(v.boolean()),
  ids: v.optional(ids),
});
export type ImageFilter = v.InferOutput<typeof imageFilter>;

/** The order of images, and with it what the score column holds. */
export const imageSort = v.variant("by", [
  /** By source and path. */
  v.strictObject({ by: v.literal("name"), descending: v.optional(v.boolean()) }),
  /** By the time of the file; oldest first unless descending. */
  v.strictObject({ by: v.literal("date"), descending: v.optional(v.boolean()) }),
  /** By when they came into the library. */
  v.strictObject({ by: v.literal("added"), descending: v.optional(v.boolean()) }),
  /** By label in the order of the tree, then by name; images without a label last. */
  v.strictObject({ by: v.literal("label"), descending: v.optional(v.boolean()) }),
  /**
   * Most similar first, to the mean of these images or to an uploaded picture (`queryPath`). Score: cosine. Images that
   * the model has not embedded come last, with score -2.
   */
  v.strictObject({
    by: v.literal("similarity"),
    to: v.union([
      v.strictObject({ imageIds: v.pipe(ids, v.minLength(1), v.maxLength(10_000)) }),
      v.strictObject({ queryId: words }),
    ]),
  }),
  /** Least certain suggestion first. Score: its confidence; images without a suggestion last, with score 2. */
  v.strictObject({ by: v.literal("uncertainty") }),
  /** Most certain suggestion first. Score: its confidence; images without a suggestion last, with score -1. */
  v.strictObject({ by: v.literal("confidence") }),
  /** Largest cluster first, in it most typical first. Score: cosine with its centre; noise last, with score -2. */
  v.strictObject({ by: v.literal("cluster") }),
]);
export type ImageSort = v.InferOutput<typeof imageSort>;

/** A filter and an order; `modelId` says whose suggestions, clusters and embeddings. */
export const imageQuery = v.strictObject({
  filter: v.optional(imageFilter, {}),
  sort: v.optional(imageSort, { by: "name" }),
  modelId,
});
export type ImageQuery = v.InferInput<typeof imageQuery>;

/** Images to do something with: named, or all of a filter; `except` leaves some out. */
export const imageTarget = v.union([
  v.strictObject({ ids }),
  v.strictObject({ filter: imageFilter, modelId, except: v.optional(ids) }),
]);
export type ImageTarget = v.InferOutput<typeof imageTarget>;

/** How a mask is made; see `MaskRecipe`. The defaults are those of the terminal. */
export const maskChoice = v.strictObject({
  method: v.optional(v.picklist(["attention", "tokencut", "foreground"]), "foreground"),
  /** For `attention`: the mean of all heads, or of those named. */
  heads: v.optional(
    v.union([v.literal("mean"), v.pipe(v.array(whole(0, 63)), v.minLength(1), v.maxLength(64))]),
    "mean",
  ),
  /** For `attention`: the share of attention that is kept. */
  mass: v.optional(v.pipe(v.number(), v.minValue(0.01), v.maxValue(1)), 0.6),
  refined: v.optional(v.boolean(), true),
  components: v.optional(v.picklist(["largest", "all"]), "largest"),
  /** Side of the square with as many pixels as the model looks at; `lookSize` of the model unless given. */
  size: v.optional(whole(8, 2048)),
});
export type MaskChoice = v.InferInput<typeof maskChoice>;
