import { expect, test } from "vitest";
import { pretrain } from "../../core/jobs/pretrain.ts";
import { runMetrics } from "../../core/library/run-metrics.ts";
import { listRuns } from "../../core/library/runs.ts";
import type { RunEvent } from "../../core/rpc/api.ts";
import { fillLibrary, tinyRun } from "../helpers/pretraining.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { sharedEngine } from "../helpers/shared-engine.ts";
import { temporaryLibrary } from "../library/support.ts";

leaveNothingBehind();

const engine = sharedEngine();

test("a stop is heard in the midst of an iteration that takes seconds, which is then not taken", async () => {
  const workplace = { library: temporaryLibrary(), engine };
  await fillLibrary(workplace);
  const stop = new AbortController();
  // One picture at a time of fourteen: some hundred milliseconds each.
  const slow = { ...tinyRun, width: 192, depth: 8, globalSize: 160, sourceSize: 176, batch: 14, microBatch: 1 };
  const onRun = ({ kind }: RunEvent): void => {
    // The first look is what comes before the first iteration.
    if (kind === "probe") setTimeout(() => stop.abort(), 100);
  };
  await expect(pretrain(workplace, slow, { signal: stop.signal, onRun })).rejects.toThrow(/abort/);
  const { db } = workplace.library;
  const [run] = listRuns(db, 1);
  expect(run).toMatchObject({ state: "stopped", iteration: 0 });
  expect(runMetrics(db, run?.id ?? 0)).toEqual([]);
});
