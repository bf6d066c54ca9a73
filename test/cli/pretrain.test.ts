import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dinoscope, objectsOf } from "../helpers/command-line.ts";
import { drawLabelled, tinyFlags } from "../helpers/pretraining.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";

leaveNothingBehind();

const library = join(sharedFolder(), "library");
const sharedOut = sharedFolder();
const photos = join(sharedFolder(), "photos");
const run = (...parameters: string[]): ReturnType<typeof dinoscope> => dinoscope("--library", library, ...parameters);

test("pretrain tells every iteration, probe and checkpoint as JSON, and what came of it", async () => {
  expect((await run("add", await drawLabelled(photos), "--labels-from-folders")).code).toBe(0);
  const { code, stdout } = await run(
    "--json",
    "pretrain",
    ...tinyFlags,
    "--iterations",
    "5",
    "--probe-every",
    "5",
    "--name",
    "mine",
  );
  expect(code).toBe(0);
  const objects = objectsOf(stdout);
  const ofType = (type: string): Record<string, unknown>[] => objects.filter((object) => object["type"] === type);
  expect(ofType("metrics").map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3, 4]);
  expect(ofType("probe").map(({ iteration }) => iteration)).toEqual([0, 5]);
  expect(ofType("checkpoint").map(({ iteration }) => iteration)).toEqual([0, 5]);
  expect(ofType("pretrain")).toMatchObject([{ model: { name: "mine", trained: true }, run: { state: "done" } }]);
  expect(ofType("estimate")).toHaveLength(1);
});

test("runs are listed and shown, and can be exported and discarded", async () => {
  await run("pretrain", ...tinyFlags, "--iterations", "2", "--name", "other");
  expect((await run("runs", "list")).stdout).toMatch(/other\s+done\s+2 \/ 2/);
  const [newest] = objectsOf((await run("--json", "runs", "list")).stdout);
  const id = String(newest?.["id"]);
  const shown = await run("runs", "show", id);
  expect(shown.stdout).toContain("it is the model other");
  expect(
    objectsOf((await run("--json", "runs", "show", id)).stdout).filter(({ type }) => type === "metrics"),
  ).toHaveLength(2);
  const file = join(sharedOut, "full.safetensors");
  expect((await run("runs", "export", id, file)).stdout.trim()).toBe(file);
  expect(existsSync(file)).toBe(true);
  expect((await run("runs", "discard", id)).code).toBe(0);
  expect((await run("models", "list")).stdout).not.toContain("other");
  expect((await run("runs", "show", "999")).stderr).toContain("run-unknown");
});

test("an estimate names preset and time, and leaves no trace", async () => {
  const { code, stdout } = await run("pretrain", ...tinyFlags, "--estimate", "--epochs", "10");
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^Preset nano: width 24, 1 blocks, patch 8, crops 2 x 32 \+ 1 x 16 px, batch 4, 30 iterations/,
  );
  expect((await run("runs", "list")).stdout).not.toContain("/ 30");
  expect(stdout.replaceAll(/\s+/g, " ")).toContain(
    "14 pictures are few: training on them from scratch is an experiment",
  );
  const left = await run("pretrain", "--resume", "1", "--iterations", "25", "--estimate");
  expect(left.stdout).toMatch(/^What is left of run 1: width 24, .* batch 4, 20 iterations/);
  expect(left.stdout).not.toContain("experiment");
});

test("--minutes makes a run that fits", async () => {
  const { code, stdout } = await run(
    "--json",
    "pretrain",
    ...tinyFlags,
    "--minutes",
    "0.02",
    "--name",
    "quick",
    "--keep",
    "no",
  );
  expect(code).toBe(0);
  const done = objectsOf(stdout).find(({ type }) => type === "pretrain") as { run: { iterations: number } } | undefined;
  expect(done?.run.iterations).toBeGreaterThan(1);
  expect(objectsOf(stdout).some(({ type }) => type === "discarded")).toBe(true);
});

test("numbers out of range are refused with the reason, as is what a run that goes on cannot change", async () => {
  const wide = await run("pretrain", "--width", "9999");
  expect(wide.code).toBe(2);
  expect(wide.stderr).toContain("from 8 to 1,024");
  const changed = await run("pretrain", "--resume", "--lr", "0.001");
  expect(changed.code).toBe(2);
  expect(changed.stderr).toContain("keeps its settings");
});
