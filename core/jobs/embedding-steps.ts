import type { EmbeddedPicture, PictureOutcome } from "../engine/protocol.ts";
import { countEmbeddings, insertEmbeddings } from "../library/embeddings.ts";
import { countImagesWithoutEmbedding, imagesWithoutEmbedding } from "../library/images.ts";
import type { EmbedSummary } from "../rpc/api.ts";
import type { Image, Model } from "../rpc/records.ts";
import type { EmbedOptions } from "./embed.ts";
import { filePaths } from "./mask-files.ts";
import { modelFile, resizeFor } from "./model-file.ts";
import { batchSize } from "./pipeline.ts";
import type { Workplace } from "./run.ts";

/** An image to embed. */
export interface ToEmbed {
  readonly image: Image;
}

/** What one view of pictures has still to embed, how that is done, and where it goes. */
export interface EmbeddingSteps<Item extends ToEmbed, Value> {
  readonly total: number;
  /** Images that need no work. */
  readonly skipped: number;
  readonly batches: Iterable<readonly Item[]>;
  readonly ask: (items: readonly Item[]) => Promise<readonly PictureOutcome<Value>[]>;
  readonly store: (items: readonly Item[], outcomes: readonly PictureOutcome<Value>[]) => void;
  /** What the summary says of foregrounds, once all is done. */
  readonly foreground: () => EmbedSummary["foreground"];
}

/** Embedding whole pictures: the CLS token, with its attention. */
export function wholeSteps(
  { library, engine }: Workplace,
  model: Model,
  { device }: EmbedOptions,
): EmbeddingSteps<ToEmbed, EmbeddedPicture> {
  const { db } = library;
  const pathOf = filePaths(db);
  return {
    total: countImagesWithoutEmbedding(db, model.id),
    skipped: countEmbeddings(db, model.id),
    batches: imagePages((page) => imagesWithoutEmbedding(db, model.id, page).map((image) => ({ image }))),
    ask: (items) =>
      engine.call("embedPictures", {
        model: modelFile(library.folder, model),
        device,
        paths: items.map(({ image }) => pathOf(image)),
        resize: resizeFor(model.imageSize),
      }),
    store: (items, outcomes) => insertEmbeddings(db, model.id, rowsOf(items, outcomes)),
    foreground: () => null,
  };
}

function rowsOf(
  items: readonly ToEmbed[],
  outcomes: readonly PictureOutcome<EmbeddedPicture>[],
): { imageId: number; vector: Float32Array; attention?: NonNullable<EmbeddedPicture["attention"]> }[] {
  return items.flatMap(({ image: { id } }, i) => {
    const outcome = outcomes[i];
    if (outcome?.ok !== true) return [];
    const { vector, attention } = outcome.value;
    return [{ imageId: id, vector, ...(attention === null ? {} : { attention }) }];
  });
}

/** Images page by page. The library is read as the job goes, so that memory does not grow with it. */
export function* imagePages<Item extends ToEmbed>(
  read: (page: { readonly limit: number; readonly after: number }) => readonly Item[],
): Generator<readonly Item[]> {
  for (let after = 0; ;) {
    const page = read({ limit: batchSize, after });
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.image.id;
    yield page;
  }
}
