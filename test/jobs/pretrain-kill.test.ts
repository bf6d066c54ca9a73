/** Pretraining that is killed, stopped, or meets a full disk: the checkpoint before is good, and resuming loses nothing. */
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openLibrary } from "../../core/library/open.ts";
import { runMetrics, runProbes } from "../../core/library/run-metrics.ts";
import { listRuns } from "../../core/library/runs.ts";
import type { Run, RunMetrics, RunProbe } from "../../core/rpc/records.ts";
import { readTrainingFile } from "../../core/weights/training-file.ts";
import { canMount, smallDisk } from "../helpers/disks.ts";
import { drawLabelled, figuresOf, tinyFlags } from "../helpers/pretraining.ts";
import {
  childrenOf,
  isAlive,
  leaveNothingBehind,
  outputOf,
  runCommand,
  startCommand,
  until,
} from "../helpers/processes.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

const iterations = ["--iterations", "400", "--probe-every", "150", "--save-iterations", "10"];

/** A library of drawn pictures, closed. */
async function filled(at = join(temporaryFolder(), "library")): Promise<string> {
  expect(await runCommand(at, "add", await drawLabelled(), "--labels-from-folders")).toMatchObject({ code: 0 });
  return at;
}

interface Left {
  readonly run: Run;
  readonly figures: Omit<RunMetrics, "milliseconds">[];
  readonly probes: Omit<RunProbe, "createdAt">[];
}

/** The newest run of a library, as it was left. */
function leftIn(at: string): Left {
  const library = openLibrary(at, { mode: "read" });
  try {
    const [run] = listRuns(library.db, 1);
    if (run === undefined) throw new Error("There is no run.");
    const probes = runProbes(library.db, run.id).map(({ createdAt: _, ...probe }) => probe);
    return { run, figures: figuresOf(runMetrics(library.db, run.id)), probes };
  } finally {
    library.close();
  }
}

/** Iterations that a library's newest run has noted, while another process writes it; 0 before the first. */
function watchMetrics(at: string): () => number {
  return () => {
    try {
      return leftIn(at).figures.length;
    } catch {
      return 0;
    }
  };
}

describe("a run whose core is", () => {
  test("killed at any moment goes on to the very same losses", async () => {
    const start = await filled();
    const [straight, killed] = [join(temporaryFolder(), "a"), join(temporaryFolder(), "b")];
    for (const copy of [straight, killed]) cpSync(start, copy, { recursive: true });
    const whole = await runCommand(straight, "pretrain", ...tinyFlags, ...iterations);
    expect(whole.code).toBe(0);

    const metrics = watchMetrics(killed);
    let command = ["pretrain", ...tinyFlags, ...iterations];
    for (const moment of [30, 200]) {
      const { child, ended } = startCommand(killed, ...command);
      await until(() => metrics() >= moment);
      const engines = childrenOf(child.pid ?? 0);
      child.kill("SIGKILL");
      await ended;
      await until(() => engines.every((pid) => !isAlive(pid)));
      command = ["pretrain", "--resume", "--device", "cpu", "--save-iterations", "10", "--probe-every", "150"];
    }
    expect(leftIn(killed).run.state).toBe("running");
    expect((await runCommand(killed, ...command)).code).toBe(0);
    const [expected, found] = [leftIn(straight), leftIn(killed)];
    expect(found.figures).toEqual(expected.figures);
    expect(found.probes).toEqual(expected.probes);
    expect(found.run).toMatchObject({ state: "done", iteration: 400 });
  });

  test("stopped by Ctrl-C has a checkpoint of where it was, and says how to go on", async () => {
    const at = await filled();
    const { child, ended } = startCommand(
      at,
      "pretrain",
      ...tinyFlags,
      "--iterations",
      "100000",
      "--probe-every",
      "100000",
    );
    const metrics = watchMetrics(at);
    await until(() => metrics() > 20);
    const asked = Date.now();
    child.kill("SIGINT");
    const stopped = await ended;
    expect(Date.now() - asked).toBeLessThan(5000);
    expect(stopped.code).toBe(130);
    expect(outputOf(stopped, "error")).toMatchObject({
      code: "stopped",
      hint: "`dinoscope pretrain --resume` goes on.",
    });
    const { run, figures } = leftIn(at);
    expect(run.state).toBe("stopped");
    expect(run.iteration).toBe(figures.length);
    const file = await readTrainingFile(join(at, run.checkpoint ?? ""));
    expect(file.iteration).toBe(run.iteration);
  });
});

describe.skipIf(!canMount)("a full disk", () => {
  test("fails the run with the last checkpoint whole, and with room again it goes on", async () => {
    const disk = smallDisk(12);
    const at = await filled(join(disk.folder, "library"));
    const { ended } = startCommand(
      at,
      "pretrain",
      ...tinyFlags,
      "--iterations",
      "1200",
      "--probe-every",
      "5000",
      "--save-iterations",
      "20",
    );
    const metrics = watchMetrics(at);
    await until(() => metrics() > 40);
    // A checkpoint has some 50 kB, beside the one that is there.
    disk.leave(20_000);
    const failed = await ended;
    expect(failed.code).toBe(1);
    expect(outputOf(failed, "error")).toMatchObject({ code: "disk-full" });
    disk.clear();
    const { run } = leftIn(at);
    const file = await readTrainingFile(join(at, run.checkpoint ?? ""));
    expect(file.iteration).toBeGreaterThanOrEqual(run.iteration);
    expect(existsSync(join(at, `${run.checkpoint ?? ""}.part`))).toBe(false);
    const resumed = await runCommand(at, "pretrain", "--resume", "--device", "cpu", "--probe-every", "5000");
    expect(resumed.code).toBe(0);
    expect(leftIn(at).run).toMatchObject({ state: "done", iteration: 1200 });
  });
});
