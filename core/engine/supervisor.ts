import { fork, type ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { CoreError, errorFromRecord } from "../util/errors.ts";
import type { EngineMethod, EngineMethods, EngineRequest, EngineResponse } from "./protocol.ts";

/** The engine as the core sees it. */
export interface Engine {
  /**
   * Asks the engine. Calls may overlap. Throws `engine-crashed` when the process dies meanwhile; the next call starts a
   * fresh one. Throws `engine-closed` after `close`, so that no late call leaves a process behind.
   */
  call<Method extends EngineMethod>(
    method: Method,
    request: EngineMethods[Method]["request"],
  ): Promise<EngineMethods[Method]["result"]>;
  /** Process id while it runs: not before the first call, nor after it had nothing to do for long. */
  readonly pid: number | undefined;
  /** Ends the process for good; pending calls are refused. */
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  /** What it leaves in the process if it succeeds. */
  readonly leaves: string | null;
}

/** Characters of the engine's standard error that are kept for the error message. */
const logTail = 4000;

/** Variables that the engine needs: to find drivers and libraries, and where temporary files go. */
const passedVariables =
  /^(PATH|HOME|TMPDIR|TEMP|TMP|SYSTEMROOT|WINDIR|LANG|LC_ALL|LD_LIBRARY_PATH|XDG_RUNTIME_DIR|VK_.*|CUDA_.*|DISPLAY)$/i;

/**
 * glibc gives large blocks back at once, and a training step would have the same memory cleared for it page by page every
 * time: keeping up to 2 GiB of freed blocks takes a fifth to a quarter off a step. Other systems ignore this.
 */
export const glibcTunables = `glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=${2 ** 31}`;

/** Milliseconds without a call after which the process ends: what models and training took of the memory is free then. */
const usualIdleMs = 600_000;

/** Calls that leave something in the process for later ones, or drop it: by which part of the request it goes. */
const keeping: Partial<Record<EngineMethod, { readonly name: string; readonly keeps: boolean }>> = {
  loadBank: { name: "bank", keeps: true },
  dropBank: { name: "bank", keeps: false },
  startLayout: { name: "layout", keeps: true },
  dropLayout: { name: "layout", keeps: false },
  startTraining: { name: "training", keeps: true },
  endTraining: { name: "training", keeps: false },
};

/** Prepares an engine; its process starts with the first call. It ends when nothing was asked of it for `idleMs`. */
export function createEngine({ idleMs = usualIdleMs }: { readonly idleMs?: number } = {}): Engine {
  let child: ChildProcess | undefined;
  let log = "";
  let nextId = 1;
  let closed = false;
  let idle: NodeJS.Timeout | undefined;
  const pending = new Map<number, Pending>();
  /** What its process holds for callers. */
  const held = new Set<string>();

  const failAll = (error: CoreError): void => {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  };

  /** What a call leaves in the process, which is noted, as is what it drops. */
  const left = (method: EngineMethod, request: object): string | null => {
    const kind = keeping[method];
    if (kind === undefined) return null;
    const thing = `${kind.name} ${String((request as Readonly<Record<string, unknown>>)[kind.name])}`;
    if (kind.keeps) held.add(thing);
    else held.delete(thing);
    return kind.keeps ? thing : null;
  };

  const restLater = (): void => {
    clearTimeout(idle);
    if (pending.size > 0 || held.size > 0) return;
    idle = setTimeout(() => {
      const running = child;
      child = undefined;
      if (running !== undefined) void ended(running);
    }, idleMs).unref();
  };

  const start = (): ChildProcess => {
    log = "";
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => passedVariables.test(name)));
    // Decoding happens in these threads, one picture each; see defaultParallelism in core/image/setup.ts.
    env["UV_THREADPOOL_SIZE"] = String(Math.max(4, 3 * availableParallelism()));
    // Exact neighbours are proven by float32's error bound; TF32 would round a thousand times coarser.
    env["NVIDIA_TF32_OVERRIDE"] = "0";
    env["GLIBC_TUNABLES"] = glibcTunables;
    const started = fork(fileURLToPath(new URL("./main.ts", import.meta.url)), [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: ["--disable-warning=ExperimentalWarning"],
      env,
    });
    started.stderr?.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-logTail)));
    started.on("message", (message: EngineResponse) => {
      if (message.kind === "ready") return;
      const call = pending.get(message.id);
      pending.delete(message.id);
      if (message.kind === "error" && call?.leaves != null) held.delete(call.leaves);
      restLater();
      if (message.kind === "result") call?.resolve(message.result as never);
      else call?.reject(errorFromRecord(message.error));
    });
    const gone = (how: string): void => {
      if (child !== started) return;
      child = undefined;
      held.clear();
      // Of a JavaScript error the line that names it says most; a native crash has none, and its last line does.
      const lines = log.trim().split("\n");
      const tail = lines.findLast((line) => /^\S*Error\b/.test(line)) ?? lines.at(-1);
      failAll(new CoreError("engine-crashed", `The engine ended (${how})${tail ? `: ${tail}` : ""}.`));
    };
    started.on("error", (error) => {
      started.kill("SIGKILL");
      gone(error.message);
    });
    // Not 'exit': what the engine said last is on standard error, which has been read to its end only when this comes.
    started.on("close", (code, signal) => gone(signal ?? `exit code ${code}`));
    return started;
  };

  return {
    get pid() {
      return child?.pid;
    },
    call: (method, request) =>
      new Promise((resolve, reject) => {
        if (closed) throw closedError();
        clearTimeout(idle);
        child ??= start();
        const id = nextId++;
        pending.set(id, { resolve, reject, leaves: left(method, request) });
        const message: EngineRequest = { id, method, request };
        child.send(message, (error) => {
          // A channel that closed while sending: 'close' follows and rejects with the reason.
          const { code = "" } = (error ?? {}) as NodeJS.ErrnoException;
          if (error !== null && !/^(ERR_IPC|EPIPE)/.test(code) && pending.delete(id)) {
            reject(new CoreError("engine-crashed", `The engine could not be asked: ${error.message}`));
          }
        });
      }),
    close: async () => {
      closed = true;
      clearTimeout(idle);
      const running = child;
      if (running === undefined) return;
      child = undefined;
      failAll(closedError());
      await ended(running);
    },
  };
}

/** Ends a process, by force where it does not end by itself. */
async function ended(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    // session.run blocks its thread: an engine in the middle of one does not notice the closed channel.
    const impatience = setTimeout(() => running.kill("SIGKILL"), 2000);
    running.once("exit", () => {
      clearTimeout(impatience);
      resolve();
    });
    if (running.connected) running.disconnect();
  });
}

function closedError(): CoreError {
  return new CoreError("engine-closed", "The engine was closed.");
}
