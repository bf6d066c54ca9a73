import type { ForegroundPicture, PictureOutcome } from "../engine/protocol.ts";
import { countEmbeddings } from "../library/embeddings.ts";
import {
  countImagesWithoutForeground,
  countStaleForegrounds,
  foregroundSource,
  imagesWithoutForeground,
  insertForegroundEmbeddings,
} from "../library/foreground.ts";
import { masksOfImages } from "../library/masks.ts";
import type { Mask, Model } from "../rpc/records.ts";
import { errorRecord } from "../util/errors.ts";
import type { EmbedOptions } from "./embed.ts";
import { imagePages, type EmbeddingSteps, type ToEmbed } from "./embedding-steps.ts";
import { filePaths } from "./mask-files.ts";
import { foregroundHead, type MaskLook, type OpenedHead } from "./mask-heads.ts";
import { modelFile, resizeFor } from "./model-file.ts";
import type { RunningJob, Workplace } from "./run.ts";

/** An image with the mask that it has now; what is stored says which one that was. */
interface Masked extends ToEmbed {
  readonly mask: Mask | undefined;
}

/**
 * Embedding with an eye on the foreground: patches inside the stored mask of an image or, where it has none, inside what
 * the foreground head takes for foreground in the same run of the model. The head is trained where there is none yet.
 */
export async function foregroundSteps(
  workplace: Workplace,
  model: Model,
  { device }: EmbedOptions,
  job: RunningJob,
): Promise<EmbeddingSteps<Masked, ForegroundPicture>> {
  const { library, engine } = workplace;
  const { db } = library;
  const blend = model.foreground?.blend ?? 1;
  const trained = await headOrNull(workplace, model, { device, size: model.imageSize }, job);
  const pathOf = filePaths(db);
  const counts = { inMask: 0, inScores: 0, without: 0 };
  return {
    total: countImagesWithoutForeground(db, model),
    skipped: countEmbeddings(db, model.id) - countStaleForegrounds(db, model),
    batches: imagePages((page) => {
      const images = imagesWithoutForeground(db, model, page);
      const masks = masksOfImages(
        db,
        images.map(({ id }) => id),
      );
      return images.map((image) => ({ image, mask: masks.get(image.id) }));
    }),
    ask: (items) =>
      engine.call("embedForegrounds", {
        model: modelFile(library.folder, model),
        device,
        paths: items.map(({ image }) => pathOf(image)),
        resize: resizeFor(model.imageSize),
        blend,
        masks: items.map(({ mask }) => mask ?? null),
        head: trained?.head ?? null,
      }),
    store: (items, outcomes) => {
      const rows = rowsOf(items, outcomes, trained?.hash ?? null);
      insertForegroundEmbeddings(db, model.id, rows);
      for (const { usable, masked } of rows) counts[!usable ? "without" : masked ? "inMask" : "inScores"]++;
    },
    foreground: () => counts,
  };
}

function rowsOf(
  items: readonly Masked[],
  outcomes: readonly PictureOutcome<ForegroundPicture>[],
  headHash: string | null,
): { imageId: number; vector: Float32Array; usable: boolean; madeFrom: string; masked: boolean }[] {
  return items.flatMap(({ image, mask }, i) => {
    const outcome = outcomes[i];
    if (outcome?.ok !== true) return [];
    const { vector, usable } = outcome.value;
    const masked = mask !== undefined;
    return [{ imageId: image.id, vector, usable, madeFrom: foregroundSource(mask, headHash), masked }];
  });
}

/** Null where there is nothing to learn a head from: pictures without a mask are then taken whole. */
async function headOrNull(
  workplace: Workplace,
  model: Model,
  look: MaskLook,
  job: RunningJob,
): Promise<OpenedHead | null> {
  try {
    return await foregroundHead(workplace, model, look, job);
  } catch (error) {
    if (errorRecord(error).code !== "masks-missing") throw error;
    return null;
  }
}
