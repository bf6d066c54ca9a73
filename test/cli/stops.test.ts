import type { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createOutput } from "../../core/cli/output.ts";
import { watchForStops, type Stops } from "../../core/cli/stops.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { objectsOf, start, startDinoscope, entry, type Result } from "../helpers/command-line.ts";
import { serve } from "../helpers/download-server.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { prepareLibrary } from "../helpers/workplace.ts";
import { temporaryFolder, temporaryLibrary } from "../library/support.ts";

describe("a reader that goes away", () => {
  /** Runs a command whose standard output is closed after the first bytes of it. */
  function readOnce(...parameters: string[]): Promise<Result> {
    const { child, result } = startDinoscope(parameters);
    child.stdout?.once("data", () => child.stdout?.destroy());
    return result;
  }

  test.each([[[]], [["--json"]]])("ends a command quietly, with the code of SIGPIPE: %j", async (form) => {
    const library = temporaryLibrary();
    // More than the 64 KiB that a pipe holds, so that writing must fail.
    const names = Array.from({ length: 2000 }, (_, i) => [`${i} ${"x".repeat(100)}`]);
    createLabels(library.db, names);
    const { code, stderr } = await readOnce("labels", "list", "--library", library.folder, ...form);
    expect({ code, stderr }).toEqual({ code: 141, stderr: "" });
  });
});

describe("Ctrl-C", () => {
  /** Starts a download that never ends, and sends signals to it once it has begun. */
  async function stopped(signals: readonly NodeJS.Signals[], ...form: string[]): Promise<Result> {
    const folder = join(temporaryFolder(), "library");
    const server = await serve((_, response) => {
      response.writeHead(200, { "content-length": 10_000, etag: '"a"' });
      response.write("x".repeat(2000));
    });
    const parameters = ["models", "download", "dino-vits16", "--base-url", server.url, "--library", folder, ...form];
    const { child, result } = startDinoscope(parameters);
    const part = join(folder, "models", "downloads", "dino-vits16.pth.part");
    await vi.waitUntil(() => existsSync(part), { timeout: 20_000 });
    for (const signal of signals) child.kill(signal);
    return result;
  }

  test("stops a command cleanly and ends with 130, also when it comes twice at once", async () => {
    const { code, stdout, stderr } = await stopped(["SIGINT", "SIGINT"]);
    expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    expect(stderr).toBe(
      "Stopping; press Ctrl-C again to end at once.\nStopped.\n  Run the same command again to go on.\n",
    );
  });

  test("is an object for scripts; SIGTERM does the same with its own number", async () => {
    const { code, stdout, stderr } = await stopped(["SIGTERM"], "--json");
    expect({ code, stderr }).toEqual({ code: 143, stderr: "" });
    expect(objectsOf(stdout).at(-1)).toEqual({
      type: "error",
      code: "stopped",
      message: "Stopped.",
      hint: "Run the same command again to go on.",
    });
  });

  describe("pressed again", () => {
    let stops: Stops;
    const exit = vi.fn<(code: number) => void>();
    beforeEach(() => {
      vi.useFakeTimers();
      vi.spyOn(process, "exit").mockImplementation(exit as never);
      stops = watchForStops(createOutput(true, { stdout: { write: () => true }, stderr: { write: () => true } }));
    });
    afterEach(() => {
      stops.end();
      vi.restoreAllMocks();
      vi.useRealTimers();
      exit.mockClear();
    });
    const press = (): void => void (process as EventEmitter).emit("SIGINT", "SIGINT");

    test("within a blink it is the same press; later it ends the program", () => {
      press();
      expect(stops.signal.aborted).toBe(true);
      vi.advanceTimersByTime(200);
      press();
      expect(exit).not.toHaveBeenCalled();
      vi.advanceTimersByTime(200);
      press();
      expect(exit).toHaveBeenCalledExactlyOnceWith(130);
    });
  });
});

test.runIf(existsSync("/usr/bin/script"))("a terminal gets a progress line, and no JSON", async () => {
  const library = await prepareLibrary();
  const pictures = temporaryFolder();
  await drawPictures(pictures, 3, { seed: 1 });
  const command = [process.execPath, entry, "--library", library, "add", pictures].map((word) => `'${word}'`).join(" ");
  const { code, stdout } = await start("/usr/bin/script", ["--quiet", "--return", "--command", command, "/dev/null"])
    .result;
  expect(code).toBe(0);
  expect(stdout).toContain(`\r\u001b[2Kreading pictures  [${"#".repeat(24)}]  3 / 3`);
  expect(stdout).toContain(`${pictures}: 3 new; `);
});
