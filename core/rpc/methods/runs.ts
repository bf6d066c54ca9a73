/** Pretraining runs. A run is started, resumed and stopped as a job `pretrain`; while it goes on come events `run`. */
import * as v from "valibot";
import type { PretrainEstimate } from "../api.ts";
import { change, look } from "../define.ts";
import { pretrainChoice } from "../pretrain-choice.ts";
import type { Run } from "../records.ts";
import { id, limit, nothing, path, whole } from "../schemas.ts";
import type { PresetTable, RunView, WatchedPicture } from "../views.ts";

export const runMethods = {
  /** The newest runs, newest first. */
  "runs.list": look<Run[]>()(v.strictObject({ limit: v.optional(limit, 50) })),
  /** A run with its probes, what its curves say, and the curves in about `points` steps. Throws `run-unknown`. */
  "runs.get": look<RunView>()(v.strictObject({ runId: id, points: v.optional(whole(2, 2000), 300) })),
  /** Where the teacher looked in the fixed pictures at the probe of an iteration; empty where there was none. */
  "runs.attention": look<WatchedPicture[]>()(v.strictObject({ runId: id, iteration: whole(0, 10_000_000) })),
  /** The presets as they come out for this library, and the one that fits. Throws `pictures-missing`. */
  "runs.presets": look<PresetTable>()(nothing),
  /**
   * What a run would take, from a few iterations that leave no trace: seconds for the small networks. Throws
   * `option-invalid` with the reason, and what reading a checkpoint throws.
   */
  "runs.estimate": change<PretrainEstimate>()(v.strictObject(pretrainChoice.entries)),
  /** Deletes a run's model and checkpoint; its curves stay. Cannot be undone. Throws `run-unknown`, `jobs-running`. */
  "runs.discard": change<Run>()(v.strictObject({ runId: id })),
  /** Writes a run's networks in the layout of the official full checkpoints; returns the file. Throws `run-missing`. */
  "runs.export": change<string>()(v.strictObject({ runId: id, path })),
} as const;
