/** Child processes of tests: starting the command line, killing it, and finding what was left behind. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, onTestFinished } from "vitest";

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Objects that it wrote to standard output, one a line. */
  readonly output: readonly Readonly<Record<string, unknown>>[];
  readonly errors: string;
}

/** A command that runs. */
export interface Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts `dinoscope --json --library FOLDER …` in a process of its own, which is killed after the test at the latest. */
export function startCommand(library: string, ...parameters: string[]): Command {
  const entry = fileURLToPath(new URL("../../core/cli.ts", import.meta.url));
  const child = spawn(process.execPath, [entry, "--json", "--library", library, ...parameters], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let [text, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code, signal) => {
      // The last line of a process that was killed may be cut short.
      const lines = text.split("\n").slice(0, -1);
      const output = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      resolve({ code, signal, output, errors });
    });
  });
  return { child, ended };
}

/** Runs a command to its end. */
export function runCommand(library: string, ...parameters: string[]): Promise<Ended> {
  return startCommand(library, ...parameters).ended;
}

/** The object of a type that a command wrote, such as `ingest` or `error`; fails the test where there is none. */
export function outputOf(ended: Ended, type: string): Readonly<Record<string, unknown>> {
  const found = ended.output.find((line) => line["type"] === type);
  if (found === undefined) throw new Error(`No "${type}" came: ${JSON.stringify(ended)}`);
  return found;
}

/** Waits until `condition` holds; fails the test where it does not within `seconds`. */
export async function until(condition: () => boolean, seconds = 60): Promise<void> {
  const end = Date.now() + 1000 * seconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`Waited ${seconds} s in vain for ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Whether a process is there, and not only as an entry that its parent has not looked at yet. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Process ids of the children of a process (Linux). */
export function childrenOf(pid: number): number[] {
  return processes().filter((candidate) => {
    const status = readProcess(candidate, "status");
    return new RegExp(`^PPid:\\s+${pid}$`, "m").test(status);
  });
}

/** The environment of a process (Linux), name=value. */
export function environmentOf(pid: number): string[] {
  return readProcess(pid, "environ").split("\0").filter(Boolean);
}

function processes(): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It ended meanwhile.
    return "";
  }
}

/**
 * Once a test file: its temporary files, and those of the processes it starts, lie in a folder of their own; after its
 * tests none of these processes may be left. They are known by the folder's name in their environment (Linux).
 */
export function leaveNothingBehind(): void {
  const before = process.env["TMPDIR"];
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-test-"));
  process.env["TMPDIR"] = folder;
  afterAll(async () => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    const left = (): number[] => processes().filter((pid) => environmentOf(pid).includes(`TMPDIR=${folder}`));
    // An engine whose parent was killed a moment ago needs a moment, too.
    await until(() => left().length === 0, 5).catch(() => {});
    const found = left();
    for (const pid of found) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
    expect(found).toEqual([]);
  });
}
