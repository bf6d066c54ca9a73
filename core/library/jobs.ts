import type { Job, JobKind, JobProblem } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { problemOf } from "./images.ts";
import { count, integer, jsonObject, oneOf, orNull, text } from "./rows.ts";

export const jobStatements = {
  byId: "SELECT * FROM jobs WHERE id = ?",
  list: "SELECT * FROM jobs ORDER BY id DESC LIMIT ?",
  paused: "SELECT * FROM jobs WHERE state = 'paused' ORDER BY id DESC",
  insert: `INSERT INTO jobs (kind, state, phase, done, total, parameters, created_at, heartbeat_at)
    VALUES (:kind, 'queued', '', 0, 0, :parameters, :at, :at)`,
  start: `UPDATE jobs SET state = 'running', heartbeat_at = :at, finished_at = NULL, problem_code = NULL,
      problem_message = NULL, problem_hint = NULL
    WHERE id = :id AND state IN ('queued', 'running', 'paused', 'stopped', 'failed')`,
  requeue: `UPDATE jobs SET state = 'queued', heartbeat_at = :at, finished_at = NULL, problem_code = NULL,
      problem_message = NULL, problem_hint = NULL
    WHERE id = :id AND state IN ('paused', 'stopped', 'failed')`,
  report: `UPDATE jobs SET state = 'running', phase = :phase, done = :done, total = :total, heartbeat_at = :at
    WHERE id = :id AND state IN ('queued', 'running')`,
  pause: `UPDATE jobs SET state = 'paused', heartbeat_at = :at WHERE id = :id AND state IN ('queued', 'running')`,
  finish: `UPDATE jobs SET state = :state, problem_code = :problemCode, problem_message = :problemMessage,
      problem_hint = :problemHint, heartbeat_at = :at, finished_at = :at
    WHERE id = :id AND state IN ('queued', 'running', 'paused')`,
  parameters: "UPDATE jobs SET parameters = :parameters WHERE id = :id",
  stopAbandoned: "UPDATE jobs SET state = 'stopped', finished_at = heartbeat_at WHERE state IN ('queued', 'running')",
} as const;

const sql = jobStatements;
const kindCell = oneOf<JobKind>([
  "ingest",
  "embed",
  "suggest",
  "download",
  "check",
  "masks",
  "cluster",
  "map",
  "export",
  "import",
  "pretrain",
]);
const stateCell = oneOf<Job["state"]>(["queued", "running", "paused", "stopped", "failed", "done"]);
const nullableInteger = orNull(integer);
const nullableText = orNull(text);

/** How a job ended. */
export type JobEnd =
  | { readonly state: "done" }
  /** By the user; it can be resumed. */
  | { readonly state: "stopped" }
  | { readonly state: "failed"; readonly problem: JobProblem };

function jobOf(row: Row): Job {
  return {
    id: integer("jobs", row, "id"),
    kind: kindCell("jobs", row, "kind"),
    state: stateCell("jobs", row, "state"),
    phase: text("jobs", row, "phase"),
    done: count("jobs", row, "done"),
    total: count("jobs", row, "total"),
    parameters: jsonObject("jobs", row, "parameters"),
    problem: jobProblemOf(row),
    createdAt: integer("jobs", row, "created_at"),
    finishedAt: nullableInteger("jobs", row, "finished_at"),
  };
}

function jobProblemOf(row: Row): JobProblem | null {
  const problem = problemOf("jobs", row);
  const hint = nullableText("jobs", row, "problem_hint");
  return problem === null || hint === null ? problem : { ...problem, hint };
}

function jobNow(db: Reader, id: number): Job {
  const job = jobById(db, id);
  if (job === null) throw new CoreError("job-unknown", `There is no job ${id} in this library.`);
  return job;
}

/** One job, or null. */
export function jobById(db: Reader, id: number): Job | null {
  const row = get(db, sql.byId, [id]);
  return row === undefined ? null : jobOf(row);
}

/** The newest jobs, newest first. */
export function listJobs(db: Reader, limit: number): Job[] {
  return all(db, sql.list, [limit]).map(jobOf);
}

/** All jobs that are paused, newest first. */
export function pausedJobs(db: Reader): Job[] {
  return all(db, sql.paused).map(jobOf);
}

/** Adds a job in state `queued`. `parameters` must be plain JSON data. */
export function createJob(db: Writer, kind: JobKind, parameters: Job["parameters"], at = Date.now()): Job {
  return transaction(db, () =>
    jobNow(db, run(db, sql.insert, { kind, parameters: JSON.stringify(parameters), at }).rowId),
  );
}

/** Sets a job running, unless it is done: one that waits, or was halted or failed. Throws `job-unknown` or `job-state`. */
export function startJob(db: Writer, id: number, at = Date.now()): Job {
  return change(db, id, "started", () => run(db, sql.start, { id, at }).changes);
}

/** Puts a job that is paused, or stopped or failed, in line again; how far it came stays. Throws as `startJob`. */
export function requeueJob(db: Writer, id: number, at = Date.now()): Job {
  return change(db, id, "put in line", () => run(db, sql.requeue, { id, at }).changes);
}

/** Notes how far a job is, that it is alive, and thereby that it runs. Throws `job-unknown` or `job-state`. */
export function reportJob(
  db: Writer,
  id: number,
  progress: Pick<Job, "phase" | "done" | "total">,
  at = Date.now(),
): Job {
  const { phase, done, total } = progress;
  return change(db, id, "moved on", () => run(db, sql.report, { id, phase, done, total, at }).changes);
}

/** Says anew what a job does, for when it goes on: the run that it began, say. Throws `job-unknown`. */
export function describeJob(db: Writer, id: number, parameters: Job["parameters"]): Job {
  return change(
    db,
    id,
    "described",
    () => run(db, sql.parameters, { id, parameters: JSON.stringify(parameters) }).changes,
  );
}

/** Pauses a job that waits or runs: it has not ended, and nobody works on it. Throws `job-unknown` or `job-state`. */
export function pauseJob(db: Writer, id: number, at = Date.now()): Job {
  return change(db, id, "paused", () => run(db, sql.pause, { id, at }).changes);
}

/** Ends a job that waits, runs or is paused. Throws `job-unknown` or `job-state`. */
export function finishJob(db: Writer, id: number, end: JobEnd, at = Date.now()): Job {
  const problem = end.state === "failed" ? end.problem : null;
  const values = {
    id,
    at,
    state: end.state,
    problemCode: problem?.code ?? null,
    problemMessage: problem?.message ?? null,
    problemHint: problem?.hint ?? null,
  };
  return change(db, id, "ended", () => run(db, sql.finish, values).changes);
}

function change(db: Writer, id: number, verb: string, update: () => number): Job {
  return transaction(db, () => {
    const changes = update();
    const job = jobNow(db, id);
    if (changes === 0) throw new CoreError("job-state", `Job ${id} is ${job.state} and cannot be ${verb}.`);
    return job;
  });
}

/**
 * Jobs that wait or run belong to a process that was killed, when a new writer opens the library: they become
 * `stopped`, finished at their last sign of life. Returns how many there were.
 */
export function stopAbandonedJobs(db: Writer): number {
  return transaction(db, () => run(db, sql.stopAbandoned).changes);
}
