/**
 * The composition root: opens a library, keeps an engine for it, and offers what people do with it. The terminal and the
 * server use the same app.
 */
import type { DeviceReport, ExportFormat, WantedDevice } from "./engine/protocol.ts";
import { createEngine } from "./engine/supervisor.ts";
import { embedImages, modelFile } from "./jobs/embed.ts";
import { evaluateNeighbours, type EvaluateOptions } from "./jobs/evaluate.ts";
import { ingestFolder } from "./jobs/ingest.ts";
import { importLabels, labelFromFolders } from "./jobs/label-images.ts";
import { createModel, findModel, importModel, modelAtSize, type ImportOptions, type NewModel } from "./jobs/models.ts";
import { downloadModel, type DownloadSettings } from "./jobs/download-model.ts";
import type { Watch, Workplace } from "./jobs/run.ts";
import { searchImages } from "./jobs/search.ts";
import { suggestLabels, type SuggestOptions } from "./jobs/suggest.ts";
import { countEmbeddings } from "./library/embeddings.ts";
import { countImages, imagesByIds } from "./library/images.ts";
import { labelTree, listLabels, type LabelNode } from "./library/labels.ts";
import { listModels } from "./library/models.ts";
import { openLibrary } from "./library/open.ts";
import { history, redo, undo } from "./library/operations.ts";
import { listSources } from "./library/sources.ts";
import { listSuggestions } from "./library/suggestions.ts";
import type {
  EmbedSummary,
  EvaluateSummary,
  IngestSummary,
  LabelsSummary,
  LibraryStatus,
  SearchHit,
  ShownSuggestion,
  SuggestSummary,
} from "./rpc/api.ts";
import type { Model, Operation } from "./rpc/records.ts";
import { CoreError } from "./util/errors.ts";

export interface AppOptions {
  /** The library's folder; made when it is not there. */
  readonly folder: string;
  /** What this process is, for whoever finds the library locked: `dinoscope embed`. */
  readonly holder: string;
}

/** Settings of a command that runs a model, filled in by whoever asks. */
export interface ModelChoice {
  readonly model?: string | undefined;
  readonly device: WantedDevice;
}

/** Everything that people do with one library. */
export interface App {
  readonly folder: string;
  status(): LibraryStatus;
  add(
    folder: string,
    options: { labelsFromFolders: boolean },
    watch?: Watch,
  ): Promise<IngestSummary & { labels: LabelsSummary | null }>;
  models(): Model[];
  importModel(path: string, options: ImportOptions): Promise<Model>;
  createModel(name: string, model: NewModel): Promise<Model>;
  downloadModel(name: string, settings: DownloadSettings, watch?: Watch): Promise<Model>;
  exportModel(name: string | undefined, format: ExportFormat, destination: string): Promise<readonly string[]>;
  embed(choice: ModelChoice & { imageSize?: number | undefined }, watch?: Watch): Promise<EmbedSummary>;
  search(picture: string, choice: ModelChoice & { count: number }): Promise<SearchHit[]>;
  labels(): readonly LabelNode[];
  importLabels(file: string, signal?: AbortSignal): Promise<LabelsSummary>;
  suggest(choice: ModelChoice & Omit<SuggestOptions, "device">, watch?: Watch): Promise<SuggestSummary>;
  /** Suggestions of a model, most certain first, in pages. */
  suggestions(model: Model, page: { limit: number; after?: ShownSuggestion | undefined }): ShownSuggestion[];
  evaluate(choice: ModelChoice & Omit<EvaluateOptions, "device">, watch?: Watch): Promise<EvaluateSummary>;
  undo(): Operation | null;
  redo(): Operation | null;
  history(limit: number): Operation[];
  close(): Promise<void>;
}

/** Opens a library for writing. Throws what `openLibrary` throws, `library-locked` among it. */
export function openApp({ folder, holder }: AppOptions): App {
  const library = openLibrary(folder, { mode: "write", holder });
  const { db } = library;
  const engine = createEngine();
  const workplace: Workplace = { library, engine };

  const shown = (suggestions: ReturnType<typeof listSuggestions>): ShownSuggestion[] => {
    const labels = new Map(listLabels(db).map((label) => [label.id, label]));
    const ids = suggestions.flatMap(({ imageId, voters }) => [imageId, ...voters.map((voter) => voter.imageId)]);
    const images = new Map(imagesByIds(db, [...new Set(ids)]).map((image) => [image.id, image]));
    return suggestions.flatMap((suggestion) => {
      const image = images.get(suggestion.imageId);
      const label = labels.get(suggestion.labelId);
      if (image === undefined || label === undefined) return [];
      const voters = suggestion.voters.map((voter) => ({
        ...voter,
        path: images.get(voter.imageId)?.path ?? "",
        label: labels.get(voter.labelId)?.name ?? "",
      }));
      return [{ ...suggestion, voters, image, label: label.name }];
    });
  };

  return {
    folder: library.folder,
    status: () => ({
      folder: library.folder,
      sources: listSources(db).map((source) => ({ source, images: countImages(db, source.id) })),
      images: countImages(db),
      models: listModels(db).map((model) => ({
        model,
        embedded: countEmbeddings(db, model.id),
        labelled: countEmbeddings(db, model.id, { labelled: true }),
      })),
      labels: listLabels(db).length,
    }),
    add: async (source, { labelsFromFolders }, watch = {}) => {
      const summary = await ingestFolder(workplace, source, watch);
      return { ...summary, labels: labelsFromFolders ? labelFromFolders(library, summary.source) : null };
    },
    models: () => listModels(db),
    importModel: (path, options) => importModel(workplace, path, options),
    createModel: (name, model) => createModel(workplace, name, model),
    downloadModel: (name, settings, watch) => downloadModel(workplace, name, settings, watch),
    exportModel: (name, format, destination) => {
      const model = modelFile(library.folder, findModel(db, name));
      return engine.call("exportModel", { model, format, destination });
    },
    embed: ({ model, device, imageSize }, watch) => {
      const chosen = findModel(db, model);
      return embedImages(workplace, modelAtSize(workplace, chosen, imageSize ?? chosen.imageSize), { device }, watch);
    },
    search: (picture, { model, device, count }) => {
      const asked = /^#\d+$/.test(picture) ? { imageId: Number(picture.slice(1)) } : { file: picture };
      return searchImages(workplace, findModel(db, model), asked, { device, count });
    },
    labels: () => labelTree(db),
    importLabels: (file, signal) => importLabels(library, file, signal),
    suggest: ({ model, ...options }, watch) => suggestLabels(workplace, findModel(db, model), options, watch),
    suggestions: (model, { limit, after }) =>
      shown(listSuggestions(db, model.id, { limit, ...(after === undefined ? {} : { after }) })),
    evaluate: ({ model, ...options }, watch) => evaluateNeighbours(workplace, findModel(db, model), options, watch),
    undo: () => undo(db),
    redo: () => redo(db),
    history: (limit) => history(db, limit),
    close: async () => {
      await engine.close();
      library.close();
    },
  };
}

/** Devices that a self-test tries, in the order in which they are chosen. */
const probed = ["cuda", "webgpu", "directml", "coreml", "cpu", "tfjs"] as const;

/**
 * Tests every device, each in a process of its own, so that a driver that crashes only ends its own test. Needs no
 * library.
 */
export async function* diagnose(signal?: AbortSignal): AsyncGenerator<DeviceReport> {
  for (const device of probed) {
    signal?.throwIfAborted();
    const engine = createEngine();
    const stop = (): void => void engine.close();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      yield await engine.call("probeDevice", { device });
    } catch (error) {
      signal?.throwIfAborted();
      const reason = error instanceof CoreError ? error.message : String(error);
      yield { device, reason, imagesPerSecond: null, gigaflopsPerSecond: null, relativeError: null };
    } finally {
      signal?.removeEventListener("abort", stop);
      await engine.close();
    }
  }
}

export { drawSampleLibrary } from "./engine/sample-process.ts";
export { publishedModels } from "./jobs/published-models.ts";
