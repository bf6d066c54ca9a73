import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { openApp, type App } from "../app.ts";
import { CoreError } from "../util/errors.ts";
import { createOutput, type Output } from "./output.ts";

/** What every command gets beside its own options. */
export interface Context {
  readonly output: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly folder: string;
  /** The app on the library that --library names; opened at the first use. */
  readonly app: () => App;
  /** For jobs: stop signal and progress. */
  readonly watch: { readonly signal: AbortSignal; readonly onProgress: Output["progress"] };
}

/** Exit codes: 130 is what shells expect of a program that Ctrl-C ended. */
const exitFailed = 1;
const exitStopped = 130;

/** Options that stand before or behind any command. */
export interface GlobalOptions {
  readonly library: string;
  readonly json?: boolean;
}

/**
 * Runs a command's work with a context: opens what it needs, stops it cleanly on Ctrl-C, closes everything, and turns an
 * error into a message and an exit code.
 */
export async function run(command: Command, work: (context: Context) => Promise<void>): Promise<void> {
  const { library, json = false } = command.optsWithGlobals<GlobalOptions>();
  const output = createOutput(json);
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(exitStopped);
    output.settle();
    if (!json) process.stderr.write("Stopping; press Ctrl-C again to end at once.\n");
    controller.abort(new CoreError("stopped", "Stopped.", { hint: "Run the same command again to go on." }));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  let app: App | undefined;
  const folder = resolve(library);
  const { signal } = controller;
  try {
    await work({
      output,
      signal,
      folder,
      app: () => (app ??= openApp({ folder, holder: `dinoscope ${command.name()}` })),
      watch: { signal, onProgress: output.progress },
    });
  } catch (error) {
    process.exitCode = signal.aborted ? exitStopped : exitFailed;
    output.error(signal.aborted ? signal.reason : error);
  } finally {
    output.settle();
    await app?.close();
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

/** A parser for whole numbers in a range, for commander. */
export function whole(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`Wanted a whole number from ${low} to ${high}.`);
  };
}

/** A parser for numbers above `low` up to `high`, for commander. */
export function above(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (value > low && value <= high) return value;
    throw new InvalidArgumentError(`Wanted a number above ${low}, at most ${high}.`);
  };
}

/** Names that --device takes. */
export const deviceNames = ["auto", "cuda", "webgpu", "directml", "coreml", "cpu"] as const;

/** Cores, for reports. */
export const cores = availableParallelism();
