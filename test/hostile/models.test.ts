import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { expectUnharmed, markerIn, prepareHome, startCore, workIn, type Core } from "./core.ts";
import { hostileModels } from "./models.ts";

leaveNothingBehind();

/**
 * Megabytes. An engine holds onnxruntime and sharp, some 250 MB, and of a checkpoint its header or pickle (8 and 32 MB at
 * most, several times that as values) before anything in it is believed. None of these files gets further.
 */
const bounds = { core: 300, engine: 900 };

const home = sharedFolder();
let core: Core;
let work: ReturnType<typeof workIn>;
let rows: ReturnType<typeof hostileModels>;

beforeAll(async () => {
  await prepareHome(home);
  work = workIn(join(home, "library"));
  core = await startCore(home);
  rows = hostileModels(markerIn(home));
  mkdirSync(join(home, "models"));
  for (const [name, { make }] of Object.entries(rows)) make(join(home, "models", name));
});

afterAll(async () => {
  await core.close();
  expect(core.peak().core).toBeLessThan(bounds.core);
  expect(core.peak().engine).toBeLessThan(bounds.engine);
});

test("hostile checkpoints are refused as models, each with its code, and nothing of them is run or kept", async () => {
  const found: [string, string][] = [];
  for (const name of Object.keys(rows)) {
    found.push([name, await core.client.refusal("models.import", { path: join(home, "models", name) })]);
  }
  expect(Object.fromEntries(found)).toEqual(
    Object.fromEntries(Object.entries(rows).map(([name, { code }]) => [name, code])),
  );
  expect(readdirSync(join(core.library, "models"))).toEqual(["tiny.safetensors"]);
  await expectUnharmed(core, work);
});

test("the same files, and a backbone without a head, are refused as the start of a pretraining", async () => {
  copyFileSync(join(core.library, "models", "tiny.safetensors"), join(home, "models", "backbone.safetensors"));
  const found: [string, string | undefined][] = [];
  for (const name of [...Object.keys(rows), "backbone.safetensors"]) {
    const start = { kind: "checkpoint" as const, path: join(home, "models", name) };
    const { job } = await core.job({ kind: "pretrain", parameters: { start, preset: "nano", iterations: 1 } });
    found.push([name, job.problem?.code]);
  }
  expect(Object.fromEntries(found)).toEqual({
    ...Object.fromEntries(Object.entries(rows).map(([name, { start }]) => [name, start])),
    "backbone.safetensors": "checkpoint-part",
  });
  expect(readdirSync(join(core.library, "models"))).toEqual(["tiny.safetensors"]);
  await expectUnharmed(core, work);
});
