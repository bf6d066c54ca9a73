/**
 * The composition root: opens a library, keeps an engine for it, and offers what people do with it. The terminal and the
 * server use the same app.
 */
import { resolve } from "node:path";
import type { DeviceReport, ExportFormat, WantedDevice } from "./engine/protocol.ts";
import { createEngine, type Engine } from "./engine/supervisor.ts";
import { checkLibrary, type CheckOptions } from "./jobs/check.ts";
import {
  acceptWrongLabels,
  dismissChecks,
  mergeLabels,
  rareLabels,
  relabelImage,
  unifyDuplicates,
} from "./jobs/check-actions.ts";
import { showFindings } from "./jobs/show-findings.ts";
import { embedImages, modelFile } from "./jobs/embed.ts";
import { evaluateNeighbours, type EvaluateOptions } from "./jobs/evaluate.ts";
import { evaluateMasks, type EvaluateMasksOptions } from "./jobs/evaluate-masks.ts";
import { exportImages, type ExportOptions } from "./jobs/export.ts";
import { importDataset, type ImportFormat } from "./jobs/import-dataset.ts";
import type { ExportFormatName } from "./exports/formats.ts";
import { ingestFolder } from "./jobs/ingest.ts";
import { importLabels, labelFromFolders } from "./jobs/label-images.ts";
import { importMasks } from "./jobs/mask-files.ts";
import { maskImages, type MaskOptions } from "./jobs/masks.ts";
import { createModel, findModel, importModel, modelAtSize, type ImportOptions, type NewModel } from "./jobs/models.ts";
import { clusterImages, type ClusterOptions } from "./jobs/cluster.ts";
import {
  labelCluster,
  mergeClusters,
  splitCluster,
  type LabelClusterOptions,
  type SplitOptions,
} from "./jobs/cluster-changes.ts";
import { downloadModel, type DownloadSettings } from "./jobs/download-model.ts";
import { drawMap, showMap, type DrawMapOptions } from "./jobs/draw-map.ts";
import { mapImages, type MapOptions } from "./jobs/map.ts";
import { nextToLabel, type QueueOptions } from "./jobs/queue.ts";
import type { Watch, Workplace } from "./jobs/run.ts";
import { showCluster, showClusters } from "./jobs/show-clusters.ts";
import { searchImages } from "./jobs/search.ts";
import { suggestLabels, type SuggestOptions } from "./jobs/suggest.ts";
import { countEmbeddings } from "./library/embeddings.ts";
import { countImages, imagesByIds, imagesOfSource } from "./library/images.ts";
import { labelTree, listLabels, type LabelNode } from "./library/labels.ts";
import { listModels } from "./library/models.ts";
import { openLibrary, type ReadLibrary } from "./library/open.ts";
import { history, redo, undo } from "./library/operations.ts";
import { listSources } from "./library/sources.ts";
import { listSuggestions } from "./library/suggestions.ts";
import type {
  CheckSummary,
  ClusterDetails,
  ClusterSummary,
  EmbedSummary,
  EvaluateMasksSummary,
  EvaluateSummary,
  ExportSummary,
  ImportSummary,
  IngestSummary,
  LabelsSummary,
  LibraryStatus,
  MapSummary,
  MaskImportSummary,
  MasksSummary,
  QueuedImage,
  RareLabelRow,
  SearchHit,
  ShownCluster,
  ShownFinding,
  ShownPoint,
  ShownSuggestion,
  SuggestSummary,
} from "./rpc/api.ts";
import type { CheckKind, Model, Operation } from "./rpc/records.ts";
import { CoreError } from "./util/errors.ts";

/** Settings of a command that runs a model, filled in by whoever asks. */
export interface ModelChoice {
  readonly model?: string | undefined;
  readonly device: WantedDevice;
}

/** A picture file that could not be read, and why. */
export interface UnreadablePicture {
  readonly folder: string;
  readonly path: string;
  readonly reason: string;
}

/** What people look at in one library. Nothing of it writes there, so it works while another process does. */
export interface Viewer {
  readonly folder: string;
  status(): LibraryStatus;
  /** Picture files that could not be read, source by source. */
  unreadable(): Iterable<UnreadablePicture>;
  models(): Model[];
  exportModel(name: string | undefined, format: ExportFormat, destination: string): Promise<readonly string[]>;
  /** Images similar to a picture: a file, or an image of the library by its number (`207` or `#207`). */
  search(picture: string, choice: ModelChoice & { count: number }): Promise<SearchHit[]>;
  labels(): readonly LabelNode[];
  /** Suggestions of a model, most certain first, in pages. */
  suggestions(model: Model, page: { limit: number; after?: ShownSuggestion | undefined }): ShownSuggestion[];
  /** What the last check of a kind found and still holds, most urgent first. */
  findings(kind: CheckKind, limit: number): ShownFinding[];
  /** Labels with fewer than `minimum` images. */
  rareLabels(minimum?: number): RareLabelRow[];
  history(limit: number): Operation[];
  /** The clusters of a model, largest first. */
  clusters(model?: string): ShownCluster[];
  /** One cluster with its `count` most typical and most doubtful members. */
  cluster(id: number, count: number): ClusterDetails;
  /** The points of a model's map. */
  mapPoints(model?: string): ShownPoint[];
  /** Writes the picture of a model's map; returns its path. */
  drawMap(model: string | undefined, options: DrawMapOptions, signal?: AbortSignal): Promise<string>;
  /** Images to label next. */
  next(choice: ModelChoice & Omit<QueueOptions, "device">): Promise<QueuedImage[]>;
  close(): Promise<void>;
}

/** Everything that people do with one library. */
export interface App extends Viewer {
  add(
    folder: string,
    options: { labelsFromFolders: boolean },
    watch?: Watch,
  ): Promise<IngestSummary & { labels: LabelsSummary | null }>;
  importModel(path: string, options: ImportOptions): Promise<Model>;
  createModel(name: string, model: NewModel): Promise<Model>;
  downloadModel(name: string, settings: DownloadSettings, watch?: Watch): Promise<Model>;
  embed(choice: ModelChoice & { imageSize?: number | undefined }, watch?: Watch): Promise<EmbedSummary>;
  importLabels(file: string, signal?: AbortSignal): Promise<LabelsSummary>;
  suggest(choice: ModelChoice & Omit<SuggestOptions, "device">, watch?: Watch): Promise<SuggestSummary>;
  evaluate(choice: ModelChoice & Omit<EvaluateOptions, "device">, watch?: Watch): Promise<EvaluateSummary>;
  /** Looks for likely mistakes; see core/jobs/check.ts, and check-actions.ts for what can be done about them. */
  check(choice: ModelChoice & Omit<CheckOptions, "device">, watch?: Watch): Promise<CheckSummary>;
  acceptWrongLabels(count: number): Operation | null;
  relabel(imageId: number, label: string): Operation | null;
  unifyDuplicates(imageId: number, label?: string): Operation | null;
  dismissChecks(kind: CheckKind, which: { imageId: number } | { count: number }): Operation | null;
  mergeLabels(label: string, into: string): Operation | null;
  /** Makes masks; see core/jobs/masks.ts. */
  masks(choice: ModelChoice & Omit<MaskOptions, "device">, watch?: Watch): Promise<MasksSummary>;
  /** Takes in masks from PNG files with the names of the pictures, as corrected by hand. */
  importMasks(folder: string, watch?: Watch): Promise<MaskImportSummary>;
  evaluateMasks(
    choice: ModelChoice & Omit<EvaluateMasksOptions, "device">,
    watch?: Watch,
  ): Promise<EvaluateMasksSummary>;
  /** Groups images by look; see core/jobs/cluster.ts, and cluster-changes.ts for what can be done with a group. */
  makeClusters(choice: ModelChoice & Omit<ClusterOptions, "device">, watch?: Watch): Promise<ClusterSummary>;
  splitCluster(id: number, options: SplitOptions): Promise<number[]>;
  mergeClusters(ids: readonly number[]): number;
  labelCluster(id: number, options: LabelClusterOptions): ReturnType<typeof labelCluster>;
  /** Makes a model's map, or places new images on it. */
  map(choice: ModelChoice & Omit<MapOptions, "device">, watch?: Watch): Promise<MapSummary>;
  /** Writes images with labels, masks or embeddings for other tools; see core/exports/formats.ts. */
  exportImages(format: ExportFormatName, options: ExportOptions, watch?: Watch): Promise<ExportSummary>;
  /** Takes in labels and masks of a data set of others. */
  importDataset(format: ImportFormat, path: string, watch?: Watch): Promise<ImportSummary>;
  undo(): Operation | null;
  redo(): Operation | null;
}

/** Opens a library to look at. Throws what `openLibrary` throws for reading, `library-missing` among it. */
export function openViewer(folder: string): Viewer {
  return viewerOf(openLibrary(folder, { mode: "read" }), createEngine());
}

export interface AppOptions {
  readonly folder: string;
  /** What this process is, for whoever finds the library locked: `dinoscope embed`. */
  readonly holder: string;
  /** Refuses a folder without a library (`library-missing`) instead of making one there. */
  readonly mustExist?: boolean;
}

/** Opens a library for writing. Throws what `openLibrary` throws, `library-locked` among it. */
export function openApp({ folder, holder, mustExist = false }: AppOptions): App {
  if (mustExist) refuseMissing(folder);
  const library = openLibrary(folder, { mode: "write", holder });
  const { db } = library;
  const engine = createEngine();
  const workplace: Workplace = { library, engine };
  return {
    ...viewerOf(library, engine),
    add: async (source, { labelsFromFolders }, watch = {}) => {
      const summary = await ingestFolder(workplace, source, watch);
      return { ...summary, labels: labelsFromFolders ? labelFromFolders(library, summary.source) : null };
    },
    importModel: (path, options) => importModel(workplace, path, options),
    createModel: (name, model) => createModel(workplace, name, model),
    downloadModel: (name, settings, watch) => downloadModel(workplace, name, settings, watch),
    embed: ({ model, device, imageSize }, watch) => {
      const chosen = findModel(db, model);
      return embedImages(workplace, modelAtSize(workplace, chosen, imageSize ?? chosen.imageSize), { device }, watch);
    },
    importLabels: (file, signal) => importLabels(library, file, signal),
    suggest: ({ model, ...options }, watch) => suggestLabels(workplace, findModel(db, model), options, watch),
    evaluate: ({ model, ...options }, watch) => evaluateNeighbours(workplace, findModel(db, model), options, watch),
    check: ({ model, ...options }, watch) => {
      const known = model !== undefined || listModels(db).length > 0;
      return checkLibrary(workplace, known ? findModel(db, model) : null, options, watch);
    },
    acceptWrongLabels: (count) => acceptWrongLabels(library, count),
    relabel: (imageId, label) => relabelImage(library, imageId, label),
    unifyDuplicates: (imageId, label) => unifyDuplicates(library, imageId, label),
    dismissChecks: (kind, which) => dismissChecks(library, kind, which),
    mergeLabels: (label, into) => mergeLabels(library, label, into),
    masks: ({ model, ...options }, watch) => maskImages(workplace, findModel(db, model), options, watch),
    importMasks: (folder, watch) => importMasks(workplace, resolve(folder), watch),
    evaluateMasks: ({ model, ...options }, watch) => evaluateMasks(workplace, findModel(db, model), options, watch),
    makeClusters: ({ model, ...options }, watch) => clusterImages(workplace, findModel(db, model), options, watch),
    splitCluster: (id, options) => splitCluster(workplace, id, options),
    mergeClusters: (ids) => mergeClusters(library, ids),
    labelCluster: (id, options) => labelCluster(library, id, options),
    map: ({ model, ...options }, watch) => mapImages(workplace, findModel(db, model), options, watch),
    exportImages: (format, options, watch) => exportImages(workplace, format, options, watch),
    importDataset: (format, path, watch) => importDataset(workplace, format, path, watch),
    undo: () => undo(db),
    redo: () => redo(db),
  };
}

/** Only `library-missing` counts here: whatever else is wrong, opening for writing mends it or says it. */
function refuseMissing(folder: string): void {
  try {
    openLibrary(folder, { mode: "read" }).close();
  } catch (error) {
    if (error instanceof CoreError && error.code === "library-missing") throw error;
  }
}

function viewerOf(library: ReadLibrary, engine: Engine): Viewer {
  const { db } = library;
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
    unreadable: function* () {
      for (const { id, folder } of listSources(db)) {
        for (const { path, problem, missingSince } of imagesOfSource(db, id)) {
          if (problem !== null && missingSince === null) yield { folder, path, reason: problem.message };
        }
      }
    },
    models: () => listModels(db),
    exportModel: (name, format, destination) => {
      const model = modelFile(library.folder, findModel(db, name));
      return engine.call("exportModel", { model, format, destination: resolve(destination) });
    },
    search: (picture, { model, device, count }) => {
      const id = /^#?(\d+)$/.exec(picture)?.[1];
      const asked = id === undefined ? { file: picture } : { imageId: Number(id) };
      return searchImages({ library, engine }, findModel(db, model), asked, { device, count });
    },
    labels: () => labelTree(db),
    suggestions: (model, { limit, after }) =>
      shown(db, listSuggestions(db, model.id, { limit, ...(after === undefined ? {} : { after }) })),
    findings: (kind, limit) => showFindings(db, kind, limit),
    rareLabels: (minimum) => rareLabels(db, minimum),
    history: (limit) => history(db, limit),
    clusters: (model) => showClusters(db, findModel(db, model).id),
    cluster: (id, count) => showCluster(db, id, count),
    mapPoints: (model) => showMap(db, findModel(db, model)),
    drawMap: (model, options, signal) => drawMap(db, findModel(db, model), options, signal),
    next: ({ model, ...options }) => nextToLabel({ library, engine }, findModel(db, model), options),
    close: async () => {
      await engine.close();
      library.close();
    },
  };
}

/** Suggestions with the images and names that they speak of. */
function shown(db: ReadLibrary["db"], suggestions: ReturnType<typeof listSuggestions>): ShownSuggestion[] {
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

export type { DeviceReport } from "./engine/protocol.ts";
export { drawSampleLibrary } from "./engine/sample-process.ts";
export { publishedModels } from "./jobs/published-models.ts";
export { exportFormats, type ExportFormatName } from "./exports/formats.ts";
export { importFormats, type ImportFormat } from "./jobs/import-dataset.ts";
export type { ExportScope } from "./jobs/export-plan.ts";
