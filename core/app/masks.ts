/** Foreground masks; see core/jobs/masks.ts. */
import { resolve } from "node:path";
import { evaluateMasks, type EvaluateMasksOptions } from "../jobs/evaluate-masks.ts";
import { importMasks } from "../jobs/mask-files.ts";
import { maskImages, type MaskOptions } from "../jobs/masks.ts";
import { findModel } from "../jobs/models.ts";
import type { Watch, Workplace } from "../jobs/run.ts";
import type { EvaluateMasksSummary, MaskImportSummary, MasksSummary } from "../rpc/api.ts";
import type { ModelChoice } from "./desk.ts";

/** Making masks, taking them in, and measuring them. */
export interface MaskChanges {
  masks(choice: ModelChoice & Omit<MaskOptions, "device">, watch?: Watch): Promise<MasksSummary>;
  /** Takes in masks from PNG files with the names of the pictures, as corrected by hand. */
  importMasks(folder: string, watch?: Watch): Promise<MaskImportSummary>;
  evaluateMasks(
    choice: ModelChoice & Omit<EvaluateMasksOptions, "device">,
    watch?: Watch,
  ): Promise<EvaluateMasksSummary>;
}

export function maskChanges(workplace: Workplace): MaskChanges {
  const { db } = workplace.library;
  return {
    masks: ({ model, ...options }, watch) => maskImages(workplace, findModel(db, model), options, watch),
    importMasks: (folder, watch) => importMasks(workplace, resolve(folder), watch),
    evaluateMasks: ({ model, ...options }, watch) => evaluateMasks(workplace, findModel(db, model), options, watch),
  };
}
