/** Pretraining runs: what was set, how far they are, how they ended. Their curves are in run-metrics.ts. */
import type { Problem, Run, RunScores, RunStart, RunState, RunSummary } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { problemOf } from "./images.ts";
import { corruptRow, count, hex, integer, isObject, jsonObject, modelPath, oneOf, orNull, text } from "./rows.ts";

export const runStatements = {
  byId: "SELECT * FROM runs WHERE id = ?",
  list: "SELECT * FROM runs ORDER BY id DESC LIMIT ?",
  ofModel: "SELECT * FROM runs WHERE model_id = ?",
  insert: `INSERT INTO runs (name, state, device, settings, start, image_count, fingerprint, iteration, iterations,
      created_at, updated_at)
    VALUES (:name, 'running', :device, :settings, :start, :imageCount, :fingerprint, 0, :iterations, :at, :at)`,
  resume: `UPDATE runs SET state = 'running', device = :device, settings = :settings, iterations = :iterations,
      image_count = :imageCount, fingerprint = :fingerprint, summary = NULL, problem_code = NULL, problem_message = NULL,
      updated_at = :at
    WHERE id = :id`,
  restore: `UPDATE runs SET state = :state, device = :device, settings = :settings, iterations = :iterations,
      image_count = :imageCount, fingerprint = :fingerprint, summary = :summary, problem_code = :problemCode,
      problem_message = :problemMessage, updated_at = :at
    WHERE id = :id`,
  setSettings: "UPDATE runs SET settings = :settings, updated_at = :at WHERE id = :id",
  saved: "UPDATE runs SET iteration = :iteration, checkpoint = :checkpoint, updated_at = :at WHERE id = :id",
  finish: `UPDATE runs SET state = :state, problem_code = :problemCode, problem_message = :problemMessage,
      updated_at = :at
    WHERE id = :id`,
  become: "UPDATE runs SET model_id = :modelId, summary = :summary, state = 'done', updated_at = :at WHERE id = :id",
  forgetCheckpoint: "UPDATE runs SET checkpoint = NULL, updated_at = :at WHERE id = :id",
  stopAbandoned: "UPDATE runs SET state = 'stopped' WHERE state = 'running'",
} as const;

const sql = runStatements;
const stateCell = oneOf<RunState>(["running", "stopped", "failed", "done"]);
const fingerprintCell = hex(64);
const nullableInteger = orNull(integer);
const nullablePath = orNull(modelPath);
const nullableObject = orNull(jsonObject);

function runOf(row: Row): Run {
  return {
    id: integer("runs", row, "id"),
    name: text("runs", row, "name"),
    state: stateCell("runs", row, "state"),
    device: text("runs", row, "device"),
    settings: jsonObject("runs", row, "settings"),
    start: startOf(row),
    imageCount: count("runs", row, "image_count"),
    fingerprint: fingerprintCell("runs", row, "fingerprint"),
    iteration: count("runs", row, "iteration"),
    iterations: count("runs", row, "iterations"),
    checkpoint: nullablePath("runs", row, "checkpoint"),
    modelId: nullableInteger("runs", row, "model_id"),
    summary: summaryOf(row),
    problem: problemOf("runs", row),
    createdAt: integer("runs", row, "created_at"),
    updatedAt: integer("runs", row, "updated_at"),
  };
}

function startOf(row: Row): RunStart {
  const { kind, name, hash, file } = jsonObject("runs", row, "start");
  if (kind === "random") return { kind };
  if (kind === "model" && typeof name === "string" && typeof hash === "string") return { kind, name, hash };
  if (kind === "checkpoint" && typeof file === "string") return { kind, file };
  throw corruptRow("runs", row, "start should say what the run started from");
}

function summaryOf(row: Row): RunSummary | null {
  const summary = nullableObject("runs", row, "summary");
  if (summary === null) return null;
  const { before, after, leftOut, milliseconds } = summary;
  if (typeof leftOut !== "number" || typeof milliseconds !== "number") {
    throw corruptRow("runs", row, "summary lacks a part");
  }
  return { before: scoresOf(row, before), after: scoresOf(row, after), leftOut, milliseconds };
}

function scoresOf(row: Row, value: unknown): RunScores {
  const { selfRetrieval, selfRetrievalCount, accuracy, accuracyCount } = isObject(value) ? value : {};
  const whole = [selfRetrieval, selfRetrievalCount, accuracyCount].every((part) => typeof part === "number");
  if (!whole || (accuracy !== null && typeof accuracy !== "number")) {
    throw corruptRow("runs", row, "summary lacks a score");
  }
  return { selfRetrieval, selfRetrievalCount, accuracy, accuracyCount } as RunScores;
}

/** One run, or null. */
export function runById(db: Reader, id: number): Run | null {
  const row = get(db, sql.byId, [id]);
  return row === undefined ? null : runOf(row);
}

/** The newest runs, newest first. */
export function listRuns(db: Reader, limit: number): Run[] {
  return all(db, sql.list, [limit]).map(runOf);
}

/** The runs that a model came from: one, or none for a model that was imported. */
export function runsOfModel(db: Reader, modelId: number): Run[] {
  return all(db, sql.ofModel, [modelId]).map(runOf);
}

/** What a run is to do, as it begins. */
export type NewRun = Pick<Run, "name" | "device" | "settings" | "start" | "imageCount" | "fingerprint" | "iterations">;

/** Adds a run that begins now. */
export function insertRun(db: Writer, { settings, start, ...values }: NewRun, at = Date.now()): Run {
  return transaction(db, () => {
    const row = { ...values, settings: JSON.stringify(settings), start: JSON.stringify(start), at };
    return runNow(db, run(db, sql.insert, row).rowId);
  });
}

/** A run goes on, with other settings perhaps. Throws `run-unknown`. */
export function resumeRun(
  db: Writer,
  id: number,
  { settings, ...values }: Pick<Run, "device" | "settings" | "iterations" | "imageCount" | "fingerprint">,
  at = Date.now(),
): Run {
  return change(db, id, sql.resume, { ...values, settings: JSON.stringify(settings), id, at });
}

/** Makes a run again what it was before it was to go on, since that came to nothing. */
export function restoreRun(db: Writer, before: Run, at = Date.now()): Run {
  const { id, state, device, settings, iterations, imageCount, fingerprint, summary, problem } = before;
  const problems = { problemCode: problem?.code ?? null, problemMessage: problem?.message ?? null };
  const values = { state, device, iterations, imageCount, fingerprint, ...problems };
  const texts = { settings: JSON.stringify(settings), summary: summary === null ? null : JSON.stringify(summary) };
  return change(db, id, sql.restore, { id, ...values, ...texts, at });
}

/** Notes what of a run's settings was measured as it began, or had to change on the way: its micro-batch. */
export function saveRunSettings(db: Writer, id: number, settings: Run["settings"], at = Date.now()): Run {
  return change(db, id, sql.setSettings, { id, settings: JSON.stringify(settings), at });
}

/** Notes a checkpoint: its file, relative to the library folder, and the iterations that it holds. */
export function saveRun(db: Writer, id: number, iteration: number, checkpoint: string, at = Date.now()): Run {
  return change(db, id, sql.saved, { id, iteration, checkpoint, at });
}

/** How a run ends that did not come to its end. */
export type RunEnd = { readonly state: "stopped" } | { readonly state: "failed"; readonly problem: Problem };

/** Ends a run that did not come to its end. */
export function endRun(db: Writer, id: number, end: RunEnd, at = Date.now()): Run {
  const problem = end.state === "failed" ? end.problem : null;
  const values = { problemCode: problem?.code ?? null, problemMessage: problem?.message ?? null };
  return change(db, id, sql.finish, { id, state: end.state, ...values, at });
}

/** Notes the model that a run became, and what it gained. */
export function completeRun(db: Writer, id: number, modelId: number, summary: RunSummary, at = Date.now()): Run {
  return change(db, id, sql.become, { id, modelId, summary: JSON.stringify(summary), at });
}

/** Notes that a run's checkpoint was deleted. */
export function forgetCheckpoint(db: Writer, id: number, at = Date.now()): Run {
  return change(db, id, sql.forgetCheckpoint, { id, at });
}

/** Runs that are going belong to a process that was killed, when a new writer opens the library. Returns how many. */
export function stopAbandonedRuns(db: Writer): number {
  return transaction(db, () => run(db, sql.stopAbandoned).changes);
}

function change(db: Writer, id: number, statement: string, values: Parameters<typeof run>[2]): Run {
  return transaction(db, () => {
    if (run(db, statement, values).changes === 0) throw unknownRun(id);
    return runNow(db, id);
  });
}

function runNow(db: Reader, id: number): Run {
  const found = runById(db, id);
  if (found === null) throw unknownRun(id);
  return found;
}

/** The error for an id that no run has. */
export function unknownRun(id: number): CoreError {
  return new CoreError("run-unknown", `There is no run ${id} in this library.`, {
    hint: "`dinoscope runs list` shows the runs.",
  });
}
