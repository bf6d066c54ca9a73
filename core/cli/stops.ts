import { constants } from "node:os";
import { CoreError } from "../util/errors.ts";
import type { Output } from "./output.ts";

/** What may end a command before its work is done. */
export interface Stops {
  /** Aborted by the first Ctrl-C, by SIGTERM, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** The exit code that shells expect of a program that ended so; null while nothing has happened. */
  readonly exitCode: () => number | null;
  /** Whether the reader of standard output has gone, as `head` does. */
  readonly unread: () => boolean;
  /** Lets signals do again what they did before. */
  readonly end: () => void;
}

/** A Ctrl-C comes twice when a launcher passes on what the terminal has sent to us too. */
const samePressMs = 300;

/** 128 and the number of SIGPIPE, also on Windows, which has no such signal. */
const unreadExitCode = 141;

const signals = ["SIGINT", "SIGTERM"] as const;

/** Watches for signals and for a reader that goes away, until `end`. A second Ctrl-C ends the program at once. */
export function watchForStops(output: Output): Stops {
  const controller = new AbortController();
  const { signal } = controller;
  const stopped = new CoreError("stopped", "Stopped.", { hint: "Run the same command again to go on." });
  let exitCode: number | null = null;
  let unread = false;
  let pressedAt = 0;

  const onSignal = (name: NodeJS.Signals): void => {
    const now = Date.now();
    if (exitCode !== null && now - pressedAt > samePressMs) process.exit(exitCode);
    if (exitCode !== null) return;
    pressedAt = now;
    exitCode = 128 + constants.signals[name];
    output.settle();
    if (!output.json) process.stderr.write("Stopping; press Ctrl-C again to end at once.\n");
    controller.abort(stopped);
  };
  const onStreamError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE") throw error;
    unread = true;
    process.exitCode = exitCode = unreadExitCode;
    controller.abort(stopped);
  };
  for (const name of signals) process.on(name, onSignal);
  process.stdout.on("error", onStreamError);
  return {
    signal,
    exitCode: () => exitCode,
    unread: () => unread,
    // The stream keeps its listener: what was written last may fail after this.
    end: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
