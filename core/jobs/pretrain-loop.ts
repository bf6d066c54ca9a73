import { join } from "node:path";
import { timeOf } from "../nn/dino/epochs.ts";
import { judgeHealth } from "../nn/dino/health.ts";
import { smallerMicroBatch } from "../nn/dino/micro-batch.ts";
import type { TrainingSettings } from "../nn/dino/settings.ts";
import {
  deleteRunMetrics,
  insertRunMetrics,
  insertRunProbe,
  latestRunMetrics,
  runProbes,
} from "../library/run-metrics.ts";
import { runById, saveRun, saveRunSettings } from "../library/runs.ts";
import type { RunEvent, RunFinding } from "../rpc/api.ts";
import type { Run, RunMetrics, RunProbe } from "../rpc/records.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { startRequest, type Plan } from "./pretrain-plan.ts";
import type { ProbePictures } from "./pretrain-probes.ts";
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
  /** From which iterations on figures of these pictures can be compared. */
  readonly since: Pick<RunProbe, "picturesSince" | "labelsSince">;
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
 * that ends is started again at the last checkpoint: where it does not get to another one, with half as many pictures at a
 * time, since systems end what takes too much memory, and given up when there is one at a time. A stop saves before it is
 * thrown. Throws `training-diverged` where the loss is not a number, and `training-collapsed` where that was
 * asked for; both leave the last checkpoint.
 */
export async function train(training: Training): Promise<Trained> {
  const { workplace, run, job, emit } = training;
  const { db } = workplace.library;
  let crashedAt: number | null = null;
  for (;;) {
    const current = runById(db, run.id) ?? run;
    // The library's own row, which the engine checks: its micro-batch may have become smaller.
    const plan = { ...training.plan, settings: current.settings as unknown as TrainingSettings };
    try {
      return await trainFrom({ ...training, plan, run: current });
    } catch (error) {
      const { code, message } = errorRecord(error);
      job.signal.throwIfAborted();
      if (code !== "engine-crashed" && code !== "training-missing") throw error;
      const { iteration: saved, settings } = runById(db, run.id) ?? current;
      const again = `${message} Going on from the checkpoint at iteration ${saved}`;
      if (saved !== crashedAt) emit({ kind: "note", sentence: `${again}.` });
      else {
        const { batch, microBatch = batch } = settings as unknown as TrainingSettings;
        const smaller = smallerMicroBatch(batch, microBatch);
        if (smaller === null) throw error;
        saveRunSettings(db, run.id, { ...settings, microBatch: smaller });
        emit({ kind: "note", sentence: `${again}, with ${smaller} in place of ${microBatch} pictures at a time.` });
      }
      crashedAt = saved;
    }
  }
}

async function trainFrom(training: Training): Promise<Trained> {
  const { workplace, run, plan, rhythm, job, emit } = training;
  const { library, engine } = workplace;
  const { db } = library;
  const name = `run-${run.id}`;
  const from =
    run.checkpoint === null ? plan.from : { kind: "run" as const, file: join(library.folder, run.checkpoint) };
  const session = await engine.call("startTraining", { training: name, ...startRequest({ ...plan, from }) });
  let { iteration, settings } = session;
  saveRunSettings(db, run.id, { ...settings });
  deleteRunMetrics(db, run.id, { metrics: iteration, probes: iteration + 1 });
  const history = latestRunMetrics(db, run.id, historyLength);
  let findings: readonly RunFinding[] = judgeHealth(history, settings, runProbes(db, run.id));
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
    findings = judgeHealth(history, settings, runProbes(db, run.id));
    if (findings.map(({ kind }) => kind).join() !== before) emit({ kind: "health", iteration, findings });
  };

  // An iteration may take minutes: a stop does not wait for its end.
  const halt = (): void => void engine.call("haltTraining", { training: name }).catch(() => {});
  job.signal.addEventListener("abort", halt);
  try {
    const begun = runById(db, run.id) ?? run;
    emit({ kind: "begun", run: begun, preset: plan.preset, microBatch: settings.microBatch ?? settings.batch });
    const report = job.phase(`pretraining on ${session.device}`, settings.iterations);
    report(iteration);
    // A run none of whose pictures can be read ends here, and leaves nothing.
    await probeWhenDue(training, name, iteration);
    // From here on the run can be resumed, whatever it started from.
    await save();
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
      if (result.microBatch !== settings.microBatch) {
        const change = `${result.microBatch} in place of ${settings.microBatch ?? settings.batch} pictures at a time`;
        settings = { ...settings, microBatch: result.microBatch };
        saveRunSettings(db, run.id, { ...settings });
        emit({ kind: "note", sentence: `The device had no memory left: going on with ${change}.` });
      }
      history.push(...result.metrics);
      history.splice(0, history.length - historyLength);
      failed = result.problems.map(({ index, problem }) => ({
        path: plan.pictures.paths[index] ?? "",
        reason: problem.message,
      }));
      if (finite.length > 0) emit({ kind: "metrics", metrics: finite });
      judge();
      if (finite.length < result.metrics.length) throw diverged(training, iteration, findings);
      const stepMs = meanStep(history.slice(-20));
      const speed = (settings.batch / stepMs) * 1000;
      const loss = history.at(-1);
      report(iteration, settings.iterations, loss === undefined ? undefined : progressDetail(loss, speed));
      if (!estimated && iteration - first >= 3) {
        estimated = true;
        const milliseconds = timeOf(settings.iterations - iteration, meanStep(history.slice(1 - (iteration - first))));
        emit({ kind: "estimate", milliseconds, imagesPerSecond: speed });
      }
      if (await probeWhenDue(training, name, iteration)) judge();
      if (rhythm.stopOnCollapse) refuseCollapse(iteration, findings);
      const due = rhythm.saveEvery !== null && iteration - saved.iteration >= rhythm.saveEvery;
      if (due || Date.now() - saved.at >= rhythm.saveEveryMs) await save();
    }
    await save();
    return { findings, failed };
  } finally {
    job.signal.removeEventListener("abort", halt);
    // The engine may be gone, or closed: then the training went with it.
    await engine.call("endTraining", { training: name }).catch(() => {});
  }
}

/** Iterations until something else is due. */
function stepsUntilNext(iteration: number, saved: number, { probeEvery, saveEvery }: Rhythm): number {
  const untilProbe = probeEvery - (iteration % probeEvery);
  return Math.max(1, saveEvery === null ? untilProbe : Math.min(untilProbe, saved + saveEvery - iteration));
}

/** Whether there was a probe. */
async function probeWhenDue(training: Training, name: string, iteration: number): Promise<boolean> {
  const { workplace, run, plan, probes, since, rhythm, emit } = training;
  const { db } = workplace.library;
  const begins = iteration === since.picturesSince || iteration === since.labelsSince;
  if (!begins && iteration % rhythm.probeEvery !== 0 && iteration !== plan.settings.iterations) return false;
  // A run that resumes may have been probed there before it was stopped; with other pictures that is no beginning.
  const isSame = ({ picturesSince, labelsSince }: RunProbe): boolean =>
    picturesSince === since.picturesSince && labelsSince === since.labelsSince;
  if (runProbes(db, run.id).some((probe) => probe.iteration === iteration && isSame(probe))) return false;
  const { attention, ...scores } = await workplace.engine.call("probeTraining", { training: name, ...probes });
  if (scores.selfRetrievalCount === 0) throw unreadable(probes.retrieval.length);
  const probe = { iteration, ...scores, ...since, createdAt: Date.now() };
  deleteRunMetrics(db, run.id, { metrics: iteration, probes: iteration });
  const watched = attention.map(({ index, ...map }) => ({ imageId: plan.pictures.imageIds[index] ?? 0, ...map }));
  insertRunProbe(db, run.id, probe, watched);
  emit({ kind: "probe", probe });
  return true;
}

function isFinite(metrics: RunMetrics): boolean {
  return Object.values(metrics).every((value) => Number.isFinite(value));
}

function meanStep(metrics: readonly RunMetrics[]): number {
  return metrics.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / Math.max(1, metrics.length);
}

function progressDetail({ loss, teacherEntropy }: RunMetrics, imagesPerSecond: number): string {
  return `loss ${loss.toFixed(2)}, entropy ${teacherEntropy.toFixed(2)}, ${imagesPerSecond.toFixed(imagesPerSecond < 10 ? 1 : 0)} pictures/s`;
}

function unreadable(count: number): CoreError {
  return new CoreError("pictures-missing", `None of ${count} pictures of the run can be read any more.`, {
    hint: "Look whether their folder is there; `dinoscope add FOLDER` takes in what it holds now.",
  });
}

/** Going on from the checkpoint leads to the same end; its weights are as good as they were. */
function diverged({ workplace, run }: Training, iteration: number, findings: readonly RunFinding[]): CoreError {
  const { folder, db } = workplace.library;
  const { checkpoint, iteration: saved } = runById(db, run.id) ?? run;
  const kept = checkpoint === null ? "" : ` The checkpoint of iteration ${saved} is kept.`;
  const start =
    checkpoint === null ? "" : ` It can begin from the checkpoint that is kept: --start ${join(folder, checkpoint)}.`;
  return new CoreError("training-diverged", `The loss is not a number at iteration ${iteration}.${kept}`, {
    hint: `${findings[0]?.advice ?? "Lower the learning rate (--lr) in a new run."}${start}`,
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
