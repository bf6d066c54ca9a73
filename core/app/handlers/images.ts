/** Handlers of core/rpc/methods/images.ts. */
import { join } from "node:path";
import { nextToLabel } from "../../jobs/queue.ts";
import { annotationsOfImages } from "../../library/annotations.ts";
import { membershipOfImage } from "../../library/clusters.ts";
import { modelsWithEmbedding } from "../../library/embeddings.ts";
import { unknownImage } from "../../library/image-changes.ts";
import { imageById, imagesByIds } from "../../library/images.ts";
import { labelById, listLabels } from "../../library/labels.ts";
import { masksOfImages } from "../../library/masks.ts";
import { listModels } from "../../library/models.ts";
import { operationById } from "../../library/operations.ts";
import { sourceById } from "../../library/sources.ts";
import { hasOpenSuggestion, suggestionOfImage } from "../../library/suggestions.ts";
import type { imageMethods } from "../../rpc/methods/images.ts";
import type { SearchHit } from "../../rpc/api.ts";
import type { Image } from "../../rpc/records.ts";
import type { ImageDetail } from "../../rpc/views.ts";
import { filteredRows } from "../image-list.ts";
import { shownSuggestions } from "../labels.ts";
import { deviceOf, modelIdOf, modelOf, type Handlers, type Office } from "../office.ts";
import { bestRows } from "../similarity.ts";

export function imageHandlers(office: Office): Handlers<typeof imageMethods> {
  const { db } = office.library;
  return {
    "images.count": ({ filter, modelId }) => filteredRows(office.list, filter, modelIdOf(office, modelId)).length,
    "images.records": ({ ids }) => imagesByIds(db, ids),
    "images.detail": ({ imageId, modelId }) =>
      detailOf(office, knownImage(office, imageId), modelIdOf(office, modelId)),
    "images.neighbours": ({ imageId, modelId, count }) => {
      const model = modelOf(office, modelId);
      const query = office.similarities.meanOf(model.id, [knownImage(office, imageId).id]);
      const cosines = office.similarities.to(model.id, query);
      const rows = bestRows(cosines, count, -1, office.columns.rowOf(imageId));
      return hits(office, rows, cosines);
    },
    "queue.next": ({ queue, count, modelId, device }) =>
      nextToLabel(office.desk, modelOf(office, modelId), { queue, count, device: deviceOf(office, device) }),
  };
}

/** The image of an id. Throws `image-unknown`. */
export function knownImage({ library }: Pick<Office, "library">, imageId: number): Image {
  const image = imageById(library.db, imageId);
  if (image === null) throw unknownImage(imageId);
  return image;
}

/** Where an image's file is. */
export function fileOf({ library }: Pick<Office, "library">, image: Image): string {
  return join(sourceById(library.db, image.sourceId)?.folder ?? "", image.path);
}

function detailOf(office: Office, image: Image, modelId: number | null): ImageDetail {
  const { db } = office.library;
  const annotation = annotationsOfImages(db, [image.id]).get(image.id);
  const mask = masksOfImages(db, [image.id]).get(image.id);
  const models = listModels(db);
  const isOpen = modelId !== null && hasOpenSuggestion(db, modelId, image.id);
  const suggestion = isOpen ? suggestionOfImage(db, modelId, image.id) : null;
  const embedded = new Set(modelsWithEmbedding(db, image.id));
  const { runs: _, ...maskWithoutRuns } = mask ?? { runs: "" };
  return {
    image,
    file: fileOf(office, image),
    annotation:
      annotation === undefined
        ? null
        : {
            ...annotation,
            label: labelById(db, annotation.labelId)?.name ?? "",
            operation: operationById(db, annotation.operationId),
          },
    embeddings: models.flatMap(({ id, name }) => (embedded.has(id) ? [{ modelId: id, model: name }] : [])),
    mask:
      mask === undefined
        ? null
        : {
            ...(maskWithoutRuns as Omit<typeof mask, "runs">),
            model: models.find(({ hash }) => hash === mask.modelHash)?.name ?? null,
          },
    suggestion: suggestion === null ? null : (shownSuggestions(db, [suggestion])[0] ?? null),
    membership: modelId === null ? null : membershipOfImage(db, modelId, image.id),
  };
}

function hits(office: Office, rows: readonly number[], cosines: Float32Array): SearchHit[] {
  const { db } = office.library;
  const { ids } = office.columns.rows();
  const similarities = new Map(rows.map((row) => [ids[row] ?? 0, cosines[row] ?? 0]));
  const imageIds = [...similarities.keys()];
  const annotations = annotationsOfImages(db, imageIds);
  const labels = new Map(listLabels(db).map(({ id, name, parentId }) => [id, { id, name, parentId }]));
  return imagesByIds(db, imageIds).map((image) => ({
    image,
    similarity: similarities.get(image.id) ?? 0,
    label: labels.get(annotations.get(image.id)?.labelId ?? 0) ?? null,
  }));
}
