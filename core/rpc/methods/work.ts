/** Jobs, exports and imports. Progress comes as events `job`. */
import * as v from "valibot";
import { change, look } from "../define.ts";
import { exportChoice, jobChoice, jobRequest } from "../job-parameters.ts";
import type { Job } from "../records.ts";
import { limit } from "../schemas.ts";
import type { ExportFormatRow, ExportPreview, ExportSample, ImportFormatRow, JobView } from "../views.ts";

export const workMethods = {
  /**
   * The newest jobs and all that are paused, newest first, with the progress of those that run and the results of those
   * done since the start.
   */
  "jobs.list": look<JobView[]>()(v.strictObject({ limit: v.optional(limit, 50) })),
  /** Puts a job in the queue: one of a kind runs at a time. Returns at once. Throws what its parameters are wrong about. */
  "jobs.start": change<Job>()(jobRequest),
  /** Stops a job that runs, waits or is paused; what it stored stays, and it can go on. */
  "jobs.stop": change<Job>()(jobChoice),
  /**
   * Pauses a job that runs or waits: what it stored stays, others of its kind go ahead, and `jobs.resume` puts it first in
   * line; so it is after a restart, too. Throws `job-state`, and `job-unpausable` for a kind that would begin anew.
   */
  "jobs.pause": change<Job>()(jobChoice),
  /** Goes on with a job that was paused, stopped or failed. Throws `job-state`, `job-parameters` for one of the terminal. */
  "jobs.resume": change<Job>()(jobChoice),
  /** The table of export formats: what each holds and needs. */
  "exports.formats": look<ExportFormatRow[]>()(v.strictObject({})),
  /** What an export would hold, without writing it. Throws `model-missing` for a format that needs one. */
  "exports.preview": look<ExportPreview>()(exportChoice),
  /** The files that its first images would become, with the first lines of texts. Throws as `exports.preview`. */
  "exports.sample": change<ExportSample>()(exportChoice),
  /** Formats that can be imported. */
  "imports.formats": look<ImportFormatRow[]>()(v.strictObject({})),
} as const;
