/** Which run goes on and how, checked before anything of it is changed. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { WantedDevice } from "../engine/protocol.ts";
import { iterationsPerEpoch } from "../nn/dino/epochs.ts";
import type { TrainingSettings } from "../nn/dino/settings.ts";
import { listRuns, runById, unknownRun } from "../library/runs.ts";
import type { PretrainEstimate } from "../rpc/api.ts";
import type { Run } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { runPictures } from "./pretrain-pictures.ts";
import {
  defaultCacheBytes,
  estimatePlan,
  withMicroBatch,
  type Plan,
  type PlanDesk,
  type PretrainChoice,
} from "./pretrain-plan.ts";

/** What a run that goes on may be told. */
export interface ResumeChoice extends Pick<PretrainChoice, "device" | "microBatch" | "cacheBytes"> {
  /** The run; the newest that was stopped or failed unless given. */
  readonly runId?: number;
  /** Passes or iterations that it is to have in all, beyond what it was made for. */
  readonly epochs?: number;
  readonly iterations?: number;
}

/**
 * The run as it was left, and as it is to go on. Throws `run-unknown`, `run-missing` where there is none or its checkpoint
 * is gone, `option-invalid` for one that is done, `pictures-missing` where the library has too few left.
 */
export function planResume({ library }: Pick<PlanDesk, "library">, choice: ResumeChoice): { before: Run; plan: Plan } {
  const { db } = library;
  const before = runToResume(library, choice);
  const pictures = runPictures(db);
  // The library's own row, which the engine checks.
  const stored = before.settings as unknown as TrainingSettings;
  refuseTooFew(before, stored.batch, pictures.imageIds.length);
  const iterations = extended(before, stored, pictures.imageIds.length, choice);
  const { microBatch, cacheBytes = defaultCacheBytes } = choice;
  const plan: Plan = {
    ...{ preset: "", start: before.start, from: { kind: "random" }, pictures, cacheBytes },
    settings: withMicroBatch({ ...stored, iterations }, microBatch),
    // Where nothing else is asked for, the device that it began on: another one gives other digits.
    device: choice.device === "auto" ? (before.device as WantedDevice) : choice.device,
  };
  return { before, plan };
}

/** What is left of a run that goes on, from a few iterations that leave no trace. Throws what `planResume` throws. */
export function estimateResume(desk: PlanDesk, choice: ResumeChoice): Promise<PretrainEstimate> {
  const { before, plan } = planResume(desk, choice);
  return estimatePlan(desk, plan, before);
}

function runToResume({ db, folder }: PlanDesk["library"], { runId }: ResumeChoice): Run {
  const isThere = ({ checkpoint }: Run): boolean => checkpoint !== null && existsSync(join(folder, checkpoint));
  const asked = runId === undefined ? null : runById(db, runId);
  if (runId !== undefined && asked === null) throw unknownRun(runId);
  const unfinished = (): Run[] =>
    listRuns(db, 100).filter(({ state, checkpoint }) => state !== "done" && checkpoint !== null);
  const candidates = asked === null ? unfinished() : [asked];
  const [first] = candidates;
  if (first === undefined) {
    throw new CoreError("run-missing", "There is no run to go on with.", {
      hint: "Start one with `dinoscope pretrain`; `dinoscope runs list` shows those that are done.",
    });
  }
  const found = candidates.find(isThere) ?? first;
  checkpointOf(found, folder);
  return found;
}

/** The file of a run's checkpoint. Throws `run-missing` where there is none, or not any more. */
export function checkpointOf({ id, checkpoint }: Run, folder: string): string {
  if (checkpoint === null) {
    throw new CoreError("run-missing", `Run ${id} has no checkpoint.`, {
      hint: "It was discarded, or never saved. Start a new run.",
    });
  }
  const file = join(folder, checkpoint);
  if (existsSync(file)) return file;
  throw new CoreError("run-missing", `The checkpoint of run ${id} is gone: ${file}.`, {
    hint: `Put the file back, or start a new run; \`dinoscope runs discard ${id}\` lets go of this one.`,
  });
}

/** A batch holds each picture once. */
function refuseTooFew({ id, imageCount }: Run, batch: number, images: number): void {
  if (images >= batch) return;
  const sentence = `Run ${id} takes ${batch} pictures a step, and the library has ${images} that can be read; it began with ${imageCount}.`;
  throw new CoreError("pictures-missing", sentence, {
    hint: "Bring the pictures back (`dinoscope add FOLDER`), or start a new run from its checkpoint: `dinoscope runs export RUN FILE`, then `dinoscope pretrain --start FILE`.",
  });
}

/** Iterations in all: those that the run was made for, or more. */
function extended(run: Run, { batch }: TrainingSettings, images: number, { epochs, iterations }: ResumeChoice): number {
  const asked = iterations ?? (epochs === undefined ? run.iterations : epochs * iterationsPerEpoch(images, batch));
  if (asked > run.iteration || (asked === run.iterations && run.state !== "done")) return asked;
  throw new CoreError("option-invalid", `Run ${run.id} has done ${run.iteration} of ${asked} iterations.`, {
    hint: "To go on beyond that, give the number that it is to have in all: --epochs or --iterations.",
  });
}
