import type { MadeMask, PictureOutcome, WantedDevice } from "../engine/protocol.ts";
import { countImages } from "../library/images.ts";
import { countImagesWithoutMask, imagesWithoutMask, putMasks, type NewMask } from "../library/masks.ts";
import type { ForegroundHead } from "../masks/foreground-head.ts";
import type { MasksSummary } from "../rpc/api.ts";
import type { Image, MaskMethod, MaskRecipe, Model } from "../rpc/records.ts";
import { modelFile } from "./model-file.ts";
import { filePaths } from "./mask-files.ts";
import { chooseHead, correctedExamples, foregroundHead } from "./mask-heads.ts";
import { pipeBatches } from "./pipeline.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";

export interface MaskOptions {
  readonly device: WantedDevice;
  readonly method: MaskMethod;
  /** Of all heads the mean, the one that fits the corrected masks best, or the mean of those that are named. */
  readonly heads: "mean" | "best" | readonly number[];
  readonly mass: number;
  readonly refined: boolean;
  readonly components: MaskRecipe["components"];
  readonly size: number;
  /** Train the foreground head anew, although there is one. */
  readonly retrain: boolean;
}

/** Pictures in one request: each takes a good part of a second on a processor, and stops are heard between requests. */
const batch = 4;

/**
 * Makes a mask of every readable image that has none of this model and recipe, in id order, and none that somebody
 * corrected. What is stored is never done again, so a job that was stopped goes on where it was. Images that fail are
 * reported and tried again the next time.
 */
export async function maskImages(
  workplace: Workplace,
  model: Model,
  options: MaskOptions,
  watch: Watch = {},
): Promise<MasksSummary> {
  return runJob(workplace, "masks", { modelId: model.id, ...options }, watch, async (job) => {
    const { library, engine } = workplace;
    const { db } = library;
    const started = performance.now();
    const chosen = await engine.call("chooseDevice", { device: options.device });
    const { recipe, head } = await settleRecipe(workplace, model, options, job);
    const total = countImagesWithoutMask(db, model.hash, recipe);
    const skipped = countImages(db).ready - total;
    const report = job.restPhase(`making masks on ${chosen.device}`, total);
    report(0);
    const pathOf = filePaths(db);
    const failed: { path: string; reason: string }[] = [];
    let done = 0;
    await pipeBatches(
      pages(workplace, model.hash, recipe),
      (images) =>
        engine.call("maskPictures", {
          model: modelFile(library.folder, model),
          device: options.device,
          paths: images.map(pathOf),
          size: recipe.size,
          recipes: [recipe],
          head,
        }),
      (images, outcomes) => {
        putMasks(db, model.hash, recipe, rowsOf(images, outcomes));
        images.forEach((image, i) => {
          const outcome = outcomes[i];
          if (outcome?.ok === false) failed.push({ path: pathOf(image), reason: outcome.problem.message });
        });
        report((done += images.length));
      },
      job.signal,
    );
    const durationMs = performance.now() - started;
    return { model, device: chosen.device, recipe, made: done - failed.length, failed, skipped, durationMs };
  });
}

/** The recipe of options, once heads are chosen or trained, with the head that it needs. */
async function settleRecipe(
  workplace: Workplace,
  model: Model,
  { method, heads, mass, refined, components, size, device, retrain }: MaskOptions,
  job: RunningJob,
): Promise<{ recipe: MaskRecipe; head: ForegroundHead | null }> {
  const recipe: MaskRecipe = { method, heads: null, mass: null, refined, components, size, headHash: null };
  switch (method) {
    case "attention": {
      if (heads !== "best") return { recipe: { ...recipe, mass, heads: heads === "mean" ? null : heads }, head: null };
      const { head } = await chooseHead(workplace, model, { device, size }, mass, correctedExamples(workplace), job);
      return { recipe: { ...recipe, mass, heads: [head] }, head: null };
    }
    case "tokencut":
      return { recipe, head: null };
    case "foreground": {
      const { hash, head } = await foregroundHead(workplace, model, { device, size }, job, { retrain });
      return { recipe: { ...recipe, headHash: hash }, head };
    }
  }
}

function* pages({ library }: Workplace, modelHash: string, recipe: MaskRecipe): Generator<readonly Image[]> {
  for (let after = 0; ;) {
    const page = imagesWithoutMask(library.db, modelHash, recipe, { limit: batch, after });
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.id;
    yield page;
  }
}

function rowsOf(
  images: readonly Image[],
  outcomes: readonly PictureOutcome<{ width: number; height: number; masks: readonly MadeMask[] }>[],
): NewMask[] {
  return images.flatMap(({ id }, i) => {
    const outcome = outcomes[i];
    if (outcome?.ok !== true) return [];
    const { width, height, masks } = outcome.value;
    return masks.map(({ runs, score }) => ({ imageId: id, width, height, runs, score }));
  });
}
