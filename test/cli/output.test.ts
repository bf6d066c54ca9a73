import { describe, expect, test, vi } from "vitest";
import { createOutput, progressLine, type Output } from "../../core/cli/output.ts";
import { CoreError } from "../../core/util/errors.ts";
import { objectsOf } from "../helpers/command-line.ts";

/** An output whose texts are kept. */
function kept(
  json: boolean,
  { tty = false, columns = 80 } = {},
): { output: Output; out: () => string; err: () => string } {
  let [out, err] = ["", ""];
  const output = createOutput(json, {
    stdout: { isTTY: tty, columns, write: (text: string) => (out += text) },
    stderr: { isTTY: tty, columns, write: (text: string) => (err += text) },
  });
  return { output, out: () => out, err: () => err };
}

const progress = { phase: "embedding on cpu", done: 1024, total: 5000, perSecond: 31.4, remainingMs: 128_000 };

describe("without --json", () => {
  test("results go to standard output, errors with code and hint beside them", () => {
    const { output, out, err } = kept(false);
    output.line("done");
    output.data("thing", { a: 1 });
    output.error(new CoreError("model-unknown", "There is no model x.", { hint: "Import one." }));
    expect(out()).toBe("done\n");
    expect(err()).toBe("error (model-unknown): There is no model x.\n  Import one.\n");
  });

  test("a stop is no error", () => {
    const { output, err } = kept(false);
    output.error(new CoreError("stopped", "Stopped.", { hint: "Run the same command again to go on." }));
    expect(err()).toBe("Stopped.\n  Run the same command again to go on.\n");
  });

  test("control characters never reach the terminal, wherever they come from", () => {
    const { output, out, err } = kept(false, { tty: true });
    const evil = "\u001b]0;title\u0007\n";
    output.line(evil);
    output.paragraph(evil);
    output.table([{ title: "name" }], [[evil]]);
    output.error(new CoreError("x", evil, { hint: evil }));
    output.progress({ ...progress, phase: evil });
    expect(`${out()}${err()}`.replaceAll("\r\u001b[2K", "")).not.toMatch(/[^\P{Cc}\n]/u);
    expect(out().split("\n")).toHaveLength(5);
  });

  test("on a terminal long texts are broken between words; in a pipe lines stay whole", () => {
    const text = "one two three four five six seven";
    const narrow = kept(false, { tty: true, columns: 20 });
    narrow.output.paragraph(text, 2);
    expect(narrow.out()).toBe("one two three four\n  five six seven\n");
    const piped = kept(false, { columns: 20 });
    piped.output.paragraph(text, 2);
    expect(piped.out()).toBe(`${text}\n`);
  });
});

describe("with --json", () => {
  test("everything is an object a line on standard output, errors and progress too", () => {
    const { output, out, err } = kept(true, { tty: true });
    output.line("for people");
    output.data("model", { name: "a\u009bb" });
    output.progress(progress);
    output.error(new Error("odd"));
    expect(objectsOf(out())).toEqual([
      { type: "model", name: "a\u009bb" },
      { type: "progress", ...progress },
      { type: "error", code: "internal", message: "odd" },
    ]);
    expect(err()).toBe("");
  });

  test("progress comes once a second at most, but always at the end and with a new phase", () => {
    vi.useFakeTimers();
    try {
      const { output, out } = kept(true);
      for (let done = 0; done <= 30; done++) {
        output.progress({ ...progress, done, total: 30 });
        vi.advanceTimersByTime(100);
      }
      output.progress({ ...progress, phase: "next", done: 0, total: 30 });
      expect(objectsOf(out()).map(({ phase, done }) => [phase, done])).toEqual([
        ["embedding on cpu", 0],
        ["embedding on cpu", 10],
        ["embedding on cpu", 20],
        ["embedding on cpu", 30],
        ["next", 0],
      ]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("the progress line", () => {
  test("is drawn on a terminal only, over itself, and ended before other text", () => {
    const live = kept(false, { tty: true });
    live.output.progress({ ...progress, done: 5000 });
    live.output.progress({ ...progress, done: 5000 });
    live.output.line("done");
    const drawn = `\r\u001b[2K${progressLine({ ...progress, done: 5000 }, 80)}`;
    expect(live.err()).toBe(`${drawn}${drawn}\n`);
    const piped = kept(false);
    piped.output.progress(progress);
    expect(piped.err()).toBe("");
  });

  test("says what, how far, how fast and how long", () => {
    expect(progressLine(progress, 100)).toBe(
      "embedding on cpu  [#####...................]  1,024 / 5,000  31/s  2 min 8 s left",
    );
    expect(progressLine({ ...progress, perSecond: null, remainingMs: null, done: 0 }, 100)).toBe(
      "embedding on cpu  [........................]  0 / 5,000",
    );
  });

  test("has no bar while the total is not known, and no time left at the end", () => {
    expect(progressLine({ ...progress, total: 0, remainingMs: null }, 80)).toBe("embedding on cpu  1,024  31/s");
    expect(progressLine({ ...progress, done: 5000, remainingMs: 0 }, 100)).not.toContain("left");
  });

  test("is always shorter than the terminal, so that it does not wrap", () => {
    for (let columns = 1; columns <= 120; columns++) {
      expect(progressLine(progress, columns).length, `${columns} columns`).toBeLessThan(columns);
    }
  });
});
