/** The pictures of a library: what there is, what could not be read, what is alike, and what to label next. */
import { ingestFolder } from "../jobs/ingest.ts";
import { labelFromFolders } from "../jobs/label-images.ts";
import { modelInUse } from "../jobs/models.ts";
import { nextToLabel, type QueueOptions } from "../jobs/queue.ts";
import type { Watch, Workplace } from "../jobs/run.ts";
import { searchImages } from "../jobs/search.ts";
import { countEmbeddings } from "../library/embeddings.ts";
import { countStaleForegrounds } from "../library/foreground.ts";
import { countImages, imagesOfSource } from "../library/images.ts";
import { listLabels } from "../library/labels.ts";
import { listModels } from "../library/models.ts";
import { listSources } from "../library/sources.ts";
import type { IngestSummary, LabelsSummary, LibraryStatus, QueuedImage, SearchHit } from "../rpc/api.ts";
import type { Desk, ModelChoice } from "./desk.ts";

/** A picture file that could not be read, and why. */
export interface UnreadablePicture {
  readonly folder: string;
  readonly path: string;
  readonly reason: string;
}

/** Looking at pictures. */
export interface ImageViews {
  status(): LibraryStatus;
  /** Picture files that could not be read, source by source. */
  unreadable(): Iterable<UnreadablePicture>;
  /** Images similar to a picture: a file, or an image of the library by its number (`207` or `#207`). */
  search(picture: string, choice: ModelChoice & { count: number }): Promise<SearchHit[]>;
  /** Images to label next. */
  next(choice: ModelChoice & Omit<QueueOptions, "device">): Promise<QueuedImage[]>;
}

/** Taking pictures in. */
export interface ImageChanges {
  add(
    folder: string,
    options: { labelsFromFolders: boolean },
    watch?: Watch,
  ): Promise<IngestSummary & { labels: LabelsSummary | null }>;
}

export function imageViews({ library, engine }: Desk): ImageViews {
  const { db } = library;
  return {
    status: () => ({
      folder: library.folder,
      sources: listSources(db).map((source) => ({ source, images: countImages(db, source.id) })),
      images: countImages(db),
      models: listModels(db).map((model) => ({
        model,
        embedded: countEmbeddings(db, model.id),
        labelled: countEmbeddings(db, model.id, { labelled: true }),
        stale: model.foreground === null ? 0 : countStaleForegrounds(db, model),
      })),
      labels: listLabels(db).length,
    }),
    unreadable: function* () {
      for (const { id, folder } of listSources(db)) {
        for (const { path, problem, missingSince } of imagesOfSource(db, id)) {
          if (problem !== null && missingSince === null) yield { folder, path, reason: problem.message };
        }
      }
    },
    search: (picture, { model, device, count }) => {
      const id = /^#?(\d+)$/.exec(picture)?.[1];
      const asked = id === undefined ? { file: picture } : { imageId: Number(id) };
      return searchImages({ library, engine }, modelInUse(db, model), asked, { device, count });
    },
    next: ({ model, ...options }) => nextToLabel({ library, engine }, modelInUse(db, model), options),
  };
}

export function imageChanges(workplace: Workplace): ImageChanges {
  return {
    add: async (source, { labelsFromFolders }, watch = {}) => {
      const summary = await ingestFolder(workplace, source, watch);
      return { ...summary, labels: labelsFromFolders ? labelFromFolders(workplace.library, summary.source) : null };
    },
  };
}
