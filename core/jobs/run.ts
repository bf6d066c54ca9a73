import { createJob, finishJob, pauseJob, reportJob, startJob } from "../library/jobs.ts";
import type { Library } from "../library/open.ts";
import type { Progress } from "../rpc/api.ts";
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
  /** Whether a stop is only a pause; asked once the job has stopped. */
  readonly isPause?: (() => boolean) | undefined;
  readonly onProgress?: ProgressListener | undefined;
  /** The row of a job that waits, was halted or failed, to run as; without it a new one is made. */
  readonly jobId?: number | undefined;
}

/** A job while it runs. */
export interface RunningJob {
  /** Aborted when the job should stop. */
  readonly signal: AbortSignal;
  /** Starts a phase; call the result with the count done so far, the total once it is known, and more about it. */
  phase(name: string, total: number): Report;
  /** A phase over what is left to do: what the job did of it before it was halted is counted as done. */
  restPhase(name: string, left: number): Report;
}

export type Report = (done: number, total?: number, detail?: string) => void;

/** Progress is written to the library no more often than this, beside every change of phase. */
const heartbeatMs = 500;

/**
 * Runs `work` as a job that the library knows of: its progress and its end are stored, so that a later start can say
 * what happened. A stop (the signal) leaves it `stopped` or `paused`, an error `failed`; both are thrown on.
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
  let progress: Progress | null = null;
  const phase = (name: string, expected: number): Report => {
    const meter = createMeter(name);
    last = 0;
    return (done, total = expected, detail) => {
      progress = { ...meter(done, total), ...(detail === undefined ? {} : { detail }) };
      watch.onProgress?.(progress);
      if (Date.now() - last < heartbeatMs) return;
      last = Date.now();
      reportJob(db, job.id, progress);
    };
  };
  const running: RunningJob = {
    signal,
    phase,
    restPhase: (name, left) => {
      const before = job.phase === name ? Math.max(0, job.total - left) : 0;
      const report = phase(name, before + left);
      return (done, total = left, detail) => report(before + done, before + total, detail);
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
      if (progress !== null) reportJob(db, job.id, progress);
      if (!signal.aborted) finishJob(db, job.id, { state: "failed", problem });
      else if (watch.isPause?.() === true) pauseJob(db, job.id);
      else finishJob(db, job.id, { state: "stopped" });
    } catch {
      // The library itself failed (a full disk): the first error says more, and opening stops abandoned jobs.
    }
    throw error;
  }
}
