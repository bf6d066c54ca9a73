import { describe, expect, test } from "vitest";
import { connectionOf } from "../../core/library/database.ts";
import { deleteModel } from "../../core/library/models.ts";
import {
  deleteRunMetrics,
  insertRunMetrics,
  insertRunProbe,
  latestRunMetrics,
  runAttention,
  runMetrics,
  runProbes,
} from "../../core/library/run-metrics.ts";
import {
  completeRun,
  endRun,
  insertRun,
  listRuns,
  resumeRun,
  runById,
  runsOfModel,
  saveRun,
  stopAbandonedRuns,
} from "../../core/library/runs.ts";
import { openLibrary } from "../../core/library/open.ts";
import type { RunMetrics, RunSummary } from "../../core/rpc/records.ts";
import { addImages, addModel, errorOf, hashOf, temporaryLibrary } from "./support.ts";

const newRun = {
  name: "mine",
  device: "cpu",
  settings: { batch: 8, crops: { globalSize: 32 } },
  start: { kind: "random" },
  imageCount: 12,
  fingerprint: hashOf(3),
  iterations: 100,
} as const;

const scores = { selfRetrieval: 0.25, selfRetrievalCount: 12, accuracy: null, accuracyCount: 0 };
const since = { picturesSince: 0, labelsSince: 0 };
const summary: RunSummary = {
  before: scores,
  after: { ...scores, selfRetrieval: 0.75, accuracy: 0.5, accuracyCount: 8 },
  leftOut: 1,
  milliseconds: 1234.5,
};

function metricsAt(iteration: number): RunMetrics {
  return {
    iteration,
    loss: 6.9 - iteration / 1000,
    teacherEntropy: 6.5,
    divergence: 0.4,
    gradientNorm: 1.5,
    largestGradientNorm: 1,
    centreNorm: 0.1,
    clsDeviation: 0.07,
    prototypesUsed: 12,
    learningRate: 1e-4,
    weightDecay: 0.04,
    teacherMomentum: 0.99,
    teacherTemperature: 0.04,
    milliseconds: 12.5,
  };
}

describe("runs", () => {
  test("come back as they were written, through all their states", () => {
    const { db } = temporaryLibrary();
    const begun = insertRun(db, newRun, 5);
    expect(begun).toEqual({
      ...newRun,
      id: begun.id,
      state: "running",
      iteration: 0,
      checkpoint: null,
      modelId: null,
      summary: null,
      problem: null,
      createdAt: 5,
      updatedAt: 5,
    });
    expect(saveRun(db, begun.id, 40, "models/runs/1.safetensors")).toMatchObject({ iteration: 40 });
    const problem = { code: "engine-crashed", message: "The engine ended." };
    expect(endRun(db, begun.id, { state: "failed", problem })).toMatchObject({ state: "failed", problem });
    const settings = { batch: 8, iterations: 200 };
    const { device, imageCount, fingerprint } = newRun;
    expect(resumeRun(db, begun.id, { settings, iterations: 200, device, imageCount, fingerprint })).toMatchObject({
      state: "running",
      problem: null,
      settings,
      iteration: 40,
    });
    const { id } = addModel(db);
    expect(completeRun(db, begun.id, id, summary)).toMatchObject({ state: "done", modelId: id, summary });
    expect(runsOfModel(db, id)).toEqual([runById(db, begun.id)]);
    // The curves of a model that was discarded stay.
    deleteModel(db, id);
    expect(runById(db, begun.id)).toMatchObject({ state: "done", modelId: null, summary });
  });

  test("that start from something say from what", () => {
    const { db } = temporaryLibrary();
    const starts = [
      { kind: "model", name: "dino", hash: hashOf(1) },
      { kind: "checkpoint", file: "/tmp/full.safetensors" },
    ] as const;
    for (const start of starts) insertRun(db, { ...newRun, start });
    expect(listRuns(db, 10).map(({ start }) => start)).toEqual(starts.toReversed());
  });

  test("of a killed process are stopped when the library is opened again", () => {
    const library = temporaryLibrary();
    const { id } = insertRun(library.db, newRun);
    library.close();
    const again = openLibrary(library.folder, { mode: "write" });
    expect(runById(again.db, id)?.state).toBe("stopped");
    expect(stopAbandonedRuns(again.db)).toBe(0);
    again.close();
  });

  test("that are not there are named", () => {
    const { db } = temporaryLibrary();
    expect(errorOf(() => saveRun(db, 7, 1, "models/x")).code).toBe("run-unknown");
    expect(runById(db, 7)).toBeNull();
  });

  test("with damaged cells are refused", () => {
    const { db } = temporaryLibrary();
    const { id } = insertRun(db, newRun);
    const damage = (column: string, value: string): string => {
      const before = connectionOf(db).prepare(`SELECT ${column} FROM runs`).pluck().get();
      connectionOf(db).prepare(`UPDATE runs SET ${column} = ?`).run(value);
      const { code } = errorOf(() => runById(db, id));
      connectionOf(db).prepare(`UPDATE runs SET ${column} = ?`).run(before);
      return code;
    };
    expect(damage("settings", "[1]")).toBe("library-corrupt");
    expect(damage("start", '{"kind":"elsewhere"}')).toBe("library-corrupt");
    expect(damage("summary", '{"before":{}}')).toBe("library-corrupt");
    expect(damage("checkpoint", "../../secret")).toBe("library-corrupt");
    expect(damage("fingerprint", "x".repeat(64))).toBe("library-corrupt");
    expect(runById(db, id)).not.toBeNull();
  });
});

describe("curves", () => {
  test("are read back in order, whole, from an iteration on, and from the end", () => {
    const { db } = temporaryLibrary();
    const { id } = insertRun(db, newRun);
    insertRunMetrics(db, id, [0, 1, 2, 3, 4].map(metricsAt));
    expect(runMetrics(db, id)).toEqual([0, 1, 2, 3, 4].map(metricsAt));
    expect(runMetrics(db, id, { from: 2, limit: 2 })).toEqual([2, 3].map(metricsAt));
    expect(latestRunMetrics(db, id, 2)).toEqual([3, 4].map(metricsAt));
  });

  test("are cut where a run resumes, and probes with their attention too", () => {
    const { db } = temporaryLibrary();
    const [imageId = 0] = addImages(db, 1);
    const { id } = insertRun(db, newRun);
    insertRunMetrics(db, id, [0, 1, 2, 3].map(metricsAt));
    const attention = {
      heads: 2,
      rows: 1,
      columns: 2,
      scales: Float32Array.of(0.5, 0.25),
      data: Uint8Array.of(1, 2, 3, 4),
    };
    for (const iteration of [0, 2, 4]) {
      insertRunProbe(db, id, { iteration, ...scores, ...since, createdAt: 9 }, [
        { imageId, ...attention },
        { imageId: 999, ...attention },
      ]);
    }
    expect(runAttention(db, id, 2).map((row) => ({ ...row, data: new Uint8Array(row.data) }))).toEqual([
      { imageId, ...attention },
    ]);
    deleteRunMetrics(db, id, { metrics: 2, probes: 3 });
    expect(runMetrics(db, id).map(({ iteration }) => iteration)).toEqual([0, 1]);
    expect(runProbes(db, id)).toEqual([0, 2].map((iteration) => ({ iteration, ...scores, ...since, createdAt: 9 })));
    expect(runAttention(db, id, 4)).toEqual([]);
    expect(connectionOf(db).prepare("SELECT count(*) FROM run_attention").pluck().get()).toBe(2);
  });

  test("with a number that is none are refused as a whole", () => {
    const { db } = temporaryLibrary();
    const { id } = insertRun(db, newRun);
    expect(() => insertRunMetrics(db, id, [metricsAt(0), { ...metricsAt(1), loss: NaN }])).toThrow();
    expect(runMetrics(db, id)).toEqual([]);
  });
});
