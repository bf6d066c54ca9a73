import { join } from "node:path";
import type { EmbeddedPicture, ModelFile, PictureOutcome, WantedDevice } from "../engine/protocol.ts";
import { countEmbeddings, insertEmbeddings } from "../library/embeddings.ts";
import { countImagesWithoutEmbedding, imagesWithoutEmbedding } from "../library/images.ts";
import { listSources } from "../library/sources.ts";
import type { Image, Model } from "../rpc/records.ts";
import type { EmbedSummary } from "../rpc/api.ts";
import { onceMore } from "./once-more.ts";
import { batchSize, pipeBatches } from "./pipeline.ts";
import { runJob, type Watch, type Workplace } from "./run.ts";

export interface EmbedOptions {
  readonly device: WantedDevice;
}

/** The model as the engine needs it. */
export function modelFile(libraryFolder: string, model: Model): ModelFile {
  return { kind: model.kind, file: join(libraryFolder, model.file), imageSize: model.imageSize };
}

/**
 * Shorter side before the centre crop, as in DINO's evaluation: 256 for a crop of 224 (eval_knn.py), and the same
 * proportion for other sizes.
 */
export function resizeFor(imageSize: number): number {
  return Math.round((imageSize * 256) / 224);
}

/**
 * Embeds every readable image that the model has not embedded yet, in id order. What is stored is never done again, so
 * a job that was stopped or killed goes on where it was. Images that fail are reported and tried again the next time.
 */
export async function embedImages(
  workplace: Workplace,
  model: Model,
  { device }: EmbedOptions,
  watch: Watch = {},
): Promise<EmbedSummary> {
  return runJob(workplace, "embed", { modelId: model.id, device }, watch, async (job) => {
    const { library, engine } = workplace;
    const { db } = library;
    const started = performance.now();
    const skipped = countEmbeddings(db, model.id);
    const folders = new Map(listSources(db).map(({ id, folder }) => [id, folder]));
    const fullPath = (image: Image): string => join(folders.get(image.sourceId) ?? "", image.path);

    const chosen = await onceMore(() => engine.call("chooseDevice", { device }));
    const report = job.phase(`embedding on ${chosen.device}`, countImagesWithoutEmbedding(db, model.id));
    report(0);
    const failed: { path: string; reason: string }[] = [];
    let done = 0;
    await pipeBatches(
      pages(workplace, model.id),
      (images) =>
        engine.call("embedPictures", {
          model: modelFile(library.folder, model),
          device,
          paths: images.map(fullPath),
          resize: resizeFor(model.imageSize),
        }),
      (images, outcomes) => {
        insertEmbeddings(db, model.id, rowsOf(images, outcomes));
        images.forEach((image, i) => {
          const outcome = outcomes[i];
          if (outcome?.ok === false) failed.push({ path: fullPath(image), reason: outcome.problem.message });
        });
        report((done += images.length));
      },
      job.signal,
    );
    const durationMs = performance.now() - started;
    return { model, device: chosen.device, embedded: done - failed.length, failed, skipped, durationMs };
  });
}

/** Images to embed, page by page. The library is read as the job goes, so that memory does not grow with it. */
function* pages({ library }: Workplace, modelId: number): Generator<readonly Image[]> {
  for (let after = 0; ;) {
    const page = imagesWithoutEmbedding(library.db, modelId, { limit: batchSize, after });
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.id;
    yield page;
  }
}

function rowsOf(
  images: readonly Image[],
  outcomes: readonly PictureOutcome<EmbeddedPicture>[],
): { imageId: number; vector: Float32Array; attention?: NonNullable<EmbeddedPicture["attention"]> }[] {
  return images.flatMap(({ id }, i) => {
    const outcome = outcomes[i];
    if (outcome?.ok !== true) return [];
    const { vector, attention } = outcome.value;
    return [{ imageId: id, vector, ...(attention === null ? {} : { attention }) }];
  });
}
