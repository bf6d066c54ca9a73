import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { WantedDevice } from "../engine/protocol.ts";
import type { Engine } from "../engine/supervisor.ts";
import { annotationsOfImages } from "../library/annotations.ts";
import { readEmbeddings } from "../library/embeddings.ts";
import { imagesByIds } from "../library/images.ts";
import { labelById } from "../library/labels.ts";
import type { ReadLibrary } from "../library/open.ts";
import type { Model } from "../rpc/records.ts";
import type { SearchHit } from "../rpc/api.ts";
import { neighboursOf } from "../suggest/nearest.ts";
import { CoreError } from "../util/errors.ts";
import { embedFile } from "./embed-file.ts";
import { loadBank } from "./neighbours.ts";

export interface SearchOptions {
  readonly count: number;
  readonly device: WantedDevice;
}

/**
 * The images of the library that are most similar to a picture: a file anywhere on the disk, or an image by id (which is
 * left out of its own result). Throws `embedding-missing` where the model has embedded nothing, or not that image.
 */
export async function searchImages(
  { library, engine }: { readonly library: ReadLibrary; readonly engine: Engine },
  model: Model,
  picture: { readonly file: string } | { readonly imageId: number },
  { count, device }: SearchOptions,
): Promise<SearchHit[]> {
  const { db } = library;
  const bank = readEmbeddings(db, model.id);
  if (bank.imageIds.length === 0) {
    throw new CoreError("embedding-missing", `${model.name} has embedded no image of this library.`, {
      hint: "Run `dinoscope embed` first.",
    });
  }
  let query: Float32Array;
  let self = -1;
  if ("imageId" in picture) {
    self = bank.imageIds.indexOf(picture.imageId);
    if (self < 0) {
      throw new CoreError("embedding-missing", `${model.name} has not embedded image ${picture.imageId}.`, {
        hint: "Run `dinoscope embed`, and check the id.",
      });
    }
    query = bank.matrix.slice(self * bank.width, (self + 1) * bank.width);
  } else {
    const path = resolve(picture.file);
    await stat(path).catch((cause: unknown) => {
      throw new CoreError("file-unreadable", `There is no picture ${path}.`, { cause });
    });
    query = await embedFile({ library, engine }, model, path, device);
  }
  const search = await loadBank(engine, bank, device);
  const found = neighboursOf(await search.nearest(query, count, Int32Array.of(self)), 0);
  await search.drop().catch(() => {});
  const similarities = new Map(found.map(({ index, similarity }) => [bank.imageIds[index] ?? 0, similarity]));
  const ids = [...similarities.keys()];
  const annotations = annotationsOfImages(db, ids);
  return imagesByIds(db, ids).map((image) => {
    const annotation = annotations.get(image.id);
    return {
      image,
      similarity: similarities.get(image.id) ?? 0,
      label: annotation === undefined ? null : labelById(db, annotation.labelId),
    };
  });
}
