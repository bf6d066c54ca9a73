import { join } from "node:path";
import { cautionFor } from "../nn/dino/presets.ts";
import type { TrainingSettings } from "../nn/dino/settings.ts";
import { probeSetOf, saveProbeSet } from "../library/probe-sets.ts";
import { runProbes } from "../library/run-metrics.ts";
import { completeRun, endRun, insertRun, restoreRun, resumeRun, runById, type RunEnd } from "../library/runs.ts";
import type { PretrainSummary, RunEvent } from "../rpc/api.ts";
import { baselineOf } from "../rpc/probe-baseline.ts";
import type { Model, Run, RunProbe, RunScores, RunSummary } from "../rpc/records.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { cleanName, freeName, keepModel, takenName } from "./models.ts";
import { checkpointFile, train, type Rhythm, type Trained } from "./pretrain-loop.ts";
import { planRun, type Plan, type PretrainChoice } from "./pretrain-plan.ts";
import { chooseProbes, probePictures } from "./pretrain-probes.ts";
import { planResume, type ResumeChoice } from "./pretrain-resume.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";

/** How a run is looked after; see `Rhythm`. */
export interface Care {
  readonly saveEveryMinutes?: number;
  readonly saveEvery?: number;
  readonly probeEvery?: number;
  readonly stopOnCollapse?: boolean;
}

/** A new run. */
export interface NewPretraining extends PretrainChoice, Care {
  /** What to call its model; `pretrained` unless given. */
  readonly name?: string;
}

/** A run that goes on. */
export interface ResumedPretraining extends Care, ResumeChoice {}

/** Who follows a run. */
export interface RunWatch extends Watch {
  readonly onRun?: ((event: RunEvent) => void) | undefined;
}

/** Time between checkpoints unless the user says otherwise. */
const usualSaveMinutes = 5;

/** Probes in a run, unless the user says how far apart they are. */
const usualProbes = 20;

/**
 * Pretrains a network on all pictures of the library and adds the teacher's backbone as a model. Throws what planning
 * and training throw; a run that was stopped or failed can be resumed.
 */
export async function pretrain(
  workplace: Workplace,
  { name, saveEveryMinutes, saveEvery, probeEvery, stopOnCollapse, ...choice }: NewPretraining,
  watch: RunWatch = {},
): Promise<PretrainSummary> {
  const { library } = workplace;
  const { db } = library;
  const chosen = name === undefined ? freeName(db, "pretrained") : takenName(db, cleanName(name));
  return runJob(workplace, "pretrain", { name: chosen, device: choice.device }, watch, async (job) => {
    job.phase("preparing", 0)(0);
    const plan = await planRun(workplace, choice);
    const { settings, start, pictures } = plan;
    const run = insertRun(db, {
      ...{ name: chosen, start, device: plan.device, settings: { ...settings }, iterations: settings.iterations },
      imageCount: pictures.imageIds.length,
      fingerprint: pictures.fingerprint,
    });
    const rhythm = rhythmOf(settings, { saveEveryMinutes, saveEvery, probeEvery, stopOnCollapse });
    return finishRun(workplace, run, plan, rhythm, job, watch);
  });
}

/**
 * Goes on with a run from its checkpoint, on the CPU to exactly the same numbers as if it had never been stopped; with
 * more iterations, its schedules stretch. Throws what `planResume` throws, before anything is changed.
 */
export async function resumePretraining(
  workplace: Workplace,
  options: ResumedPretraining,
  watch: RunWatch = {},
): Promise<PretrainSummary> {
  const { db } = workplace.library;
  const { before, plan } = planResume(workplace, options);
  return runJob(workplace, "pretrain", { runId: before.id, device: options.device }, watch, async (job) => {
    const { settings, pictures, device } = plan;
    const { fingerprint } = pictures;
    const { iterations } = settings;
    const run = resumeRun(db, before.id, {
      ...{ device, settings: { ...settings }, iterations, imageCount: pictures.imageIds.length, fingerprint },
    });
    return finishRun(workplace, run, plan, rhythmOf(settings, options), job, watch, before);
  });
}

function rhythmOf(settings: TrainingSettings, care: { readonly [Key in keyof Care]: Care[Key] | undefined }): Rhythm {
  return {
    saveEveryMs: (care.saveEveryMinutes ?? usualSaveMinutes) * 60_000,
    saveEvery: care.saveEvery ?? null,
    probeEvery: care.probeEvery ?? Math.max(1, Math.ceil(settings.iterations / usualProbes)),
    stopOnCollapse: care.stopOnCollapse ?? false,
  };
}

/** Errors by which a run ends that did go on. */
const diverging: readonly string[] = ["training-diverged", "training-collapsed"];

async function finishRun(
  workplace: Workplace,
  run: Run,
  plan: Plan,
  rhythm: Rhythm,
  job: RunningJob,
  watch: RunWatch,
  /** The run as it was before it was to go on; null for a new one. */
  before: Run | null = null,
): Promise<PretrainSummary> {
  const { db } = workplace.library;
  const started = performance.now();
  const set = chooseProbes(db, plan.pictures, probeSetOf(db, run.id), run.iteration);
  saveProbeSet(db, run.id, set);
  const probes = probePictures(db, plan.pictures, set);
  const since = { picturesSince: set.pictures.since, labelsSince: set.labelled.since };
  let hasTrained = false;
  const notes = before === null ? notesOfNew(plan) : notesOfChange(before, plan, since);
  const emit = (event: RunEvent): void => {
    hasTrained ||= event.kind === "metrics";
    watch.onRun?.(event);
    // Once, not again where its engine ended.
    if (event.kind === "begun") for (const sentence of notes.splice(0)) watch.onRun?.({ kind: "note", sentence });
  };
  let trained: Trained;
  let model: Model;
  let durationMs: number;
  try {
    trained = await train({ workplace, run, plan, probes, since, rhythm, job, emit });
    durationMs = performance.now() - started;
    model = await becomeModel(workplace, run, plan, trained, durationMs);
  } catch (error) {
    try {
      const { code, message } = errorRecord(error);
      const saved = runById(db, run.id)?.iteration;
      const end: RunEnd = job.signal.aborted ? { state: "stopped" } : { state: "failed", problem: { code, message } };
      // What was asked of it this time does not stick to a run that could not go on, unless it went on and diverged. One
      // that was done is still done; another one says what went wrong where it had begun to train.
      const asBefore = before !== null && saved === before.iteration && !diverging.includes(code);
      if (asBefore) restoreRun(db, before);
      if (!asBefore || (hasTrained && before.state !== "done")) endRun(db, run.id, end);
    } catch {
      // The library itself failed (a full disk): the first error says more, and opening stops abandoned runs.
    }
    throw error;
  }
  const done = runById(db, run.id) ?? run;
  const { findings, failed } = trained;
  return { run: done, model, ...scoresOf(workplace, run), findings, failed, durationMs };
}

/** What to know as a run begins. */
function notesOfNew({ start, pictures }: Plan): string[] {
  const caution = cautionFor(pictures.imageIds.length, start.kind);
  return caution === null ? [] : [caution];
}

/** What is other than before in a run that goes on, and what cannot be compared therefore. */
function notesOfChange(
  { iteration, fingerprint }: Run,
  { pictures }: Plan,
  since: Pick<RunProbe, "picturesSince" | "labelsSince">,
): string[] {
  const others =
    fingerprint === pictures.fingerprint
      ? []
      : ["The library's pictures are not those that the run began with: it goes on with those that are there now."];
  const counts = [
    ...(since.picturesSince === iteration ? ["how many pictures find their other crop"] : []),
    ...(since.labelsSince === iteration ? ["how many labels are told by their neighbours"] : []),
  ];
  if (iteration === 0 || counts.length === 0) return others;
  const compared = `${counts.join(" and ")} is compared from iteration ${iteration} on, since it was counted on others before`;
  return [...others, `The library has changed: ${compared}.`];
}

/** The teacher's backbone becomes a model of the library, with what it was made of and what it gained. */
async function becomeModel(
  workplace: Workplace,
  run: Run,
  plan: Plan,
  { failed }: Trained,
  milliseconds: number,
): Promise<Model> {
  const { library, engine } = workplace;
  const { db, folder } = library;
  const { settings, pictures, start } = plan;
  const { before, after } = scoresOf(workplace, run);
  const name = freeName(db, run.name);
  const made = await engine.call("makeTrainedModel", {
    checkpoint: join(folder, checkpointFile(run)),
    destination: join(folder, "models", name),
    notes: {
      ...{ run: run.id, method: "DINO", pictures: pictures.imageIds.length, batch: settings.batch },
      epochs: Math.round((10 * settings.iterations * settings.batch) / pictures.imageIds.length) / 10,
      ...{ start: start.kind === "model" ? start.name : start.kind, colour: settings.colour, seed: settings.seed },
      ...{ globalSize: settings.crops.globalSize, localSize: settings.crops.localSize },
      selfRetrieval: after.selfRetrieval,
      ...(after.accuracy === null ? {} : { accuracy: after.accuracy }),
    },
  });
  const model = keepModel(workplace, name, made, made.file);
  const summary: RunSummary = { before, after, leftOut: failed.length, milliseconds };
  completeRun(db, run.id, model.id, summary);
  return model;
}

/** The scores of the last probe, and of the first that they can be compared with. */
function scoresOf({ library }: Workplace, run: Run): Pick<PretrainSummary, "before" | "after" | "since"> {
  const probes = runProbes(library.db, run.id);
  const last = probes.at(-1);
  if (last === undefined) throw new CoreError("internal", `Run ${run.id} was never probed.`);
  const pictures = baselineOf(probes, last, "pictures");
  const labels = baselineOf(probes, last, "labels");
  const scores = (
    { selfRetrieval, selfRetrievalCount }: RunScores,
    { accuracy, accuracyCount }: RunScores,
  ): RunScores => ({ selfRetrieval, selfRetrievalCount, accuracy, accuracyCount });
  return {
    before: scores(pictures, labels),
    after: scores(last, last),
    since: { selfRetrieval: pictures.iteration, accuracy: labels.iteration },
  };
}
