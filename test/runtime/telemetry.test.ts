import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { temporaryFolder } from "../library/support.ts";

const url = (path: string): string => JSON.stringify(new URL(`../../core/${path}`, import.meta.url).href);

const program = `
  import { createGraph } from ${url("graph/graph.ts")};
  import { multiply } from ${url("graph/ops/elementwise.ts")};
  import { input, scalar } from ${url("graph/value.ts")};
  import { createOrtRuntime } from ${url("runtime/ort.ts")};
  const out = multiply(input("x", [2]), scalar(2));
  const loaded = await createOrtRuntime("cpu").load(createGraph("double", { out }));
  await loaded.release();
`;

test("onnxruntime gathers nothing about its user: no device id, no database, no log is left anywhere", () => {
  const [home, temporary] = [temporaryFolder(), temporaryFolder()];
  // Only what a program needs: in particular nothing that would keep telemetry quiet by itself.
  const env = { PATH: process.env["PATH"], HOME: home, USERPROFILE: home, TMPDIR: temporary, TEMP: temporary };
  execFileSync(process.execPath, ["--input-type=module", "--eval", program], { env });
  expect(readdirSync(home)).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});
