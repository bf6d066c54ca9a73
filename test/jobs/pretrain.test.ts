import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { embedImages } from "../../core/jobs/embed.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { findModel, modelInUse } from "../../core/jobs/models.ts";
import { pretrain, resumePretraining, type NewPretraining } from "../../core/jobs/pretrain.ts";
import { runPictures } from "../../core/jobs/pretrain-pictures.ts";
import { estimateRun } from "../../core/jobs/pretrain-plan.ts";
import { estimateResume } from "../../core/jobs/pretrain-resume.ts";
import { discardRun, exportRun, showRun } from "../../core/jobs/runs.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { listModels } from "../../core/library/models.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { putSetting } from "../../core/library/settings.ts";
import { openLibrary } from "../../core/library/open.ts";
import { runAttention, runMetrics, runProbes } from "../../core/library/run-metrics.ts";
import { endRun, listRuns, runById } from "../../core/library/runs.ts";
import type { RunEvent } from "../../core/rpc/api.ts";
import type { Run } from "../../core/rpc/records.ts";
import { CoreError } from "../../core/util/errors.ts";
import { readTrainingFile } from "../../core/weights/training-file.ts";
import { readSafetensors } from "../../core/weights/safetensors.ts";
import { annotate } from "../helpers/annotate.ts";
import { drawPicture } from "../helpers/pictures.ts";
import { drawLabelled, figuresOf, fillLibrary, tinyRun } from "../helpers/pretraining.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryFolder, temporaryLibrary } from "../library/support.ts";

leaveNothingBehind();

const engine = sharedEngine();

async function filledWorkplace(folder?: string): Promise<Workplace> {
  const workplace = { library: temporaryLibrary(), engine };
  await fillLibrary(workplace, folder);
  return workplace;
}

/** A run that was stopped after its first iterations. */
async function stoppedRun(workplace: Workplace, choice: Partial<NewPretraining> = {}): Promise<Run> {
  const stop = new AbortController();
  const onRun = ({ kind }: RunEvent): void => {
    if (kind === "metrics") stop.abort();
  };
  const options = { ...tinyRun, probeEvery: 1, ...choice };
  await expect(pretrain(workplace, options, { signal: stop.signal, onRun })).rejects.toThrow();
  const [run] = listRuns(workplace.library.db, 1);
  if (run?.state !== "stopped") throw new Error("The run should have been stopped.");
  return run;
}

/** The weights of a run's checkpoint. */
async function tensorsOf({ library }: Workplace, id: number): Promise<Map<string, number[]>> {
  const { tensors } = await readSafetensors(join(library.folder, "models", "runs", `${id}.safetensors`));
  return new Map([...tensors].map(([name, { data }]) => [name, [...data]]));
}

describe("a run", () => {
  test("trains, is probed, and becomes a model that embeds", async () => {
    const workplace = await filledWorkplace();
    const { db, folder } = workplace.library;
    const events: RunEvent[] = [];
    const summary = await pretrain(workplace, { ...tinyRun, name: "mine" }, { onRun: (event) => events.push(event) });

    expect(summary.model).toMatchObject({ name: "mine", trained: true, imageSize: 32, width: 24 });
    expect(summary.model.provenance).toMatchObject({
      format: "pretraining",
      notes: { iterations: 6, pictures: 14, seed: 5 },
    });
    expect(summary.run).toMatchObject({ state: "done", iteration: 6, modelId: summary.model.id, imageCount: 14 });
    expect(summary.after).toMatchObject({ selfRetrievalCount: 14, accuracyCount: 14 });
    expect(summary.failed).toEqual([]);

    const metrics = runMetrics(db, summary.run.id);
    expect(metrics.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { loss, teacherEntropy, divergence } of metrics) {
      expect(loss - teacherEntropy).toBeCloseTo(divergence, 4);
      expect(divergence).toBeGreaterThanOrEqual(0);
      expect(teacherEntropy).toBeLessThanOrEqual(Math.log(16));
    }
    expect(events.flatMap((event) => (event.kind === "metrics" ? event.metrics : []))).toEqual(metrics);
    expect(runProbes(db, summary.run.id).map(({ iteration }) => iteration)).toEqual([0, 3, 6]);
    const watched = runAttention(db, summary.run.id, 6);
    expect(watched).toHaveLength(6);
    expect(watched[0]).toMatchObject({ heads: 2, rows: 4, columns: 4 });
    expect(showRun(workplace.library, summary.run.id)).toMatchObject({
      model: "mine",
      findings: [{ kind: "too-early" }],
    });

    const embedded = await embedImages(workplace, findModel(db, "mine"), { device: "cpu" });
    expect(embedded).toMatchObject({ embedded: 14, failed: [] });
    // Another run takes over only when its model has looked at pictures, or when it is chosen.
    const { model: next } = await pretrain(workplace, { ...tinyRun, name: "next", iterations: 1 });
    expect([findModel(db, undefined).name, modelInUse(db, undefined).name]).toEqual(["next", "mine"]);
    putSetting(db, "currentModelId", next.id);
    expect(modelInUse(db, undefined).name).toBe("next");
    putSetting(db, "currentModelId", null);
    await embedImages(workplace, next, { device: "cpu" });
    expect(modelInUse(db, undefined).name).toBe("next");
    expect(modelInUse(db, "mine").name).toBe("mine");
    expect(existsSync(join(folder, "models", "runs", `${summary.run.id}.safetensors`))).toBe(true);
    expect(listJobs(db, 1)[0]).toMatchObject({ kind: "embed", state: "done" });
  });

  test("leaves out pictures that cannot be read any more, and says which", async () => {
    const photos = await drawLabelled();
    const workplace = await filledWorkplace(photos);
    writeFileSync(join(photos, "one", "000.jpg"), "no picture");
    const { failed, run } = await pretrain(workplace, tinyRun);
    expect(failed).toEqual([
      { path: join(photos, "one", "000.jpg"), reason: expect.stringContaining("JPEG") as string },
    ]);
    expect(run.summary?.leftOut).toBe(1);
  });

  test("ends before it begins where no picture can be read, and leaves nothing to go on from", async () => {
    const photos = await drawLabelled();
    const workplace = await filledWorkplace(photos);
    const { db } = workplace.library;
    for (const name of runPictures(db).paths) writeFileSync(name, "no picture");
    expect(await refusalOfAsync(() => pretrain(workplace, tinyRun))).toBe(
      "pictures-missing: None of 14 pictures of the run can be read any more.",
    );
    const [run] = listRuns(db, 1);
    expect(run).toMatchObject({ state: "failed", checkpoint: null, problem: { code: "pictures-missing" } });
    expect(runProbes(db, run?.id ?? 0)).toEqual([]);
  });

  test("is discarded with its model, its embeddings and its files, and keeps its curves", async () => {
    const workplace = await filledWorkplace();
    const { db, folder } = workplace.library;
    const { run, model } = await pretrain(workplace, { ...tinyRun, iterations: 2 });
    await embedImages(workplace, model, { device: "cpu" });
    await discardRun(workplace.library, run.id);
    expect(listModels(db)).toEqual([]);
    expect(existsSync(join(folder, model.file))).toBe(false);
    expect(readdirSync(join(folder, "models", "runs"))).toEqual([]);
    expect(runById(db, run.id)).toMatchObject({ state: "done", modelId: null, checkpoint: null });
    expect(runMetrics(db, run.id)).toHaveLength(2);
  });

  test("needs some pictures, and settings that go together", async () => {
    const workplace: Workplace = { library: temporaryLibrary(), engine };
    expect(await refusalOfAsync(() => pretrain(workplace, tinyRun))).toContain("pictures-missing: ");
    await fillLibrary(workplace);
    const refused = async (choice: Partial<NewPretraining>): Promise<string> =>
      (await refusalOfAsync(() => pretrain(workplace, { ...tinyRun, ...choice }))).split(":")[0] ?? "";
    expect(await refused({ batch: 15 })).toBe("option-invalid");
    expect(await refused({ globalSize: 36 })).toBe("option-invalid");
    expect(await refused({ microBatch: 3 })).toBe("option-invalid");
    expect(await refused({ minutes: 1 })).toBe("option-invalid");
    expect(await refused({ start: "nobody" })).toBe("model-unknown");
    expect(listRuns(workplace.library.db, 5)).toEqual([]);
  });
});

describe("a run that goes on", () => {
  test("after a stop gives exactly the numbers of one that was never stopped", async () => {
    const photos = await drawLabelled();
    const [whole, stopped] = [await filledWorkplace(photos), await filledWorkplace(photos)];
    // Too little memory for copies as they are: the run keeps to JPEG when it goes on with more.
    const choice = { ...tinyRun, dropPath: 0.3, depth: 2, iterations: 8, cacheBytes: 1 };
    const straight = await pretrain(whole, choice);

    const stop = new AbortController();
    const onRun = (event: RunEvent): void => {
      if (event.kind === "metrics" && event.metrics.some(({ iteration }) => iteration >= 2)) stop.abort();
    };
    await expect(pretrain(stopped, choice, { signal: stop.signal, onRun })).rejects.toThrow();
    const [run] = listRuns(stopped.library.db, 1);
    expect(run).toMatchObject({ state: "stopped" });
    expect(run?.iteration).toBeGreaterThanOrEqual(3);
    expect(run?.iteration).toBeLessThan(8);
    expect(listModels(stopped.library.db)).toEqual([]);
    // In another engine: nothing but the checkpoint carries over.
    const fresh = createEngine();
    try {
      const resumed = await resumePretraining({ ...stopped, engine: fresh }, { device: "cpu", probeEvery: 3 });
      expect(figuresOf(runMetrics(stopped.library.db, resumed.run.id))).toEqual(
        figuresOf(runMetrics(whole.library.db, straight.run.id)),
      );
      expect(await tensorsOf(stopped, resumed.run.id)).toEqual(await tensorsOf(whole, straight.run.id));
      expect(resumed.after).toEqual(straight.after);
    } finally {
      await fresh.close();
    }
  });

  test("after its engine was killed finishes in the same call, with the same numbers", async () => {
    const photos = await drawLabelled();
    const [whole, killed] = [await filledWorkplace(photos), await filledWorkplace(photos)];
    const straight = await pretrain(whole, tinyRun);
    const victim: Engine = createEngine();
    try {
      let kills = 0;
      const notes: string[] = [];
      const onRun = (event: RunEvent): void => {
        if (event.kind === "note" && event.sentence.includes("Going on")) notes.push(event.sentence);
        if (event.kind !== "saved" || kills === 2 || victim.pid === undefined) return;
        kills++;
        process.kill(victim.pid, "SIGKILL");
      };
      const summary = await pretrain({ ...killed, engine: victim }, { ...tinyRun, saveEvery: 2 }, { onRun });
      expect(kills).toBe(2);
      expect(notes).toHaveLength(2);
      expect(figuresOf(runMetrics(killed.library.db, summary.run.id))).toEqual(
        figuresOf(runMetrics(whole.library.db, straight.run.id)),
      );
      expect(summary.after).toEqual(straight.after);
    } finally {
      await victim.close();
    }
  });

  test("whose engine ends again and again goes on with fewer pictures at a time, which it keeps", async () => {
    const workplace = await filledWorkplace();
    const { db } = workplace.library;
    const victim: Engine = createEngine();
    try {
      const sizes: number[] = [];
      const notes: string[] = [];
      const onRun = (event: RunEvent): void => {
        if (event.kind === "note") notes.push(event.sentence);
        if (event.kind !== "begun") return;
        sizes.push(event.microBatch);
        // As a system does that is short of memory.
        if (event.microBatch > 1 && victim.pid !== undefined) process.kill(victim.pid, "SIGKILL");
      };
      const { run } = await pretrain({ ...workplace, engine: victim }, tinyRun, { onRun });
      expect(sizes).toEqual([4, 4, 2, 1]);
      expect(notes.at(-1)).toContain("with 1 in place of 2 pictures at a time");
      expect(run.settings).toMatchObject({ batch: 4, microBatch: 1 });
      const longer = { device: "cpu", runId: run.id, iterations: 8 } as const;
      await resumePretraining({ ...workplace, engine: victim }, longer, { onRun });
      expect(sizes.at(-1)).toBe(1);
      expect(runById(db, run.id)?.settings).toMatchObject({ microBatch: 1, iterations: 8 });
    } finally {
      await victim.close();
    }
  });

  test("keeps the micro-batch that was measured as it began, unless it is told another", async () => {
    const workplace = await filledWorkplace();
    const { microBatch: _, ...open } = tinyRun;
    const { run } = await pretrain(workplace, open);
    const measured = run.settings["microBatch"];
    expect([1, 2, 4]).toContain(measured);
    const { settings } = await readTrainingFile(join(workplace.library.folder, run.checkpoint ?? ""));
    expect(settings.microBatch).toBe(measured);
    const longer = { device: "cpu", runId: run.id } as const;
    const kept = await resumePretraining(workplace, { ...longer, iterations: 7 });
    expect(kept.run.settings["microBatch"]).toBe(measured);
    const told = await resumePretraining(workplace, { ...longer, iterations: 8, microBatch: 2 });
    expect(told.run.settings["microBatch"]).toBe(2);
  });

  test("is what it was when it could not go on: a device that is refused does not stick to it", async () => {
    const workplace = await filledWorkplace();
    const { db } = workplace.library;
    const stopped = await stoppedRun(workplace);
    const refusing: Workplace = {
      ...workplace,
      engine: {
        ...engine,
        call: (method, request) =>
          method === "startTraining" && (request as { device: string }).device === "webgpu"
            ? Promise.reject(new CoreError("device-missing", "There is no card."))
            : engine.call(method, request),
      },
    };
    const elsewhere = { device: "webgpu", iterations: 50, microBatch: 2 } as const;
    expect(await refusalOfAsync(() => resumePretraining(refusing, elsewhere))).toContain("device-missing");
    expect({ ...runById(db, stopped.id), updatedAt: 0 }).toEqual({ ...stopped, updatedAt: 0 });
    const { run } = await resumePretraining(refusing, { device: "auto" });
    expect(run).toMatchObject({ state: "done", device: "cpu", iteration: 6, problem: null });

    // One that failed keeps the reason that it failed for.
    const failed = endRun(db, run.id, { state: "failed", problem: { code: "disk-full", message: "It was full." } });
    expect(await refusalOfAsync(() => resumePretraining(refusing, elsewhere))).toContain("device-missing");
    expect({ ...runById(db, run.id), updatedAt: 0 }).toEqual({ ...failed, updatedAt: 0 });
  });

  test("is refused before anything is changed where its checkpoint is gone, and another one is found", async () => {
    const workplace = await filledWorkplace();
    const { db, folder } = workplace.library;
    const older = await stoppedRun(workplace);
    const newer = await stoppedRun(workplace);
    const file = (id: number): string => join(folder, "models", "runs", `${id}.safetensors`);
    rmSync(file(newer.id));
    const resume = (runId?: number) => (): Promise<unknown> =>
      resumePretraining(workplace, { device: "cpu", ...(runId === undefined ? {} : { runId }) });
    expect(await refusalOfAsync(resume(newer.id))).toBe(
      `run-missing: The checkpoint of run ${newer.id} is gone: ${file(newer.id)}.`,
    );
    const exporting = (): Promise<unknown> =>
      exportRun(workplace, newer.id, join(temporaryFolder(), "full.safetensors"));
    expect(await refusalOfAsync(exporting)).toContain("run-missing: ");
    expect(runById(db, newer.id)).toEqual(newer);
    const { run } = await resumePretraining(workplace, { device: "cpu" });
    expect(run.id).toBe(older.id);
    expect(await refusalOfAsync(resume())).toContain("is gone");
  });

  test("is refused before anything is changed where the library has fewer pictures than a batch", async () => {
    const photos = await drawLabelled();
    const workplace = await filledWorkplace(photos);
    const { db } = workplace.library;
    const stopped = await stoppedRun(workplace);
    for (const name of readdirSync(join(photos, "one"))) rmSync(join(photos, "one", name));
    for (const name of readdirSync(join(photos, "two")).slice(3)) rmSync(join(photos, "two", name));
    await ingestFolder(workplace, photos);
    const resume = (): Promise<unknown> => resumePretraining(workplace, { device: "cpu" });
    expect(await refusalOfAsync(resume)).toBe(
      `pictures-missing: Run ${stopped.id} takes 4 pictures a step, and the library has 3 that can be read; it began with 14.`,
    );
    expect(runById(db, stopped.id)).toEqual(stopped);
  });

  test("has an estimate of what is left of it", async () => {
    const workplace = await filledWorkplace();
    const { id: runId, iteration } = await stoppedRun(workplace);
    const estimate = await estimateResume(workplace, { device: "auto", runId, iterations: 40 });
    expect(estimate).toMatchObject({ runId, iterations: 40 - iteration, device: "cpu", imageCount: 14 });
    expect(estimate.settings).toMatchObject({ iterations: 40, architecture: { width: 24 } });
    const { imagesPerSecond, milliseconds } = estimate;
    // Six hundredths of the time are for probes and checkpoints.
    expect(milliseconds).toBeCloseTo(((40 - iteration) * 4 * 1000) / imagesPerSecond / 0.94, 3);
    expect(runById(workplace.library.db, runId)).toMatchObject({ state: "stopped", iterations: 6 });
  });

  test("to more iterations than it was made for becomes another model", async () => {
    const workplace = await filledWorkplace();
    const { db } = workplace.library;
    const first = await pretrain(workplace, { ...tinyRun, name: "mine" });
    expect(await refusalOfAsync(() => resumePretraining(workplace, { device: "cpu" }))).toContain("run-missing: ");
    const { id: runId } = first.run;
    expect(await refusalOfAsync(() => resumePretraining(workplace, { device: "cpu", runId }))).toContain(
      "option-invalid: ",
    );
    const longer = await resumePretraining(workplace, { device: "cpu", runId, epochs: 3 });
    // Three batches of four are a pass over fourteen pictures.
    expect(longer.run).toMatchObject({ id: runId, iteration: 9, iterations: 9, state: "done" });
    expect(longer.model.name).toBe("mine-2");
    expect(runMetrics(db, runId)).toHaveLength(9);
    expect(figuresOf(runMetrics(db, runId)).slice(0, 6).at(-1)?.iteration).toBe(5);
  });

  test("says so when the pictures are not the same any more", async () => {
    const photos = await drawLabelled();
    const workplace = await filledWorkplace(photos);
    const { run } = await pretrain(workplace, { ...tinyRun, iterations: 2 });
    await drawPicture(join(photos, "one", "new.jpg"), { seed: 77 });
    await fillLibrary(workplace, photos);
    const notes: RunEvent[] = [];
    const onRun = (event: RunEvent): void => void (event.kind === "note" && notes.push(event));
    const longer = await resumePretraining(workplace, { device: "cpu", runId: run.id, iterations: 3 }, { onRun });
    expect(notes).toHaveLength(1);
    expect(longer.run.imageCount).toBe(15);
  });
});

test("a run compares with what it was before only what is counted on the same pictures and labels", async () => {
  const photos = await drawLabelled();
  const workplace = await filledWorkplace(photos);
  const { db } = workplace.library;
  const { id: runId } = await stoppedRun(workplace);
  const { iteration: at = 0 } = runById(db, runId) ?? {};
  const { imageIds, paths } = runPictures(db);
  const imageId = imageIds[paths.findIndex((path) => path.startsWith(join(photos, "one")))] ?? 0;
  annotate(db, [{ imageId, label: ["two"] }]);
  await drawPicture(join(photos, "one", "new.jpg"), { seed: 77 });
  await ingestFolder(workplace, photos);
  const notes: string[] = [];
  const onRun = (event: RunEvent): void => void (event.kind === "note" && notes.push(event.sentence));
  const { before, after, since } = await resumePretraining(workplace, { device: "cpu", probeEvery: 1 }, { onRun });
  expect(notes.at(-1)).toContain(`how many labels are told by their neighbours is compared from iteration ${at} on`);
  expect(since).toEqual({ selfRetrieval: 0, accuracy: at });
  const probes = runProbes(db, runId);
  expect(probes.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(probes.map(({ labelsSince }) => labelsSince)).toEqual(
    probes.map(({ iteration }) => (iteration < at ? 0 : at)),
  );
  expect(new Set(probes.map(({ selfRetrievalCount }) => selfRetrievalCount))).toEqual(new Set([14]));
  expect(before).toMatchObject({ selfRetrieval: probes[0]?.selfRetrieval, accuracy: probes[at]?.accuracy });
  expect(after).toMatchObject({ selfRetrievalCount: 14, accuracyCount: 14 });
});

test("scales of prototypes stay at 1 unless they are to be trained", async () => {
  const workplace = await filledWorkplace();
  const scales = async (choice: Partial<NewPretraining>): Promise<number[]> => {
    const { run } = await pretrain(workplace, { ...tinyRun, iterations: 3, ...choice });
    return (await tensorsOf(workplace, run.id)).get("student.head.last_layer.weight_g") ?? [];
  };
  expect(new Set(await scales({}))).toEqual(new Set([1]));
  expect(new Set(await scales({ trainScales: true })).size).toBeGreaterThan(8);
});

describe("a start", () => {
  test("from a model keeps its backbone still while the fresh head warms up", async () => {
    const workplace = await filledWorkplace();
    const { model } = await pretrain(workplace, { ...tinyRun, name: "base" });
    const base = await readSafetensors(join(workplace.library.folder, model.file));
    const {
      device,
      globalSize,
      localSize,
      crops,
      sourceSize,
      headHidden,
      bottleneck,
      prototypes,
      batch,
      learningRate,
    } = tinyRun;
    const common = {
      device,
      globalSize,
      localSize,
      crops,
      sourceSize,
      headHidden,
      bottleneck,
      prototypes,
      batch,
      learningRate,
    };
    const waiting = await pretrain(workplace, { ...common, iterations: 4, freezeBackbone: 4, start: "base" });
    const waited = await tensorsOf(workplace, waiting.run.id);
    for (const [name, { data }] of base.tensors)
      expect(waited.get(`student.backbone.${name}`), name).toEqual([...data]);
    const moving = await pretrain(workplace, { ...common, iterations: 4, freezeBackbone: 2, start: "base" });
    const moved = await tensorsOf(workplace, moving.run.id);
    expect(moved.get("student.backbone.norm.weight")).not.toEqual(waited.get("student.backbone.norm.weight"));
    expect(moving.run.start).toEqual({ kind: "model", name: "base", hash: model.hash });
  });

  test("from a model trains at the size that it embeds at, and a run embeds at the size that it was trained at", async () => {
    const workplace = await filledWorkplace();
    const { device, crops, headHidden, bottleneck, prototypes, batch } = tinyRun;
    const choice = { device, crops, headHidden, bottleneck, prototypes, batch, iterations: 1, freezeBackbone: 1 };
    await pretrain(workplace, { ...tinyRun, iterations: 1, name: "base" });
    const same = await pretrain(workplace, { ...choice, start: "base" });
    expect(same.run.settings["crops"]).toMatchObject({ globalSize: 32, localSize: 16, sourceSize: 48 });
    expect(same.model.imageSize).toBe(32);
    const larger = await pretrain(workplace, { ...choice, start: "base", globalSize: 48, name: "larger" });
    expect(larger.model).toMatchObject({ imageSize: 48, architecture: { grid: 6 } });
    expect(await embedImages(workplace, larger.model, { device: "cpu" })).toMatchObject({ embedded: 14 });
    const again = await pretrain(workplace, { ...choice, start: "larger" });
    expect([again.run.settings["crops"], again.model.imageSize]).toMatchObject([{ globalSize: 48 }, 48]);
  });

  test("from a full checkpoint begins with its networks, head and centre, and is careful", async () => {
    const workplace = await filledWorkplace();
    const first = await pretrain(workplace, tinyRun);
    const file = join(temporaryFolder(), "full.safetensors");
    await exportRun(workplace, first.run.id, file);
    const { tensors } = await readSafetensors(file);
    expect(tensors.has("student.module.backbone.blocks.0.attn.qkv.weight")).toBe(true);
    expect(tensors.has("teacher.head.last_layer.weight_v")).toBe(true);
    expect([...tensors.keys()].filter((name) => name.startsWith("first"))).toEqual([]);

    const { device, batch } = tinyRun;
    const next = await pretrain(workplace, { device, batch, iterations: 1, start: file });
    const before = await tensorsOf(workplace, first.run.id);
    const after = await tensorsOf(workplace, next.run.id);
    const settings = next.run.settings as { learningRate: number; teacherMomentum: number; freezeLastLayer: number };
    expect(settings).toMatchObject({ learningRate: 5e-5 / 8, teacherMomentum: 0.99, freezeLastLayer: 0 });
    expect(settings).toMatchObject({
      crops: first.run.settings["crops"],
      teacherTemperature: { start: 0.04, end: 0.04 },
    });
    for (const name of ["teacher.head.mlp.0.weight", "student.backbone.pos_embed"]) {
      const [old, now] = [before.get(name) ?? [], after.get(name) ?? []];
      expect(Math.max(...now.map((value, i) => Math.abs(value - (old[i] ?? 0)))), name).toBeLessThan(1e-4);
    }
    // The centre moves by a tenth towards this batch's mean.
    const [old, now] = [before.get("centre") ?? [], after.get("centre") ?? []];
    expect(now).not.toEqual(old);
    expect(Math.hypot(...now.map((value, i) => value - 0.9 * (old[i] ?? 0)))).toBeLessThan(0.2);
  });
});

test("low resolution first goes on at full resolution, and resumes within either", async () => {
  const photos = await drawLabelled();
  const [whole, stopped] = [await filledWorkplace(photos), await filledWorkplace(photos)];
  const choice = { ...tinyRun, globalSize: 48, sourceSize: 48, localSize: 24, lowResolutionFirst: 0.5 };
  const straight = await pretrain(whole, choice);
  expect(straight.run.settings).toMatchObject({ lowResolution: { iterations: 3, globalSize: 32, localSize: 16 } });
  expect(straight.model.imageSize).toBe(48);
  const stop = new AbortController();
  const onRun = (event: RunEvent): void => {
    if (event.kind === "probe" && event.probe.iteration === 2) stop.abort();
  };
  await expect(pretrain(stopped, { ...choice, probeEvery: 2 }, { signal: stop.signal, onRun })).rejects.toThrow();
  const { run } = await resumePretraining(stopped, { device: "auto" });
  expect(run.device).toBe("cpu");
  expect(figuresOf(runMetrics(stopped.library.db, run.id))).toEqual(
    figuresOf(runMetrics(whole.library.db, straight.run.id)),
  );
});

test("a run whose model cannot be written has failed, says why, and goes on to its model when it can", async () => {
  const workplace = await filledWorkplace();
  const { db, folder } = workplace.library;
  const blocked = join(folder, "models", "blocked.safetensors");
  mkdirSync(join(blocked, "full"), { recursive: true });
  const choice = { ...tinyRun, iterations: 2, name: "blocked" };
  await expect(pretrain(workplace, choice)).rejects.toThrow();
  const [run] = listRuns(db, 1);
  expect(run).toMatchObject({ state: "failed", iteration: 2, modelId: null });
  expect(run?.problem?.message).toBeTruthy();
  rmSync(blocked, { recursive: true });
  const again = await resumePretraining(workplace, { device: "cpu" });
  expect([again.run.state, again.model.name]).toEqual(["done", "blocked"]);
});

test("the time of a run counts crops of either resolution, and a single iteration has one too", async () => {
  const workplace = await filledWorkplace();
  const choice = { ...tinyRun, globalSize: 64, sourceSize: 64, localSize: 32, crops: 6 };
  const time = async (more: object): Promise<number> =>
    (await estimateRun(workplace, { ...choice, ...more })).milliseconds;
  expect(await time({ iterations: 1 })).toBeGreaterThan(0);
  const measured: number[] = [];
  const noting: Workplace = {
    ...workplace,
    engine: {
      ...workplace.engine,
      call: async (method, request) => {
        if (method === "startTraining")
          measured.push("lowResolution" in (request as { settings: object }).settings ? 1 : 2);
        return workplace.engine.call(method, request);
      },
    },
  };
  await estimateRun(noting, { ...choice, iterations: 20, lowResolutionFirst: 0.5 });
  expect(measured).toEqual([1, 2]);
});

test("a checkpoint that was changed is refused", async () => {
  const workplace = await filledWorkplace();
  const { run } = await pretrain(workplace, { ...tinyRun, iterations: 1 });
  const file = join(workplace.library.folder, "models", "runs", `${run.id}.safetensors`);
  const copy = join(temporaryFolder(), "copy");
  cpSync(workplace.library.folder, copy, { recursive: true });
  writeFileSync(file, "nothing");
  const resume = (): Promise<unknown> => resumePretraining(workplace, { device: "cpu", runId: run.id, iterations: 2 });
  expect(await refusalOfAsync(resume)).toContain("safetensors-invalid: ");
  // What could not be extended is still what it was.
  expect({ ...runById(workplace.library.db, run.id), updatedAt: 0 }).toEqual({ ...run, updatedAt: 0 });
  const untouched = openLibrary(copy, { mode: "write" });
  try {
    const again = await resumePretraining(
      { library: untouched, engine },
      { device: "cpu", runId: run.id, iterations: 2 },
    );
    expect(again.run).toMatchObject({ state: "done", iteration: 2 });
  } finally {
    untouched.close();
  }
});
