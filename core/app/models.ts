/** The models of a library, and what they compute for every picture. */
import { resolve } from "node:path";
import type { ExportFormat } from "../engine/protocol.ts";
import { downloadModel, type DownloadSettings } from "../jobs/download-model.ts";
import { embedImages } from "../jobs/embed.ts";
import { modelFile } from "../jobs/model-file.ts";
import { evaluateNeighbours, type EvaluateOptions } from "../jobs/evaluate.ts";
import {
  createModel,
  findModel,
  modelInUse,
  foregroundModel,
  importModel,
  modelAtSize,
  usualBlend,
  type ImportOptions,
  type NewModel,
} from "../jobs/models.ts";
import type { Watch, Workplace } from "../jobs/run.ts";
import { addStarterModel } from "../jobs/starter-model.ts";
import { listModels } from "../library/models.ts";
import type { EmbedSummary, EvaluateSummary } from "../rpc/api.ts";
import type { Model } from "../rpc/records.ts";
import type { Desk, ModelChoice } from "./desk.ts";

/** Looking at models. */
export interface ModelViews {
  models(): Model[];
  exportModel(name: string | undefined, format: ExportFormat, destination: string): Promise<readonly string[]>;
}

/** How a model is to look at pictures; what is left out stays as the model named has it. */
export interface EmbedView {
  readonly imageSize?: number | undefined;
  readonly foreground?: boolean;
  /** Share of the foreground; naming one asks for the foreground. */
  readonly blend?: number | undefined;
}

/** Taking models in, and running them. */
export interface ModelChanges {
  importModel(path: string, options: ImportOptions): Promise<Model>;
  createModel(name: string, model: NewModel): Promise<Model>;
  /** The small trained model that comes with Dinoscope. */
  addStarterModel(): Promise<Model>;
  downloadModel(name: string, settings: DownloadSettings, watch?: Watch): Promise<Model>;
  embed(choice: ModelChoice & EmbedView, watch?: Watch): Promise<EmbedSummary>;
  evaluate(choice: ModelChoice & Omit<EvaluateOptions, "device">, watch?: Watch): Promise<EvaluateSummary>;
}

export function modelViews({ library, engine }: Desk): ModelViews {
  return {
    models: () => listModels(library.db),
    exportModel: (name, format, destination) => {
      const model = modelFile(library.folder, findModel(library.db, name));
      return engine.call("exportModel", { model, format, destination: resolve(destination) });
    },
  };
}

export function modelChanges(workplace: Workplace): ModelChanges {
  const { db } = workplace.library;
  return {
    importModel: (path, options) => importModel(workplace, path, options),
    createModel: (name, model) => createModel(workplace, name, model),
    addStarterModel: () => addStarterModel(workplace),
    downloadModel: (name, settings, watch) => downloadModel(workplace, name, settings, watch),
    embed: ({ model, device, imageSize, foreground = false, blend }, watch) => {
      const chosen = findModel(db, model);
      const sized = imageSize === undefined ? chosen : modelAtSize(workplace, chosen, imageSize);
      const share = blend ?? chosen.foreground?.blend ?? (foreground ? usualBlend : undefined);
      return embedImages(
        workplace,
        share === undefined ? sized : foregroundModel(workplace, sized, share),
        { device },
        watch,
      );
    },
    evaluate: ({ model, ...options }, watch) => evaluateNeighbours(workplace, modelInUse(db, model), options, watch),
  };
}
