import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SampleMessage } from "../../core/sample/main.ts";

const entry = fileURLToPath(new URL("../../core/sample/main.ts", import.meta.url));
let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "dinoscope-sample-main-"));
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** Runs the process; `onLine` may act on it while it runs. */
async function runEntry(
  argument: string | undefined,
  onMessage: (message: SampleMessage, stop: () => void) => void = () => undefined,
): Promise<{ messages: SampleMessage[]; exitCode: number | null }> {
  const child = execFile(process.execPath, argument === undefined ? [entry] : [entry, argument]);
  const stop = (): void => {
    child.kill("SIGTERM");
  };
  const messages: SampleMessage[] = [];
  let rest = "";
  child.stdout?.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = JSON.parse(line) as SampleMessage;
      messages.push(message);
      onMessage(message, stop);
    }
  });
  const exitCode = await new Promise<number | null>((resolve) => child.on("close", resolve));
  expect(rest).toBe("");
  return { messages, exitCode };
}

test("the process reports progress a line at a time and ends with what there is", async () => {
  const folder = join(root, "whole");
  const { messages, exitCode } = await runEntry(JSON.stringify({ folder, seed: 3, photosPerSku: 1 }));
  expect(exitCode).toBe(0);
  expect(messages.slice(0, -1)).toEqual(
    Array.from({ length: 12 }, (_, index) => ({ kind: "progress", done: index + 1, total: 12 })),
  );
  expect(messages.at(-1)).toEqual({ kind: "done", photoCount: 12, skuCount: 12 });
  expect((await readdir(folder)).toSorted()).toEqual(["README.txt", "labels.csv", "masks", "photos"]);
});

test.each([undefined, "not JSON", "null", "[]", '{"folder":"x","seed":"1","photosPerSku":1}'])(
  "the argument %s fails with a code and writes nothing",
  async (argument) => {
    const { messages, exitCode } = await runEntry(argument);
    expect(exitCode).toBe(1);
    expect(messages).toMatchObject([{ kind: "failed", error: { code: "sample-options" } }]);
  },
);

// Windows has no SIGTERM that a process could catch: there it is killed, which the resume test of draw.test.ts covers.
test.skipIf(process.platform === "win32")("a termination signal stops it after the photo in hand", async () => {
  const folder = join(root, "stopped");
  const { messages, exitCode } = await runEntry(
    JSON.stringify({ folder, seed: 3, photosPerSku: 20 }),
    (message, stop) => {
      if (message.kind === "progress" && message.done === 2) stop();
    },
  );
  expect(exitCode).toBe(1);
  expect(messages.at(-1)).toMatchObject({ kind: "failed", error: { code: "sample-stopped" } });
  const names = await readdir(folder, { recursive: true });
  expect(names.filter((name) => name.endsWith(".partial"))).toEqual([]);
  expect(names).not.toContain("labels.csv");
});
