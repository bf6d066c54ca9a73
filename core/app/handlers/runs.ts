/** Handlers of core/rpc/methods/runs.ts. */
import { offerPresets } from "../../jobs/pretrain-offers.ts";
import { estimateRun, type PretrainChoice } from "../../jobs/pretrain-plan.ts";
import { discardRun, showRun } from "../../jobs/runs.ts";
import type { PretrainEstimate } from "../../rpc/api.ts";
import { runAttention, runCurve } from "../../library/run-metrics.ts";
import { listRuns } from "../../library/runs.ts";
import type { PretrainParameters } from "../../rpc/pretrain-choice.ts";
import type { runMethods } from "../../rpc/methods/runs.ts";
import type { RunAttention } from "../../rpc/records.ts";
import type { WatchedPicture } from "../../rpc/views.ts";
import { busy } from "./library.ts";
import { deviceOf, modelOf, type Handlers, type Office } from "../office.ts";

export function runHandlers(office: Office): Handlers<typeof runMethods> {
  const { library, desk } = office;
  const { db } = library;
  /** Measurements one after the other: two at a time would measure each other. */
  let measured: Promise<unknown> = Promise.resolve();
  return {
    "runs.list": ({ limit }) => listRuns(db, limit),
    "runs.get": ({ runId, points }) => {
      const details = showRun(library, runId);
      const last = details.latest?.iteration ?? 0;
      return { ...details, curve: runCurve(db, runId, Math.max(1, Math.ceil((last + 1) / points))) };
    },
    "runs.attention": ({ runId, iteration }) => {
      showRun(library, runId);
      return runAttention(db, runId, iteration).map(watched);
    },
    "runs.presets": () => offerPresets(desk, deviceOf(office)),
    "runs.estimate": (choice) => {
      const measure = async (): Promise<PretrainEstimate> => estimateRun(desk, await pretrainChoiceOf(office, choice));
      const result = measured.then(measure);
      measured = result.catch(() => undefined);
      return result;
    },
    "runs.discard": async ({ runId }) => {
      if (office.queue.active().length > 0) throw busy("A run is discarded only while no job runs.");
      const run = await discardRun(library, runId);
      office.changed(["models", "embeddings", "suggestions", "clusters", "map", "findings", "history"], null);
      return run;
    },
    "runs.export": async ({ runId, path }) => office.app.exportRun(runId, await office.roots.unused(path)),
  };
}

/** A choice of the page as jobs take it: start by name or real path, and the device that the settings say. */
export async function pretrainChoiceOf(
  office: Office,
  { start, device, ...options }: PretrainParameters,
): Promise<PretrainChoice> {
  const chosen = { ...options, device: deviceOf(office, device) };
  switch (start?.kind) {
    case "model":
      return { ...chosen, start: modelOf(office, start.modelId).name };
    case "checkpoint":
      return { ...chosen, start: await office.roots.existing(start.path) };
    case "random":
    case undefined:
      return chosen;
  }
}

/** The mean of the heads, from nothing to the strongest patch. */
function watched({ imageId, heads, rows, columns, scales, data }: RunAttention): WatchedPicture {
  const patches = rows * columns;
  const mean = new Float32Array(patches);
  for (const [i, byte] of data.entries()) {
    const at = i % patches;
    mean[at] = (mean[at] ?? 0) + (byte * (scales[Math.floor(i / patches)] ?? 0)) / heads;
  }
  const most = mean.reduce((best, value) => Math.max(best, value), 0);
  return {
    imageId,
    rows,
    columns,
    values: Array.from(mean, (value) => (most > 0 ? Math.round((255 * value) / most) : 0)),
  };
}
