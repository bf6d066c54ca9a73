import { resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { openApp, openViewer, type App, type Viewer } from "../app.ts";
import { errorRecord } from "../util/errors.ts";
import { createOutput, type Output } from "./output.ts";
import { watchForStops } from "./stops.ts";

/** What every command gets beside its own options. */
export interface Context {
  readonly output: Output;
  /** The library's folder that --library names. */
  readonly folder: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** The library that --library names, to read: works while another process writes it. Opened at the first use. */
  readonly viewer: () => Viewer;
  /** The same to write; with `create` it is made where there is none. */
  readonly app: (options?: { readonly create: boolean }) => App;
  /** For jobs: stop signal and progress. */
  readonly watch: { readonly signal: AbortSignal; readonly onProgress: Output["progress"] };
}

/** Exit codes of commands that failed. One that a signal stopped ends with 128 and the signal's number. */
export const exitCodes = { failed: 1, usage: 2 } as const;

/** Options that stand before or behind any command. */
interface GlobalOptions {
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
  const stops = watchForStops(output);
  const { signal } = stops;
  const folder = resolve(library);
  let viewer: Viewer | undefined;
  let app: App | undefined;
  try {
    await work({
      output,
      folder,
      signal,
      viewer: () => (viewer ??= openViewer(folder)),
      app: ({ create } = { create: false }) =>
        (app ??= openApp({ folder, holder: `dinoscope ${command.name()}`, mustExist: !create })),
      watch: { signal, onProgress: output.progress },
    });
  } catch (thrown) {
    // A command may say itself how to go on after a stop.
    const error: unknown = signal.aborted && errorRecord(thrown).code !== "stopped" ? signal.reason : thrown;
    process.exitCode = stops.exitCode() ?? exitCodeOf(error);
    if (!stops.unread()) output.error(error);
  } finally {
    output.settle();
    await viewer?.close();
    await app?.close();
    stops.end();
  }
}

/** An option that only the work itself could judge is a mistake of usage all the same. */
function exitCodeOf(error: unknown): number {
  return errorRecord(error).code === "option-invalid" ? exitCodes.usage : exitCodes.failed;
}

/** A parser for whole numbers in a range, for commander. */
export function whole(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= low && value <= high) return value;
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
