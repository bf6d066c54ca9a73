/**
 * Entry of the core under the desktop program: it is told its secret and its library on stdin, serves the page on
 * 127.0.0.1, and ends when stdin does (core/rpc/start.ts). `dinoscope serve` is the same for people.
 */
import { createInterface } from "node:readline";
import * as v from "valibot";
import { openService } from "./app.ts";
import { allowMessage, startMessage, type CoreLine } from "./rpc/start.ts";
import { startServer, type Server, type ServeOptions } from "./server/http.ts";
import { CoreError, errorRecord } from "./util/errors.ts";

/** What was chosen in the system's dialogs; it may be used as well as the home folder. */
const allowed: string[] = [];
let stop: (() => Promise<void>) | undefined;

/** Says something; it has left this process when the promise is kept. */
function say(line: CoreLine): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${JSON.stringify(line)}\n`, () => resolve()));
}

async function start(line: string): Promise<void> {
  const { token, library, mustExist, port, allow } = v.parse(startMessage, JSON.parse(line));
  allowed.push(...allow);
  // Opening keeps this thread busy: nothing is written meanwhile.
  await say({ type: "opening" });
  const service = openService({ folder: library, holder: "Dinoscope", mustExist, allowed: () => allowed });
  const serve = (options: ServeOptions): Promise<Server> => startServer(service, { token, ...options });
  // Where an earlier core listened its page still asks; but somebody else may have taken the port since.
  const server = await serve({ port: port ?? 0 }).catch((error: unknown) => {
    if (error instanceof CoreError && error.code === "port-taken") return serve({});
    throw error;
  });
  stop = async () => {
    await server.close();
    await service.close();
  };
  await say({ type: "ready", port: server.port, cookie: server.cookieName });
}

/**
 * Milliseconds in which it must have ended: whoever started it may be gone, and then nobody else would end it. A training
 * on a slow machine comes to its next checkpoint in this time.
 */
const endMs = 300_000;
/** How often it says meanwhile that it is alive. */
const signMs = 2000;

let started: Promise<void> | undefined;
createInterface({ input: process.stdin })
  .on("line", (line) => {
    if (started !== undefined) {
      allowed.push(...v.parse(allowMessage, JSON.parse(line)).allow);
      return;
    }
    started = start(line).catch((error: unknown) => {
      const { code, message, hint } = errorRecord(error);
      void say({ type: "error", code, message, ...(hint === undefined ? {} : { hint }) });
      process.exitCode = 1;
      process.stdin.destroy();
    });
  })
  .on("close", () => {
    setTimeout(() => process.exit(1), endMs);
    setInterval(() => void say({ type: "ending" }), signMs);
    void (async () => {
      await started;
      await stop?.();
      process.exit();
    })();
  });
// Whoever started it may be gone and hear nothing.
process.stdout.on("error", () => {});
// Ctrl-C at a terminal reaches every process there; main decides when this one ends.
process.on("SIGINT", () => {});
