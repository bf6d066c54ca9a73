import { join } from "node:path";
import { judgeHealth } from "../nn/dino/health.ts";
import {
  deleteRunMetrics,
  insertRunMetrics,
  insertRunProbe,
  latestRunMetrics,
  runProbes,
} from "../library/run-metrics.ts";
import { runById, saveRun } from "../library/runs.ts";
import type { RunEvent, RunFinding } from "../rpc/api.ts";
import type { Run, RunMetrics } from "../rpc/records.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { startRequest, type Plan } from "./pretrain-plan.ts";
import type { ProbePictures } from "./pretrain-pictures.ts";
import type { RunningJob, Workplace } from "./run.ts";

/** When a run is saved and looked at, and whether it goes on when it cannot come to any good. */
export interface Rhythm {
  /** Between checkpoints; what comes after one is done again when the machine stops. */
  readonly saveEveryMs: number;
  /** The same in iterations; null to go by the clock alone. */
  readonly saveEvery: number | null;
  /** Iterations between probes. */
  readonly probeEvery: number;
  readonly stopOnCollapse: boolean;
}

/** What a loop works on. */
export interface Training {
  readonly workplace: Workplace;
  readonly run: Run;
  readonly plan: Plan;
  readonly probes: ProbePictures;
  readonly rhythm: Rhythm;
  readonly job: RunningJob;
  readonly emit: (event: RunEvent) => void;
}

/** What a run came to at its end. */
export interface Trained {
  readonly findings: readonly RunFinding[];
  /** Pictures that could not be read. */
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
}

/** Metrics that are kept at hand for health. */
const historyLength = 200;

/** Time of one request: short enough that a stop is heard soon. */
const requestMs = 400;

/** Iterations of one request where they are quick: every request's metrics are one transaction. */
const requestSteps = 64;

/** The file of a run's checkpoint, relative to the library folder. */
export function checkpointFile({ id }: Pick<Run, "id">): string {
  return `models/runs/${id}.safetensors`;
}

/**
 * Takes a run from its checkpoint, or its start, to its last iteration: steps, metrics, probes, checkpoints. An engine
 * that ends is started again at the last checkpoint, and given up where it does not get to another one. A stop saves
 * before it is thrown. Throws `training-diverged` where the loss is not a number, and `training-collapsed` where that was
 * asked for; both leave the last checkpoint.
 */
export async function train(training: Training): Promise<Trained> {
  const { workplace, run, job, emit } = training;
  let crashedAt: number | null = null;
  for (;;) {
    const current = runById(workplace.library.db, run.id) ?? run;
    try {
      return await trainFrom({ ...training, run: current });
    } catch (error) {
      const { code, message } = errorRecord(error);
      job.signal.throwIfAborted();
      if (code !== "engine-crashed" && code !== "training-missing") throw error;
      const saved = runById(workplace.library.db, run.id)?.iteration ?? 0;
      if (saved === crashedAt) throw error;
      crashedAt = saved;
      emit({ kind: "note", sentence: `${message} Going on from the checkpoint at iteration ${saved}.` });
    }
  }
}

async function trainFrom(training: Training): Promise<Trained> {
  const { workplace, run, plan, rhythm, job, emit } = training;
  const { library, engine } = workplace;
  const { db } = library;
  const { settings } = plan;
  const name = `run-${run.id}`;
  const from =
    run.checkpoint === null ? plan.from : { kind: "run" as const, file: join(library.folder, run.checkpoint) };
  const session = await engine.call("startTraining", { training: name, ...startRequest({ ...plan, from }) });
  let { iteration } = session;
  deleteRunMetrics(db, run.id, { metrics: iteration, probes: iteration + 1 });
  const history = latestRunMetrics(db, run.id, historyLength);
  let findings: readonly RunFinding[] = judgeHealth(history, settings);
  let failed: Trained["failed"] = [];
  let saved = { at: Date.now(), iteration: run.checkpoint === null ? -1 : iteration };

  const save = async (): Promise<void> => {
    if (saved.iteration === iteration) return;
    const file = checkpointFile(run);
    await engine.call("saveTraining", { training: name, path: join(library.folder, file) });
    saveRun(db, run.id, iteration, file);
    saved = { at: Date.now(), iteration };
    emit({ kind: "saved", iteration });
  };
  const judge = (): void => {
    const before = findings.map(({ kind }) => kind).join();
    findings = judgeHealth(history, settings);
    if (findings.map(({ kind }) => kind).join() !== before) emit({ kind: "health", iteration, findings });
  };

  try {
    emit({ kind: "begun", run, preset: plan.preset, microBatch: session.microBatch });
    const report = job.phase(`pretraining on ${session.device}`, settings.iterations);
    report(iteration);
    // From here on the run can be resumed, whatever it started from.
    await save();
    await probeWhenDue(training, name, iteration);
    const first = iteration;
    let estimated = false;
    while (iteration < settings.iterations) {
      if (job.signal.aborted) {
        await save();
        job.signal.throwIfAborted();
      }
      const count = Math.min(requestSteps, stepsUntilNext(iteration, saved.iteration, rhythm));
      const result = await engine.call("trainSteps", { training: name, count, milliseconds: requestMs });
      const finite = result.metrics.filter(isFinite);
      insertRunMetrics(db, run.id, finite);
      iteration = result.iteration;
      history.push(...result.metrics);
      history.splice(0, history.length - historyLength);
      failed = result.problems.map(({ index, problem }) => ({
        path: plan.pictures.paths[index] ?? "",
        reason: problem.message,
      }));
      if (finite.length > 0) emit({ kind: "metrics", metrics: finite });
      judge();
      if (finite.length < result.metrics.length) throw diverged(iteration, saved.iteration, findings);
      const stepMs = meanStep(history.slice(-20));
      const speed = (settings.batch / stepMs) * 1000;
      const loss = history.at(-1);
      report(iteration, settings.iterations, loss === undefined ? undefined : progressDetail(loss, speed));
      if (!estimated && iteration - first >= 3) {
        estimated = true;
        const milliseconds = (settings.iterations - iteration) * meanStep(history.slice(1 - (iteration - first)));
        emit({ kind: "estimate", milliseconds, imagesPerSecond: speed });
      }
      await probeWhenDue(training, name, iteration);
      if (rhythm.stopOnCollapse) refuseCollapse(iteration, findings);
      const due = rhythm.saveEvery !== null && iteration - saved.iteration >= rhythm.saveEvery;
      if (due || Date.now() - saved.at >= rhythm.saveEveryMs) await save();
    }
    await save();
    return { findings, failed };
  } finally {
    // The engine may be gone, or closed: then the training went with it.
    await engine.call("endTraining", { training: name }).catch(() => {});
  }
}

/** Iterations until something else is due. */
function stepsUntilNext(iteration: number, saved: number, { probeEvery, saveEvery }: Rhythm): number {
  const untilProbe = probeEvery - (iteration % probeEvery);
  return Math.max(1, saveEvery === null ? untilProbe : Math.min(untilProbe, saved + saveEvery - iteration));
}

async function probeWhenDue(training: Training, name: string, iteration: number): Promise<void> {
  const { workplace, run, plan, probes, rhythm, emit } = training;
  const { db } = workplace.library;
  if (iteration % rhythm.probeEvery !== 0 && iteration !== plan.settings.iterations) return;
  // A run that resumes may have been probed there before it was stopped.
  if (runProbes(db, run.id).some((probe) => probe.iteration === iteration)) return;
  const { attention, ...scores } = await workplace.engine.call("probeTraining", { training: name, ...probes });
  const probe = { iteration, ...scores, createdAt: Date.now() };
  const watched = attention.map(({ index, ...map }) => ({ imageId: plan.pictures.imageIds[index] ?? 0, ...map }));
  insertRunProbe(db, run.id, probe, watched);
  emit({ kind: "probe", probe });
}

function isFinite(metrics: RunMetrics): boolean {
  return Object.values(metrics).every((value) => Number.isFinite(value));
}

function meanStep(metrics: readonly RunMetrics[]): number {
  return metrics.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / Math.max(1, metrics.length);
}

function progressDetail({ loss, teacherEntropy }: RunMetrics, imagesPerSecond: number): string {
  return `loss ${loss.toFixed(2)}  entropy ${teacherEntropy.toFixed(2)}  ${imagesPerSecond.toFixed(imagesPerSecond < 10 ? 1 : 0)} pictures/s`;
}

function diverged(iteration: number, saved: number, findings: readonly RunFinding[]): CoreError {
  const [first] = findings;
  const kept = saved < 0 ? "" : ` The checkpoint of iteration ${saved} is kept.`;
  return new CoreError("training-diverged", `The loss is not a number at iteration ${iteration}.${kept}`, {
    hint: first?.advice ?? "Lower the learning rate (--lr) and start again.",
  });
}

function refuseCollapse(iteration: number, findings: readonly RunFinding[]): void {
  const collapse = findings.find(isCollapseFinding);
  if (collapse === undefined) return;
  throw new CoreError("training-collapsed", `Stopped at iteration ${iteration}: ${collapse.sentence}`, {
    ...(collapse.advice === null ? {} : { hint: collapse.advice }),
  });
}

const isCollapseFinding = ({ severity }: RunFinding): boolean => severity === "collapse";
