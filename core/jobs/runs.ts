/** Runs to look at, and what is done with them afterwards. */
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Engine } from "../engine/supervisor.ts";
import { judgeHealth } from "../nn/dino/health.ts";
import type { TrainingSettings } from "../nn/dino/settings.ts";
import { deleteModel, listModels, modelById } from "../library/models.ts";
import type { Library, ReadLibrary } from "../library/open.ts";
import { latestRunMetrics, runProbes } from "../library/run-metrics.ts";
import { forgetCheckpoint, runById, unknownRun } from "../library/runs.ts";
import type { RunDetails } from "../rpc/api.ts";
import type { Run } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { checkpointOf } from "./pretrain-resume.ts";

/** Metrics that health is read from. */
const historyLength = 200;

/** A run with its probes and what its curves say. Throws `run-unknown`. */
export function showRun({ db }: ReadLibrary, id: number): RunDetails {
  const run = runNamed({ db }, id);
  const history = latestRunMetrics(db, id, historyLength);
  const probes = runProbes(db, id);
  return {
    run,
    model: run.modelId === null ? null : (modelById(db, run.modelId)?.name ?? null),
    latest: history.at(-1) ?? null,
    probes,
    findings: judgeHealth(history, run.settings as unknown as TrainingSettings, probes),
  };
}

/**
 * Takes a run's model out of the library with everything that it computed, and deletes its files, the checkpoint among
 * them; settings and curves stay. Throws `run-unknown`, `run-running`.
 */
export async function discardRun({ db, folder }: Library, id: number): Promise<Run> {
  const run = runNamed({ db }, id);
  if (run.state === "running") {
    throw new CoreError("run-running", `Run ${id} is going on.`, { hint: "Stop it first." });
  }
  const model = run.modelId === null ? null : modelById(db, run.modelId);
  // Rows first: a file that nothing names is only space, a row without its file is an error at every turn.
  if (model !== null) {
    for (const { id: modelId, file } of listModels(db)) if (file === model.file) deleteModel(db, modelId);
  }
  const done = forgetCheckpoint(db, id);
  for (const file of [model?.file, run.checkpoint])
    if (file !== undefined && file !== null) await rm(join(folder, file), { force: true });
  return done;
}

/** Writes a run's networks, heads and centre in the official layout. Throws `run-unknown`, `run-missing`. */
export async function exportRun(
  { library, engine }: { readonly library: ReadLibrary; readonly engine: Engine },
  id: number,
  destination: string,
): Promise<string> {
  const { db, folder } = library;
  const run = runNamed({ db }, id);
  const checkpoint = checkpointOf(run, folder);
  const file = resolve(destination);
  const notes = { run: id, name: run.name, pictures: run.imageCount };
  await engine.call("exportCheckpoint", { checkpoint, destination: file, notes });
  return file;
}

function runNamed({ db }: Pick<ReadLibrary, "db">, id: number): Run {
  const run = runById(db, id);
  if (run === null) throw unknownRun(id);
  return run;
}
