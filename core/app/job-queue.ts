/** Jobs of the app: one of a kind runs at a time, the others wait in line; each can be stopped, and goes on when asked. */
import * as v from "valibot";
import type { Watch } from "../jobs/run.ts";
import type { Writer } from "../library/database.ts";
import { createJob, finishJob, jobById, listJobs, requeueJob } from "../library/jobs.ts";
import type { Progress } from "../rpc/api.ts";
import { jobParameters, type JobResults, type StartableKind } from "../rpc/job-parameters.ts";
import type { Job, JobKind } from "../rpc/records.ts";
import type { JobView } from "../rpc/views.ts";
import { CoreError, errorRecord } from "../util/errors.ts";

/** Parameters of a kind as they come out of its schema. */
export type CheckedJob = {
  readonly [Kind in StartableKind]: {
    readonly kind: Kind;
    readonly parameters: v.InferOutput<(typeof jobParameters)[Kind]>;
  };
}[StartableKind];

/** How each kind of job is done. */
export type JobWorkers = {
  readonly [Kind in StartableKind]: (
    parameters: v.InferOutput<(typeof jobParameters)[Kind]>,
    watch: Watch,
  ) => Promise<JobResults[Kind]>;
};

export interface JobQueue {
  /** Puts a job in line; it is stored with its parameters, so that it outlives this process. */
  start(request: CheckedJob): Job;
  /** Asks a job to stop; it ends a little later. Throws `job-unknown`, `job-state` for one that has ended. */
  stop(id: number): Job;
  /** Goes on with a job that was stopped or failed. Throws `job-unknown`, `job-state`, `job-parameters`. */
  resume(id: number): Job;
  /** The newest jobs, newest first. */
  views(limit: number): JobView[];
  /** Jobs that wait or run. */
  active(): JobView[];
  /** Stops everything so that it can go on later, and waits for it. */
  close(): Promise<void>;
}

/** Told of every change: `view` is the job as it is now. */
export type JobListener = (view: JobView, moment: "queued" | "progress" | "ended") => void;

/** Progress is told no more often than this, beside every change of phase. */
const tellMs = 200;

/** Results that are kept for pages that come later. */
const keptResults = 50;

interface Running {
  readonly id: number;
  readonly stopping: AbortController;
  progress: Progress | null;
  done: Promise<void>;
}

export function createJobQueue(db: Writer, workers: JobWorkers, tell: JobListener): JobQueue {
  const waiting: { readonly id: number; readonly request: CheckedJob }[] = [];
  const running = new Map<JobKind, Running>();
  const results = new Map<number, JobResults[StartableKind]>();
  let closed = false;

  const known = (id: number): Job => {
    const job = jobById(db, id);
    if (job === null) throw new CoreError("job-unknown", `There is no job ${id} in this library.`);
    return job;
  };
  const refuseWhenClosed = (): void => {
    if (closed) throw new CoreError("closing", "Dinoscope is closing this library.");
  };
  const viewOf = (job: Job): JobView => {
    const current = running.get(job.kind);
    const progress = current?.id === job.id ? current.progress : null;
    return { job, progress, result: results.get(job.id) ?? null };
  };

  const runNext = (kind: StartableKind): void => {
    if (closed || running.has(kind)) return;
    const at = waiting.findIndex(({ request }) => request.kind === kind);
    const [next] = at < 0 ? [] : waiting.splice(at, 1);
    if (next === undefined) return;
    const current: Running = {
      id: next.id,
      stopping: new AbortController(),
      progress: null,
      done: Promise.resolve(),
    };
    running.set(kind, current);
    current.done = runOne(next.id, next.request, current).then(() => {
      running.delete(kind);
      if (jobById(db, next.id) !== null) tell(viewOf(known(next.id)), "ended");
      runNext(kind);
    });
  };

  const runOne = async (id: number, request: CheckedJob, current: Running): Promise<void> => {
    let told = 0;
    const watch: Watch = {
      jobId: id,
      signal: current.stopping.signal,
      onProgress: (progress) => {
        const isNew = current.progress?.phase !== progress.phase;
        current.progress = progress;
        if (!isNew && Date.now() - told < tellMs) return;
        told = Date.now();
        tell(viewOf(known(id)), "progress");
      },
    };
    try {
      results.set(id, await work(workers, request, watch));
      const [oldest] = results.keys();
      if (results.size > keptResults && oldest !== undefined) results.delete(oldest);
    } catch (error) {
      // A job that failed before it began has nobody else to say so.
      endUnfinished(id, current.stopping.signal.aborted ? null : error);
    }
  };

  const endUnfinished = (id: number, error: unknown): void => {
    const state = jobById(db, id)?.state;
    if (state !== "queued" && state !== "running") return;
    finishJob(db, id, error === null ? { state: "stopped" } : { state: "failed", problem: errorRecord(error) });
  };

  const enqueue = (job: Job, request: CheckedJob): Job => {
    waiting.push({ id: job.id, request });
    tell(viewOf(job), "queued");
    // Later, so that whoever starts a job hears of it before it has begun.
    setImmediate(() => runNext(request.kind));
    return job;
  };

  return {
    start: (request) => {
      refuseWhenClosed();
      return enqueue(createJob(db, request.kind, request.parameters), request);
    },
    stop: (id) => {
      const job = known(id);
      const at = waiting.findIndex((entry) => entry.id === id);
      if (at >= 0) {
        waiting.splice(at, 1);
        endUnfinished(id, null);
        const stopped = known(id);
        tell(viewOf(stopped), "ended");
        return stopped;
      }
      const current = running.get(job.kind);
      if (current?.id !== id) throw new CoreError("job-state", `Job ${id} is ${job.state} and cannot be stopped.`);
      current.stopping.abort();
      return job;
    },
    resume: (id) => {
      refuseWhenClosed();
      const request = storedRequest(known(id));
      return enqueue(requeueJob(db, id), request);
    },
    views: (limit) => listJobs(db, limit).map(viewOf),
    active: () => {
      const ids = [...Array.from(running.values(), ({ id }) => id), ...waiting.map(({ id }) => id)];
      return ids.map((id) => viewOf(known(id)));
    },
    close: async () => {
      closed = true;
      for (const { id } of waiting.splice(0)) endUnfinished(id, null);
      for (const { stopping } of running.values()) stopping.abort();
      await Promise.all(Array.from(running.values(), ({ done }) => done));
    },
  };
}

/** Calls the worker of a job's kind; the table has one for each, with just these parameters. */
function work(workers: JobWorkers, { kind, parameters }: CheckedJob, watch: Watch): Promise<JobResults[StartableKind]> {
  const worker = workers[kind] as (parameters: unknown, watch: Watch) => Promise<JobResults[StartableKind]>;
  return worker(parameters, watch);
}

/** What a stored job was asked to do. Jobs that the terminal started are described in its own words. */
function storedRequest({ id, kind, parameters }: Job): CheckedJob {
  const schema = (jobParameters as Partial<Record<JobKind, v.GenericSchema>>)[kind];
  const parsed = schema === undefined ? null : v.safeParse(schema, parameters);
  if (parsed?.success === true) return { kind, parameters: parsed.output } as CheckedJob;
  throw new CoreError("job-parameters", `Job ${id} was started elsewhere and cannot go on from here.`, {
    hint: "Start it again: what it stored before is kept and is not done twice.",
  });
}
