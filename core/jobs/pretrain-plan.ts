import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TrainingStart, WantedDevice } from "../engine/protocol.ts";
import type { Engine } from "../engine/supervisor.ts";
import { iterationsIn, timeOf } from "../nn/dino/epochs.ts";
import type { PretrainOptions } from "../nn/dino/options.ts";
import { cautionFor, resolveSettings, type StartShape } from "../nn/dino/presets.ts";
import type { TrainingSettings } from "../nn/dino/settings.ts";
import type { Architecture } from "../nn/architecture.ts";
import { listModels } from "../library/models.ts";
import type { ReadLibrary } from "../library/open.ts";
import type { PretrainEstimate } from "../rpc/api.ts";
import type { Run, RunStart } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { runPictures, type RunPictures } from "./pretrain-pictures.ts";

/** How a run is to be made, beside the settings of the method. */
export interface PretrainChoice extends PretrainOptions {
  readonly device: WantedDevice;
  /** `random`, a model of the library, or the file of a full checkpoint. */
  readonly start?: string;
  /** Time that the run may take: iterations follow from the speed that is measured. */
  readonly minutes?: number;
  readonly microBatch?: number;
  /** Memory for small copies of the pictures, in bytes. */
  readonly cacheBytes?: number;
}

/** Everything that is settled before the first iteration. */
export interface Plan {
  readonly preset: string;
  readonly settings: TrainingSettings;
  readonly start: RunStart;
  readonly from: TrainingStart;
  readonly pictures: RunPictures;
  /** The one that was chosen, where the user left it open. */
  readonly device: WantedDevice;
  readonly cacheBytes: number;
}

/** What can be read of a library while another process writes it. */
export interface PlanDesk {
  readonly library: ReadLibrary;
  readonly engine: Engine;
}

/** 1 GiB holds 9,000 pictures at 192 px as they are, and ten times as many encoded. */
export const defaultCacheBytes = 2 ** 30;

/** Throws `option-invalid`, `pictures-missing`, `model-unknown`, and what reading a checkpoint throws. */
export async function planRun(desk: PlanDesk, choice: PretrainChoice): Promise<Plan> {
  const { library, engine } = desk;
  const { device: wanted, start: startText = "random", minutes, microBatch, cacheBytes, ...options } = choice;
  if (minutes !== undefined && (options.epochs !== undefined || options.iterations !== undefined)) {
    throw new CoreError(
      "option-invalid",
      "--minutes decides how many iterations there are; leave --epochs and --iterations out.",
    );
  }
  const pictures = runPictures(library.db);
  const { device } = await engine.call("chooseDevice", { device: wanted });
  const { start, from, shape } = await findStart(desk, startText);
  const surroundings = { images: pictures.imageIds.length, onCpu: device === "cpu", start: shape };
  const { preset, settings } = resolveSettings(options, surroundings);
  const plan: Plan = {
    ...{ preset, start, from, pictures, device: device as WantedDevice },
    settings: withMicroBatch(settings, microBatch),
    cacheBytes: cacheBytes ?? defaultCacheBytes,
  };
  if (minutes === undefined) return plan;
  const { stepMs, settings: measured } = await measureSteps(desk, plan);
  const iterations = iterationsIn(minutes * 60_000, stepMs);
  const { settings: timed } = resolveSettings({ ...options, iterations }, surroundings);
  return { ...plan, settings: withMicroBatch(timed, measured.microBatch) };
}

/** Settings with the micro-batch that is asked for. Throws `option-invalid` for one that does not divide the batch. */
export function withMicroBatch(settings: TrainingSettings, microBatch: number | undefined): TrainingSettings {
  if (microBatch === undefined) return settings;
  if (Number.isInteger(microBatch) && microBatch >= 1 && settings.batch % microBatch === 0) {
    return { ...settings, microBatch };
  }
  throw new CoreError(
    "option-invalid",
    `A micro-batch of ${microBatch} does not divide the batch of ${settings.batch}.`,
    { hint: "Choose a divisor of the batch, or leave it out." },
  );
}

/** What a run would take, from a few iterations that leave no trace. */
export async function estimateRun(desk: PlanDesk, choice: PretrainChoice): Promise<PretrainEstimate> {
  return estimatePlan(desk, await planRun(desk, choice), null);
}

/** The same for what is left of a run that goes on; null for a new one. */
export async function estimatePlan(
  desk: PlanDesk,
  plan: Plan,
  run: Pick<Run, "id" | "iteration"> | null,
): Promise<PretrainEstimate> {
  const from = run?.iteration ?? 0;
  const { stepMs, device, settings } = await measureSteps(desk, plan, from);
  const { preset, pictures } = plan;
  const imageCount = pictures.imageIds.length;
  const iterations = settings.iterations - from;
  return {
    ...{ preset, device, imageCount, runId: run?.id ?? null, iterations },
    caution: run === null ? cautionFor(imageCount, plan.start.kind) : null,
    settings: { ...settings },
    epochs: (iterations * settings.batch) / imageCount,
    imagesPerSecond: (settings.batch / stepMs) * 1000,
    milliseconds: timeOf(iterations, stepMs),
  };
}

/** Milliseconds of a step in the mean of the iterations from one on, whose first may have smaller crops than the rest. */
async function measureSteps(
  desk: PlanDesk,
  plan: Plan,
  from = 0,
): Promise<{ stepMs: number; device: string; settings: TrainingSettings }> {
  const measured = await measurePhase(desk, plan);
  const { lowResolution, iterations } = plan.settings;
  if (lowResolution === undefined) return measured;
  const { lowResolution: _, ...full } = { ...plan.settings, microBatch: measured.settings.microBatch };
  const { stepMs } = await measurePhase(desk, { ...plan, settings: full as TrainingSettings });
  const left = Math.max(1, iterations - from);
  const share = Math.min(1, Math.max(0, lowResolution.iterations - from) / left);
  return { ...measured, stepMs: share * measured.stepMs + (1 - share) * stepMs };
}

/** The first iteration pays for memory and pictures; those after it, if the run has any, tell the speed. */
async function measurePhase(
  { engine }: PlanDesk,
  plan: Plan,
): Promise<{ stepMs: number; device: string; settings: TrainingSettings }> {
  const training = "measure";
  const { device, settings } = await engine.call("startTraining", { training, ...startRequest(plan) });
  try {
    const first = await engine.call("trainSteps", { training, count: 1, milliseconds: 0 });
    const later = await engine.call("trainSteps", { training, count: 10, milliseconds: 2000 });
    const { metrics } = later.metrics.length > 0 ? later : first;
    return {
      device,
      settings,
      stepMs: metrics.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / metrics.length,
    };
  } finally {
    await engine.call("endTraining", { training });
  }
}

/** A plan as the engine takes it. */
export function startRequest({ settings, from, device, pictures, cacheBytes }: Plan): {
  settings: TrainingSettings;
  from: TrainingStart;
  device: WantedDevice;
  paths: readonly string[];
  cacheBytes: number;
} {
  return { settings, from, device, paths: pictures.paths, cacheBytes };
}

async function findStart(
  { library, engine }: PlanDesk,
  text: string,
): Promise<{ start: RunStart; from: TrainingStart; shape: StartShape }> {
  if (text === "random") return { start: { kind: "random" }, from: { kind: "random" }, shape: { kind: "random" } };
  const models = listModels(library.db);
  const model = models.find(({ name }) => name === text);
  if (model !== undefined) {
    if (model.architecture === null) {
      throw new CoreError("option-invalid", `${model.name} came as ONNX: its weights cannot be trained.`);
    }
    return {
      start: { kind: "model", name: model.name, hash: model.hash },
      from: { kind: "model", file: join(library.folder, model.file) },
      // The library's own rows: checked again when the file is read.
      shape: {
        kind: "model",
        architecture: model.architecture as unknown as Architecture,
        imageSize: model.imageSize,
      },
    };
  }
  const file = resolve(text);
  if (!isFile(file)) {
    const known = ["random", ...models.map(({ name }) => name)].join(", ");
    throw new CoreError("model-unknown", `There is no model and no file named ${text} to start from.`, {
      hint: `Start from one of ${known}, or from the file of a full checkpoint.`,
    });
  }
  const shape = await engine.call("describeStart", { file });
  return {
    start: { kind: "checkpoint", file },
    from: { kind: "checkpoint", file },
    shape: { kind: "checkpoint", ...shape },
  };
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export { optionRanges, type OptionRange, type PretrainOptions } from "../nn/dino/options.ts";
