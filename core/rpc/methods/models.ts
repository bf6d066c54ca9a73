/** Models. Embedding and downloading are jobs. */
import * as v from "valibot";
import type { EvaluateSummary } from "../api.ts";
import { change, look } from "../define.ts";
import type { Model } from "../records.ts";
import { device, id, modelId, path, seed, whole, words } from "../schemas.ts";
import type { ModelRow, PublishedModel } from "../views.ts";

export const modelMethods = {
  /** All models in the order they were added. */
  "models.list": look<ModelRow[]>()(v.strictObject({})),
  /** Checkpoints that can be downloaded, and whether the library has them. */
  "models.published": look<PublishedModel[]>()(v.strictObject({})),
  /** Makes a model with random weights: a baseline, and where pretraining starts. */
  "models.create": change<Model>()(
    v.strictObject({
      name: words,
      architecture: v.optional(v.picklist(["vit-tiny", "vit-small", "vit-base"]), "vit-tiny"),
      patch: v.optional(whole(4, 32), 16),
      size: v.optional(whole(16, 1024), 224),
      seed: v.optional(seed, 1),
    }),
  ),
  /** Copies the small trained model that comes with Dinoscope into the library, or gives the one that is there. */
  "models.starter": change<Model>()(v.strictObject({})),
  /** Reads a checkpoint of any known format (.pth, .safetensors, .onnx, a folder with config.json). */
  "models.import": change<Model>()(
    v.strictObject({
      path,
      name: v.optional(words),
      heads: v.optional(whole(1, 64)),
      part: v.optional(v.picklist(["teacher", "student"])),
    }),
  ),
  /** Writes a model for other tools into a folder; returns the files. */
  "models.export": change<readonly string[]>()(
    v.strictObject({ modelId: id, format: v.picklist(["timm", "huggingface", "onnx"]), path }),
  ),
  "models.rename": change<null>()(v.strictObject({ modelId: id, name: words })),
  /** Deletes a model with its embeddings, suggestions, clusters and map. Cannot be undone. Throws `model-busy`. */
  "models.delete": change<null>()(v.strictObject({ modelId: id })),
  /** Makes a model the one that is meant where none is named; null: the newest trained one that has looked at pictures. */
  "models.choose": change<null>()(v.strictObject({ modelId: v.nullable(id) })),
  /** How well labels are found by their neighbours, leave-one-out on the library's own labels. Takes seconds. */
  "models.evaluate": change<EvaluateSummary>()(
    v.strictObject({ modelId, neighbours: v.optional(whole(1, 1000), 20), device }),
  ),
} as const;
