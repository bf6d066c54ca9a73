import { readFileSync } from "node:fs";
import { CommanderError, type Command } from "commander";
import { describe, expect, test } from "vitest";
import { createProgram, usageError } from "../../core/cli/program.ts";
import type { CoreError } from "../../core/util/errors.ts";
import { dinoscope, objectsOf, start, entry } from "../helpers/command-line.ts";

/** The program and everything below it, each with its full name. */
function commandsOf(command: Command, name = "dinoscope"): [name: string, command: Command][] {
  return [[name, command], ...command.commands.flatMap((inner) => commandsOf(inner, `${name} ${inner.name()}`))];
}

const commands = commandsOf(createProgram());

/** The help of a command, as `--help` writes it. */
function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return help;
}

describe("help", () => {
  test.each(commands)(
    "of `%s` says what it does, shows an example, and names --library and --json",
    (name, command) => {
      const help = helpOf(command);
      expect(command.description()).toMatch(/^.{10,}/);
      expect(help).toContain("\nExample:\n  dinoscope ");
      // The example is one of this command, or of one below it.
      expect(help.slice(help.indexOf("Example:"))).toContain(name);
      expect(help).toContain("--library <folder>");
      expect(help).toContain("--json");
    },
  );

  test("fits 80 columns where the text is ours", () => {
    for (const [name, command] of commands) {
      // commander breaks descriptions; the examples and lists below are written as they are.
      const written = helpOf(command).slice(helpOf(command).search(/\n(Example|Models):/));
      for (const line of written.split("\n")) expect(line.length, `${name}: ${line}`).toBeLessThanOrEqual(80);
    }
  });

  test("goes to standard output and is a success; so does the version", async () => {
    const help = await dinoscope("models", "import", "--help");
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/^Usage: dinoscope models import/);
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(await dinoscope("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("that nobody reads to its end ends quietly", async () => {
    const script = `'${process.execPath}' '${entry}' --help | head -1`;
    expect(await start("/bin/sh", ["-c", script]).result).toEqual({
      code: 0,
      stdout: "Usage: dinoscope [options] [command]\n",
      stderr: "",
    });
  });
});

describe("wrong usage", () => {
  /** What the parser says to parameters that are wrong. */
  async function refusal(parameters: readonly string[]): Promise<CoreError> {
    try {
      await createProgram().parseAsync(parameters, { from: "user" });
    } catch (error) {
      if (error instanceof CommanderError) return usageError(error);
      throw error;
    }
    throw new Error("Nothing was refused.");
  }

  test.each([
    [["embd"], "Unknown command 'embd'.", "Did you mean embed?"],
    [["embed", "--modle", "x"], "Unknown option '--modle'.", "Did you mean --model?"],
    [
      ["embed", "--size", "7"],
      "Option '--size <pixels>' argument '7' is invalid. Wanted a whole number from 8",
      "--help",
    ],
    [["suggest", "--threshold", "0"], "Wanted a number above 0, at most 1.", "--help"],
    [["search"], "Missing required argument 'image'.", "--help"],
    [["status", "now"], "Too many arguments", "--help"],
    [["models", "download", "nothing"], "Allowed choices are dino-vits16, dino-vits8,", "--help"],
    [["models", "download", "dino-vits16", "--sha256", "abc"], "Wanted 64 hexadecimal digits.", "--help"],
  ])("%j is told with what to do", async (parameters, message, hint) => {
    const { code, message: sentence, hint: found } = await refusal(parameters);
    expect(code).toBe("usage");
    expect(sentence).toContain(message);
    expect(sentence).toMatch(/^[A-Z].*\.$/);
    expect(found).toContain(hint);
  });

  test("ends with 2 and a sentence on standard error, or one object on standard output", async () => {
    const people = await dinoscope("embd");
    expect(people).toEqual({
      code: 2,
      stdout: "",
      stderr: "error (usage): Unknown command 'embd'.\n  Did you mean embed?\n",
    });
    const script = await dinoscope("embd", "--json");
    expect(script).toMatchObject({ code: 2, stderr: "" });
    expect(objectsOf(script.stdout)).toEqual([
      { type: "error", code: "usage", message: "Unknown command 'embd'.", hint: "Did you mean embed?" },
    ]);
  });

  test("an option that only the work can judge is one too", async () => {
    const { code, stderr } = await dinoscope("models", "export", "somewhere");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error \(option-invalid\): somewhere does not tell in which format to write.\n/);
  });

  test("without a command the help is shown", async () => {
    const people = await dinoscope("models");
    expect(people).toMatchObject({ code: 2, stdout: "" });
    expect(people.stderr).toMatch(/^Usage: dinoscope models/);
    expect(people.stderr).toMatch(/error \(usage\): Expected a command.\n$/);
    const script = await dinoscope("--json");
    expect(script.code).toBe(2);
    expect(objectsOf(script.stdout)).toEqual([{ type: "error", code: "usage", message: "Expected a command." }]);
  });
});
