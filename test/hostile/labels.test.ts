import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { expectUnharmed, prepareHome, startCore, workIn, type Core } from "./core.ts";
import { hostileLabels } from "./labels.ts";

leaveNothingBehind();

/**
 * Megabytes. A JSON file is read whole, 256 MB at most, and may have as many values as were measured to take 1 GB; label
 * files are streamed. The largest file here that is parsed has 30 MB.
 */
const bounds = { core: 500 };

const home = sharedFolder();
let core: Core;
let work: ReturnType<typeof workIn>;

beforeAll(async () => {
  await prepareHome(home);
  work = workIn(join(home, "library"));
  core = await startCore(home);
});

afterAll(async () => {
  await core.close();
  expect(core.peak().core).toBeLessThan(bounds.core);
});

test.each(Object.entries(hostileLabels()))("%s changes nothing", async (_name, { format, code, reason, make }) => {
  const folder = join(home, `set-${Math.random()}`);
  mkdirSync(folder);
  const { job, result } = await core.job({ kind: "import", parameters: { format, path: make(folder) } });
  expect(job.problem?.code).toBe(code);
  if (reason !== undefined) {
    const { labelled, operation, unmatched } = result as unknown as {
      readonly labelled: number;
      readonly operation: unknown;
      readonly unmatched: readonly { readonly reason: string }[];
    };
    expect({ labelled, operation, reason: unmatched[0]?.reason }).toEqual({
      labelled: 0,
      operation: null,
      reason: expect.stringMatching(reason) as string,
    });
  }
  await expectUnharmed(core, work);
});
