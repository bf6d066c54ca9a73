/** The command line in a process of its own, as people and scripts see it. */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** What a command wrote and how it ended. */
export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly result: Promise<Result>;
}

export interface Surroundings {
  readonly cwd?: string;
  /** Variables beside those of the tests. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** Starts a program; it is killed after the test at the latest. */
export function start(program: string, parameters: readonly string[], { cwd, variables }: Surroundings = {}): Running {
  const child = spawn(program, parameters, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...variables },
    ...(cwd === undefined ? {} : { cwd }),
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const result = new Promise<Result>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, result };
}

/** The command line's entry, as Node runs it. */
export const entry = fileURLToPath(new URL("../../core/cli.ts", import.meta.url));

/** Starts `dinoscope …`. */
export function startDinoscope(parameters: readonly string[], surroundings?: Surroundings): Running {
  return start(process.execPath, [entry, ...parameters], surroundings);
}

/** Runs `dinoscope …` to its end. */
export function dinoscope(...parameters: string[]): Promise<Result> {
  return startDinoscope(parameters).result;
}

/** The objects of JSON lines; throws where a line is none. */
export function objectsOf(text: string): Record<string, unknown>[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new Error(`The last line does not end: ${text.slice(-200)}`);
  return lines.map((line) => {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`No object: ${line}`);
    return value as Record<string, unknown>;
  });
}
