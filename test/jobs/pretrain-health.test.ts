/** Runs that collapse, or diverge, on purpose: what the method's own ablations say must happen is seen and said. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pretrain, resumePretraining, type NewPretraining } from "../../core/jobs/pretrain.ts";
import { listModels } from "../../core/library/models.ts";
import { listRuns } from "../../core/library/runs.ts";
import { latestRunMetrics } from "../../core/library/run-metrics.ts";
import { readTrainingFile, writeTrainingFile } from "../../core/weights/training-file.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { fillLibrary, tinyRun } from "../helpers/pretraining.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { temporaryLibrary } from "../library/support.ts";
import type { Workplace } from "../../core/jobs/run.ts";

leaveNothingBehind();

const engine = sharedEngine();

async function filledWorkplace(): Promise<Workplace> {
  const workplace = { library: temporaryLibrary(), engine };
  await fillLibrary(workplace);
  return workplace;
}

const longer: NewPretraining = { ...tinyRun, iterations: 600, probeEvery: 600, learningRate: 0.02 };

test("without a centre one answer takes over, and the advice is to leave it in (section 5.3 of the paper)", async () => {
  const workplace = await filledWorkplace();
  const { findings } = await pretrain(workplace, { ...longer, centring: false, teacherTemperature: 0.02 });
  expect(findings[0]).toMatchObject({ kind: "single-prototype-collapse", severity: "collapse" });
  expect(findings[0]?.advice).toContain("--no-centring");
});

test("with a teacher that is too warm all answers are alike, and the run stops where that was asked for", async () => {
  const workplace = await filledWorkplace();
  const { db } = workplace.library;
  const warm = { ...longer, teacherTemperature: 1, stopOnCollapse: true };
  expect(await refusalOfAsync(() => pretrain(workplace, warm))).toContain("training-collapsed");
  const [run] = listRuns(db, 1);
  expect(run).toMatchObject({ state: "failed", problem: { code: "training-collapsed" } });
  expect(run?.problem?.message).toContain("equally likely");
});

test("a loss that is no number ends the run with the checkpoint before, and no model", async () => {
  const workplace = await filledWorkplace();
  const { db, folder } = workplace.library;
  const { run } = await pretrain(workplace, { ...tinyRun, iterations: 2 });
  const path = join(folder, run.checkpoint ?? "");
  const { tensors, ...file } = await readTrainingFile(path);
  // Finite weights whose products are not.
  const wild = new Map(
    [...tensors].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => (name.endsWith("weight_g") ? value : value * 1e30)) },
    ]),
  );
  await writeTrainingFile(path, {
    ...file,
    tensors: new Map([...wild, ["centre", { shape: [1, 16], data: new Float32Array(16) }]]),
  });
  const before = readFileSync(path);
  const resume = (): Promise<unknown> =>
    resumePretraining(workplace, { device: "cpu", runId: run.id, iterations: 9, probeEvery: 50 });
  const error = await resume().catch((caught: unknown) => caught);
  expect(error).toMatchObject({
    code: "training-diverged",
    hint: expect.stringContaining(`--start ${path}`) as string,
  });
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(latestRunMetrics(db, run.id, 5).map(({ iteration }) => iteration)).toEqual([0, 1]);
  expect(listRuns(db, 1)[0]).toMatchObject({ state: "failed", problem: { code: "training-diverged" } });
  expect(listModels(db)).toHaveLength(1);
});
