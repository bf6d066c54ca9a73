/**
 * Jobs of the app: one of a kind runs at a time, the others wait in line. Each can be paused or stopped, and goes on when
 * asked. A pause is a stop that keeps the job's place: what it computed is stored, memory and device are free for others,
 * and it stays paused when the core ends.
 */
import * as v from "valibot";
import type { Watch } from "../jobs/run.ts";
import type { Writer } from "../library/database.ts";
import {
  createJob,
  finishJob,
  jobById,
  listJobs,
  pausedJobs,
  pauseJob,
  reportJob,
  requeueJob,
  startJob,
} from "../library/jobs.ts";
import type { Progress } from "../rpc/api.ts";
import { canPause } from "../rpc/pausing.ts";
import { jobParameters, type JobResults, type StartableKind } from "../rpc/job-parameters.ts";
import type { Job, JobKind } from "../rpc/records.ts";
import type { JobView } from "../rpc/views.ts";
import { CoreError, errorRecord, type ErrorRecord } from "../util/errors.ts";

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
  /** Asks a job to pause, which it does a little later. Throws as `stop`, and `job-unpausable` for what begins anew. */
  pause(id: number): Job;
  /**
   * Goes on with a job that was paused, stopped or failed: at once where no other of its kind runs, and a paused one
   * before those that wait. Throws `job-unknown`, `job-state`, `job-parameters`.
   */
  resume(id: number): Job;
  /** The newest jobs and all that are paused, newest first. */
  views(limit: number): JobView[];
  /** Jobs that wait or run. */
  active(): JobView[];
  /** Stops everything so that it can go on later, and waits for it. */
  close(): Promise<void>;
}

/** What happened to a job. A pause is an end, too: nobody works on the job any more. */
export type JobMoment = "queued" | "begun" | "progress" | "ended";

/** Told of every change: `view` is the job as it is now. */
export type JobListener = (view: JobView, moment: JobMoment) => void;

/** Progress is told no more often than this, beside every change of phase. */
const tellMs = 200;

/** Results that are kept for pages that come later. */
const keptResults = 50;

interface Running {
  readonly id: number;
  readonly stopping: AbortController;
  progress: Progress | null;
  halting: JobView["halting"];
  done: Promise<void>;
}

export function createJobQueue(db: Writer, workers: JobWorkers, tell: JobListener): JobQueue {
  const waiting: { readonly id: number; readonly request: CheckedJob }[] = [];
  const running = new Map<JobKind, Running>();
  const results = new Map<number, JobResults[StartableKind]>();
  /** Jobs that failed on a full disk, which had no room for saying so. */
  const unstored = new Map<number, ErrorRecord>();
  let closed = false;

  /** A job as it is: where its end could not be stored, it is stored as soon as it can be. */
  const settled = (job: Job): Job => {
    const problem = unstored.get(job.id);
    if (problem === undefined) return job;
    try {
      const stored = finishJob(db, job.id, { state: "failed", problem });
      unstored.delete(job.id);
      return stored;
    } catch {
      return { ...job, state: "failed", problem, finishedAt: Date.now() };
    }
  };
  const known = (id: number): Job => {
    const found = jobById(db, id);
    const job = found === null ? null : settled(found);
    if (job === null) throw new CoreError("job-unknown", `There is no job ${id} in this library.`);
    return job;
  };
  const refuseWhenClosed = (): void => {
    if (closed) throw new CoreError("closing", "Dinoscope is closing this library.");
  };
  const viewOf = (job: Job): JobView => {
    const current = running.get(job.kind);
    const { progress, halting } = current?.id === job.id ? current : { progress: null, halting: null };
    return { job, progress, halting, result: results.get(job.id) ?? null };
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
      halting: null,
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
      isPause: () => current.halting === "pause",
      onProgress: (progress) => {
        const isNew = current.progress?.phase !== progress.phase;
        current.progress = progress;
        if (!isNew && Date.now() - told < tellMs) return;
        told = Date.now();
        tell(viewOf(known(id)), "progress");
      },
    };
    try {
      tell(viewOf(startJob(db, id)), "begun");
      results.set(id, await work(workers, request, watch));
      const [oldest] = results.keys();
      if (results.size > keptResults && oldest !== undefined) results.delete(oldest);
    } catch (error) {
      // A job that failed or was halted before it really began has nobody else to say so.
      const state = jobById(db, id)?.state;
      if (state !== "queued" && state !== "running") return;
      try {
        if (current.progress !== null) reportJob(db, id, current.progress);
        if (!current.stopping.signal.aborted) finishJob(db, id, { state: "failed", problem: errorRecord(error) });
        else halt(id, current.halting ?? "stop");
      } catch {
        unstored.set(id, errorRecord(error));
      }
    }
  };

  const halt = (id: number, how: "pause" | "stop"): Job =>
    how === "pause" ? pauseJob(db, id) : finishJob(db, id, { state: "stopped" });

  /** Halts a job that waits at once, and asks one that runs to halt. */
  const askToHalt = (id: number, how: "pause" | "stop"): Job => {
    const job = known(id);
    const current = running.get(job.kind);
    if (current?.id === id && job.state !== "paused") {
      current.halting = how;
      current.stopping.abort();
      tell(viewOf(job), "progress");
      return job;
    }
    const at = waiting.findIndex((entry) => entry.id === id);
    if (at < 0 && !(how === "stop" && job.state === "paused")) {
      const done = how === "stop" ? "stopped" : "paused";
      throw new CoreError("job-state", `Job ${id} is ${job.state} and cannot be ${done}.`);
    }
    if (at >= 0) waiting.splice(at, 1);
    const halted = halt(id, how);
    tell(viewOf(halted), "ended");
    return halted;
  };

  return {
    start: (request) => {
      refuseWhenClosed();
      const job = createJob(db, request.kind, request.parameters);
      waiting.push({ id: job.id, request });
      tell(viewOf(job), "queued");
      // Later, so that whoever starts a job hears of it before it has begun.
      setImmediate(() => runNext(request.kind));
      return job;
    },
    stop: (id) => askToHalt(id, "stop"),
    pause: (id) => {
      const { kind } = known(id);
      if (canPause(kind)) return askToHalt(id, "pause");
      throw new CoreError("job-unpausable", `Job ${id} (${kind}) cannot be paused: it would begin anew.`, {
        hint: "Stop it; it can be started again.",
      });
    },
    resume: (id) => {
      refuseWhenClosed();
      const before = known(id);
      const request = storedRequest(before);
      requeueJob(db, id);
      if (before.state === "paused") waiting.unshift({ id, request });
      else waiting.push({ id, request });
      runNext(request.kind);
      const job = known(id);
      if (job.state === "queued") tell(viewOf(job), "queued");
      return job;
    },
    views: (limit) => {
      const newest = listJobs(db, limit).map(settled);
      const oldest = newest.at(-1)?.id ?? 0;
      return [...newest, ...pausedJobs(db).filter((job) => job.id < oldest)].map(viewOf);
    },
    active: () => {
      const ids = [...Array.from(running.values(), ({ id }) => id), ...waiting.map(({ id }) => id)];
      return ids.map((id) => viewOf(known(id)));
    },
    close: async () => {
      closed = true;
      for (const { id } of waiting.splice(0)) halt(id, "stop");
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
