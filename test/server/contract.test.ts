import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { expect, test } from "vitest";
import { contract } from "../../core/rpc/contract.ts";
import { jobParameters, jobRequest } from "../../core/rpc/job-parameters.ts";

/** Tests a device in a process of its own, which takes a minute; test/cli/doctor.test.ts holds what it does. */
const elsewhere = ["device.test"];

test("every method is called by a test of the server or the app", () => {
  const root = join(import.meta.dirname, "..");
  const texts = globSync("{server,app}/**/*.test.ts", { cwd: root }).map((file) =>
    readFileSync(join(root, file), "utf8"),
  );
  const missing = Object.keys(contract).filter((name) => !texts.some((text) => text.includes(`"${name}"`)));
  expect(missing.filter((name) => !elsewhere.includes(name))).toEqual([]);
});

test("every kind of job that has parameters can be asked for", () => {
  const kinds = jobRequest.options.map(({ entries }) => entries.kind.literal);
  expect(new Set(kinds)).toEqual(new Set(Object.keys(jobParameters)));
});

test("parameters are refused as soon as one is unknown, too long, or no whole id", () => {
  const bad: readonly [keyof typeof contract, unknown][] = [
    ["library.overview", { extra: 1 }],
    ["images.detail", { imageId: 1.5 }],
    ["images.detail", { imageId: "1" }],
    ["images.detail", { imageId: -1 }],
    ["images.detail", { imageId: 2 ** 53 }],
    ["labels.rename", { labelId: 1, name: "x".repeat(1001) }],
    ["labels.assign", { target: { ids: [1], filter: {} }, label: { labelId: 1 } }],
    ["jobs.start", { kind: "nothing", parameters: {} }],
    ["jobs.start", { kind: "embed", parameters: { device: "toaster" } }],
    ["history.undo", null],
  ];
  for (const [name, params] of bad) {
    expect(v.safeParse(contract[name].parameters, params).success, `${name} ${JSON.stringify(params)}`).toBe(false);
  }
});
