/** Pretraining: runs to make, to go on with, and to look at. */
import {
  pretrain,
  resumePretraining,
  type NewPretraining,
  type ResumedPretraining,
  type RunWatch,
} from "../jobs/pretrain.ts";
import { estimateRun, type PretrainChoice } from "../jobs/pretrain-plan.ts";
import { estimateResume, type ResumeChoice } from "../jobs/pretrain-resume.ts";
import { discardRun, exportRun, showRun } from "../jobs/runs.ts";
import type { Workplace } from "../jobs/run.ts";
import { runAttention, runMetrics } from "../library/run-metrics.ts";
import { listRuns } from "../library/runs.ts";
import type { PretrainEstimate, PretrainSummary, RunDetails } from "../rpc/api.ts";
import type { Run, RunAttention, RunMetrics } from "../rpc/records.ts";
import type { Desk } from "./desk.ts";

/** Looking at runs. */
export interface RunViews {
  /** The newest runs, newest first. */
  runs(limit: number): Run[];
  run(id: number): RunDetails;
  /** What each iteration measured, from `from` on. */
  runMetrics(id: number, page: { from: number; limit: number }): RunMetrics[];
  /** Where the teacher looked at the probe of an iteration. */
  runAttention(id: number, iteration: number): RunAttention[];
  /** What a pretraining would take, from a few iterations that leave no trace. */
  estimatePretraining(choice: PretrainChoice): Promise<PretrainEstimate>;
  /** What is left of a run that goes on. */
  estimateResume(choice: ResumeChoice): Promise<PretrainEstimate>;
  /** Writes a run's full checkpoint in the official layout; returns the file. */
  exportRun(id: number, destination: string): Promise<string>;
}

/** Making runs. */
export interface RunChanges {
  /** Pretrains on the library's pictures; see core/jobs/pretrain.ts. */
  pretrain(choice: NewPretraining, watch?: RunWatch): Promise<PretrainSummary>;
  resumePretraining(options: ResumedPretraining, watch?: RunWatch): Promise<PretrainSummary>;
  /** Deletes a run's model and files. */
  discardRun(id: number): Promise<Run>;
}

export function runViews({ library, engine }: Desk): RunViews {
  const { db } = library;
  return {
    runs: (limit) => listRuns(db, limit),
    run: (id) => showRun(library, id),
    runMetrics: (id, page) => runMetrics(db, id, page),
    runAttention: (id, iteration) => runAttention(db, id, iteration),
    estimatePretraining: (choice) => estimateRun({ library, engine }, choice),
    estimateResume: (choice) => estimateResume({ library, engine }, choice),
    exportRun: (id, destination) => exportRun({ library, engine }, id, destination),
  };
}

export function runChanges(workplace: Workplace): RunChanges {
  return {
    pretrain: (choice, watch) => pretrain(workplace, choice, watch),
    resumePretraining: (options, watch) => resumePretraining(workplace, options, watch),
    discardRun: (id) => discardRun(workplace.library, id),
  };
}
