import { createJob, finishJob, reportJob, startJob } from "../library/jobs.ts";
import type { Library } from "../library/open.ts";
import type { Job, JobKind } from "../rpc/records.ts";
import { errorRecord } from "../util/errors.ts";
import type { Engine } from "../engine/supervisor.ts";
import { createMeter, type ProgressListener } from "./progress.ts";

/** What jobs work with. */
export interface Workplace {
  readonly library: Library;
  readonly engine: Engine;
}

/** How whoever starts a job follows and stops it. */
export interface Watch {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ProgressListener | undefined;
  /** The row of a job that waits, was stopped or failed, to run as; without it a new one is made. */
  readonly jobId?: number | undefined;
}

/** A job while it runs. */
export interface RunningJob {
  /** Aborted when the job should stop. */
  readonly signal: AbortSignal;
  /** Starts a phase; call the result with the count done so far, the total once it is known, and more about it. */
  phase(name: string, total: number): (done: number, total?: number, detail?: string) => void;
}

/** Progress is written to the library no more often than this, beside every change of phase. */
const heartbeatMs = 500;

/**
 * Runs `work` as a job that the library knows of: its progress and its end are stored, so that a later start can say
 * what happened. A stop (the signal) ends it as `stopped`, an error as `failed`; both are thrown on.
 */
export async function runJob<Result>(
  { library }: Workplace,
  kind: JobKind,
  parameters: Job["parameters"],
  watch: Watch,
  work: (job: RunningJob) => Promise<Result>,
): Promise<Result> {
  const { db } = library;
  const job = startJob(db, watch.jobId ?? createJob(db, kind, parameters).id);
  const signal = watch.signal ?? new AbortController().signal;
  let last = 0;
  const running: RunningJob = {
    signal,
    phase: (name, expected) => {
      const meter = createMeter(name);
      last = 0;
      return (done, total = expected, detail) => {
        const progress = { ...meter(done, total), ...(detail === undefined ? {} : { detail }) };
        watch.onProgress?.(progress);
        if (Date.now() - last < heartbeatMs) return;
        last = Date.now();
        reportJob(db, job.id, progress);
      };
    },
  };
  try {
    signal.throwIfAborted();
    const result = await work(running);
    finishJob(db, job.id, { state: "done" });
    return result;
  } catch (error) {
    const problem = errorRecord(error);
    try {
      finishJob(db, job.id, signal.aborted ? { state: "stopped" } : { state: "failed", problem });
    } catch {
      // The library itself failed (a full disk): the first error says more, and opening stops abandoned jobs.
    }
    throw error;
  }
}
