/** Looking for likely mistakes, and what is done about them; see core/jobs/check.ts and check-actions.ts. */
import { checkLibrary, type CheckOptions } from "../jobs/check.ts";
import {
  acceptWrongLabels,
  dismissChecks,
  rareLabels,
  relabelImage,
  swapLabels,
  unifyDuplicates,
  type FindingChoice,
} from "../jobs/check-actions.ts";
import { modelInUse } from "../jobs/models.ts";
import type { Watch, Workplace } from "../jobs/run.ts";
import { showFindings } from "../jobs/show-findings.ts";
import { listModels } from "../library/models.ts";
import type { CheckSummary, RareLabelRow, ShownFinding } from "../rpc/api.ts";
import type { CheckKind, Operation } from "../rpc/records.ts";
import type { Desk, ModelChoice } from "./desk.ts";

/** Looking at what was found. */
export interface CheckViews {
  /** What the last check of a kind found and still holds, most urgent first. */
  findings(kind: CheckKind, limit: number): ShownFinding[];
  /** Labels with fewer than `minimum` images. */
  rareLabels(minimum?: number): RareLabelRow[];
}

/** Looking for mistakes and mending them. */
export interface CheckChanges {
  check(choice: ModelChoice & Omit<CheckOptions, "device">, watch?: Watch): Promise<CheckSummary>;
  acceptWrongLabels(count: number): Operation | null;
  relabel(imageId: number, label: string): Operation | null;
  unifyDuplicates(imageId: number, label?: string): Operation | null;
  swapLabels(first: number, second: number): Operation | null;
  dismissChecks(kind: CheckKind, which: FindingChoice): Operation | null;
}

export function checkViews({ library: { db } }: Desk): CheckViews {
  return {
    findings: (kind, limit) => showFindings(db, kind, limit),
    rareLabels: (minimum) => rareLabels(db, minimum),
  };
}

export function checkChanges(workplace: Workplace): CheckChanges {
  const { library } = workplace;
  const { db } = library;
  return {
    check: ({ model, ...options }, watch) => {
      const known = model !== undefined || listModels(db).length > 0;
      return checkLibrary(workplace, known ? modelInUse(db, model) : null, options, watch);
    },
    acceptWrongLabels: (count) => acceptWrongLabels(library, count),
    relabel: (imageId, label) => relabelImage(library, imageId, label),
    unifyDuplicates: (imageId, label) => unifyDuplicates(library, imageId, label),
    swapLabels: (first, second) => swapLabels(library, first, second),
    dismissChecks: (kind, which) => dismissChecks(library, kind, which),
  };
}
