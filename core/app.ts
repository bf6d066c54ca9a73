/**
 * The composition root: opens a library, keeps an engine for it, and offers what people do with it, concern by concern
 * (core/app/). The terminal and the server use the same app.
 */
import { checkChanges, checkViews, type CheckChanges, type CheckViews } from "./app/checks.ts";
import { datasetChanges, type DatasetChanges } from "./app/datasets.ts";
import { groupChanges, groupViews, type GroupChanges, type GroupViews } from "./app/groups.ts";
import { imageChanges, imageViews, type ImageChanges, type ImageViews } from "./app/images.ts";
import { labelChanges, labelViews, type LabelChanges, type LabelViews } from "./app/labels.ts";
import { maskChanges, type MaskChanges } from "./app/masks.ts";
import { modelChanges, modelViews, type ModelChanges, type ModelViews } from "./app/models.ts";
import { createService, type Service, type ServiceOptions } from "./app/service.ts";
import { runChanges, runViews, type RunChanges, type RunViews } from "./app/runs.ts";
import { createEngine, type Engine } from "./engine/supervisor.ts";
import type { Workplace } from "./jobs/run.ts";
import { openLibrary, type Library, type ReadLibrary } from "./library/open.ts";
import { CoreError } from "./util/errors.ts";

/** What people look at in one library. Nothing of it writes there, so it works while another process does. */
export interface Viewer extends ImageViews, ModelViews, LabelViews, CheckViews, GroupViews, RunViews {
  readonly folder: string;
  close(): Promise<void>;
}

/** Everything that people do with one library. */
export interface App
  extends
    Viewer,
    ImageChanges,
    ModelChanges,
    LabelChanges,
    CheckChanges,
    GroupChanges,
    MaskChanges,
    DatasetChanges,
    RunChanges {}

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
  return appOf(openLibrary(folder, { mode: "write", holder }));
}

/** Opens a library for a server: the same app by the contract's methods. Throws as `openApp` does. */
export function openService({ folder, holder, mustExist = false, ...options }: AppOptions & ServiceOptions): Service {
  if (mustExist) refuseMissing(folder);
  const library = openLibrary(folder, { mode: "write", holder });
  return createService(appOf(library), library, options);
}

function appOf(library: Library): App {
  const engine = createEngine();
  const workplace: Workplace = { library, engine };
  return {
    ...viewerOf(library, engine),
    ...imageChanges(workplace),
    ...modelChanges(workplace),
    ...labelChanges(workplace),
    ...checkChanges(workplace),
    ...groupChanges(workplace),
    ...maskChanges(workplace),
    ...datasetChanges(workplace),
    ...runChanges(workplace),
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
  const desk = { library, engine };
  return {
    folder: library.folder,
    ...imageViews(desk),
    ...modelViews(desk),
    ...labelViews(desk),
    ...checkViews(desk),
    ...groupViews(desk),
    ...runViews(desk),
    close: async () => {
      await engine.close();
      library.close();
    },
  };
}

export type { Bytes, Content } from "./app/bytes.ts";
export type { Service, ServiceOptions } from "./app/service.ts";
export { diagnose } from "./app/diagnose.ts";
export type { ModelChoice } from "./app/desk.ts";
export type { DeviceReport } from "./engine/protocol.ts";
export { drawSampleLibrary } from "./engine/sample-process.ts";
export { usualBlend } from "./jobs/models.ts";
export { publishedModels } from "./jobs/published-models.ts";
export { exportFormats, type ExportFormatName } from "./exports/formats.ts";
export { importFormats, type ImportFormat } from "./jobs/import-dataset.ts";
export type { ExportScope } from "./jobs/export-plan.ts";
export { optionRanges, type OptionRange, type PretrainOptions } from "./jobs/pretrain-plan.ts";
export type { NewPretraining, ResumedPretraining } from "./jobs/pretrain.ts";
