/** Handlers of core/rpc/methods/masks.ts. */
import type { MadeMask } from "../../engine/protocol.ts";
import { modelFile } from "../../jobs/model-file.ts";
import { correctMasks, foregroundHeadOf, masksOfImages, removeMasks, replaceMask } from "../../library/masks.ts";
import { checkRuns, compressRuns, decompressRuns } from "../../masks/rle.ts";
import type { CheckedParams } from "../../rpc/contract.ts";
import { lookSize } from "../../rpc/look-size.ts";
import type { maskMethods } from "../../rpc/methods/masks.ts";
import type { MaskRecipe, Model } from "../../rpc/records.ts";
import { CoreError } from "../../util/errors.ts";
import { deviceOf, fewIds, modelOf, targetIds, type Handlers, type Office } from "../office.ts";
import { fileOf, knownImage } from "./images.ts";
import { counted } from "./labels.ts";

export function maskHandlers(office: Office): Handlers<typeof maskMethods> {
  const { db } = office.library;
  return {
    "masks.get": ({ imageId }) => {
      const mask = masksOfImages(db, [imageId]).get(imageId);
      if (mask === undefined) return null;
      return { ...mask, runs: Array.from(decompressRuns(mask.runs, mask.width, mask.height).counts) };
    },
    "masks.preview": async ({ detail, ...wanted }) => {
      const { made, recipe } = await makeMask(office, wanted, detail);
      const { width, height, runs, score } = made;
      return {
        width,
        height,
        recipe,
        runs: Array.from(decompressRuns(runs, width, height).counts),
        score: { ...score, data: Array.from(score.data) },
      };
    },
    "masks.keep": async (wanted) => {
      const { imageId } = wanted;
      const { made, recipe, model } = await makeMask(office, wanted, "full");
      const { width, height, runs } = made;
      const operation = replaceMask(
        db,
        { imageId, width, height, runs, modelHash: model.hash, recipe },
        {
          kind: "keep-mask",
          summary: `Kept the mask that ${model.name} made of ${knownImage(office, imageId).path}`,
        },
      );
      if (operation !== null) office.changed(["masks", "history"], [imageId]);
      return operation;
    },
    "masks.save": ({ imageId, width, height, runs }) => {
      const image = knownImage(office, imageId);
      const counts = Uint32Array.from(runs);
      // Numbers beyond 32 bits would come out as others.
      if (counts.some((count, i) => count !== runs[i])) {
        throw new CoreError("mask-invalid", "A run of the mask is longer than a picture can be.");
      }
      checkRuns({ width, height, counts });
      const mask = { imageId, width, height, runs: compressRuns({ width, height, counts }) };
      const operation = correctMasks(db, [mask], {
        kind: "correct-mask",
        summary: `Corrected the mask of ${image.path}`,
      });
      if (operation !== null) office.changed(["masks", "history"], [imageId]);
      return operation;
    },
    "masks.remove": ({ target }) => {
      const ids = targetIds(office, target);
      const summary = `Removed the masks of ${counted(masksOfImages(db, ids).size)}`;
      const operation = removeMasks(db, ids, { kind: "remove-masks", summary });
      if (operation !== null) office.changed(["masks", "history"], fewIds(ids));
      return operation;
    },
  };
}

/** Makes a mask by a recipe in the engine of the desk. */
async function makeMask(
  office: Office,
  { imageId, modelId, recipe: asked, device }: CheckedParams<"masks.keep">,
  detail: "live" | "full",
): Promise<{ made: MadeMask & { width: number; height: number }; recipe: MaskRecipe; model: Model }> {
  const image = knownImage(office, imageId);
  const model = modelOf(office, modelId);
  const { method, refined, components, size = lookSize(model) } = asked;
  const foreground = method === "foreground" ? headOf(office, model, size) : null;
  const recipe: MaskRecipe = {
    method,
    heads: method === "attention" && asked.heads !== "mean" ? asked.heads : null,
    mass: method === "attention" ? asked.mass : null,
    refined,
    components,
    size,
    headHash: foreground?.hash ?? null,
  };
  const made = await office.desk.engine.call("previewMask", {
    model: modelFile(office.library.folder, model),
    device: deviceOf(office, device),
    path: fileOf(office, image),
    size,
    recipe,
    head: foreground?.head ?? null,
    detail,
  });
  return { made, recipe, model };
}

/** The trained head that foreground masks of a model need. Throws `head-missing` where none was trained yet. */
function headOf({ library: { db } }: Office, model: Model, size: number) {
  const stored = foregroundHeadOf(db, model.hash, size);
  if (stored === null) {
    throw new CoreError("head-missing", `No foreground head was trained for ${model.name} at ${size} pixels yet.`, {
      hint: "Make masks of the library once with this method: that trains it. Or use attention or TokenCut.",
    });
  }
  const { hash, weights } = stored;
  return { hash, head: { weights: weights.subarray(0, -1), bias: weights.at(-1) ?? 0 } };
}
