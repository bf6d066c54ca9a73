/** Images: lists, one in detail, similar ones, what to label next. Long lists come over HTTP (`imagesPath`). */
import * as v from "valibot";
import type { QueuedImage, SearchHit } from "../api.ts";
import { look } from "../define.ts";
import type { Image } from "../records.ts";
import { device, id, ids, imageQuery, modelId, whole } from "../schemas.ts";
import type { ImageDetail } from "../views.ts";

export const imageMethods = {
  /** How many images a filter lets through, without the list itself. */
  "images.count": look<number>()(imageQuery),
  /** The records of some images, in the order asked for; ids that are not there are left out. */
  "images.records": look<Image[]>()(v.strictObject({ ids: v.pipe(ids, v.maxLength(10_000)) })),
  /** Everything known about one image. Throws `image-unknown`. */
  "images.detail": look<ImageDetail>()(v.strictObject({ imageId: id, modelId })),
  /** The images most similar to one, itself left out. Throws `embedding-missing`. */
  "images.neighbours": look<SearchHit[]>()(
    v.strictObject({ imageId: id, modelId, count: v.optional(whole(1, 1000), 12) }),
  ),
  /** Images to label next, most useful first. Throws `embedding-missing`, `suggestions-missing`, `clusters-missing`. */
  "queue.next": look<QueuedImage[]>()(
    v.strictObject({
      queue: v.picklist(["uncertain", "diverse", "typical", "mixed"]),
      count: v.optional(whole(1, 1000), 100),
      modelId,
      device,
    }),
  ),
} as const;
