/** Foreground masks; see core/jobs/masks.ts. */
import { resolve } from "node:path";
import { evaluateMasks, type EvaluateMasksOptions } from "../jobs/evaluate-masks.ts";
import { importMasks } from "../jobs/mask-files.ts";
import { maskImages, type MaskOptions } from "../jobs/masks.ts";
import { modelInUse } from "../jobs/models.ts";
import type { Watch, Workplace } from "../jobs/run.ts";
import { lookSize } from "../rpc/look-size.ts";
import type { EvaluateMasksSummary, MaskImportSummary, MasksSummary } from "../rpc/api.ts";
import type { ModelChoice } from "./desk.ts";

/** What an app is asked for: `size` is `lookSize` of the model unless given. */
type Asked<Options extends { readonly size: number }> = ModelChoice &
  Omit<Options, "device" | "size"> & { readonly size?: number | undefined };

/** Making masks, taking them in, and measuring them. */
export interface MaskChanges {
  masks(choice: Asked<MaskOptions>, watch?: Watch): Promise<MasksSummary>;
  /** Takes in masks from PNG files with the names of the pictures, as corrected by hand. */
  importMasks(folder: string, watch?: Watch): Promise<MaskImportSummary>;
  evaluateMasks(choice: Asked<EvaluateMasksOptions>, watch?: Watch): Promise<EvaluateMasksSummary>;
}

export function maskChanges(workplace: Workplace): MaskChanges {
  const { db } = workplace.library;
  return {
    masks: ({ model: name, ...options }, watch) => {
      const model = modelInUse(db, name);
      return maskImages(workplace, model, { ...options, size: options.size ?? lookSize(model) }, watch);
    },
    importMasks: (folder, watch) => importMasks(workplace, resolve(folder), watch),
    evaluateMasks: ({ model: name, ...options }, watch) => {
      const model = modelInUse(db, name);
      return evaluateMasks(workplace, model, { ...options, size: options.size ?? lookSize(model) }, watch);
    },
  };
}
