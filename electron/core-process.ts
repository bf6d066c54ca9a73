/**
 * The core as main sees it: a plain Node process that is told its secret on stdin, says where it listens on stdout, and
 * is started again when it dies. It ends when its stdin does, so it never outlives main.
 */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { firstLine, type AllowMessage, type FirstLine, type StartMessage } from "../core/rpc/start.ts";

export interface CoreReady {
  readonly origin: string;
  readonly cookie: string;
  readonly token: string;
}

/** Why the core is not running, and what it said last. */
export interface CoreFailure {
  readonly reason: string;
  readonly logTail: string;
}

export interface CoreOptions {
  readonly node: string;
  readonly entry: string;
  readonly root: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Checked before every start; throws where something is wrong with the files. */
  readonly checkFiles: () => Promise<void>;
  readonly onReady: (ready: CoreReady) => void;
  /** It died and will be started again. */
  readonly onLost: () => void;
  /** It died too often, or cannot start; `start` tries again. */
  readonly onGivenUp: (failure: CoreFailure) => void;
  /** What it says on stderr, as it comes. */
  readonly onLog: (text: string) => void;
  /** Milliseconds until it must be ready. */
  readonly readyMs?: number;
  /** Milliseconds that it is given to end by itself. */
  readonly endMs?: number;
  /** Milliseconds to wait before each start in a row; after the last it is given up. */
  readonly delaysMs?: readonly number[];
}

export interface CoreProcess {
  /** Starts it for a library; ends the one that runs. */
  start(library: string): Promise<void>;
  /** Lets it use a folder or file that a person chose, also after it was started again. */
  allow(path: string): void;
  /** Ends it for good, by force where it does not end by itself. */
  stop(): Promise<void>;
  readonly pid: number | undefined;
}

// One death is mended at once; a core that dies again and again is given time between.
const defaultDelays = [100, 500, 1000, 2000, 4000];
/** Deaths within so many milliseconds count together. */
const window = 60_000;
/** Characters of its log that are kept to be shown. */
const logTailLength = 4000;

/** What the core needs from the environment: drivers, folders, languages and proxies. No options for Node or Electron. */
const passedVariables =
  /^(PATH|HOME|USER|LOGNAME|USERPROFILE|HOMEDRIVE|HOMEPATH|APPDATA|LOCALAPPDATA|PROGRAMDATA|SYSTEMROOT|SYSTEMDRIVE|WINDIR|TMPDIR|TEMP|TMP|TZ|LANG|LANGUAGE|LC_\w+|LD_LIBRARY_PATH|XDG_\w+|VK_\w+|CUDA_\w+|DISPLAY|WAYLAND_DISPLAY|HTTPS?_PROXY|NO_PROXY)$/i;

/** The part of an environment that the core gets. */
export function coreEnvironment(from: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(from).filter((pair): pair is [string, string] => {
      const [name, value] = pair;
      return value !== undefined && passedVariables.test(name);
    }),
  );
}

/** Prepares the core; `start` starts it. */
export function createCoreProcess(options: CoreOptions): CoreProcess {
  const { readyMs = 20_000, endMs = 5000, delaysMs = defaultDelays } = options;
  // One secret and one port for the life of main, so that a page finds the core again after it was started anew.
  const token = randomBytes(32).toString("hex");
  const allowed: string[] = [];
  let port: number | undefined;
  let library = "";
  let child: ChildProcessWithoutNullStreams | undefined;
  let retry: NodeJS.Timeout | undefined;
  let deaths: number[] = [];
  let logTail = "";
  /** Goes up with every wanted end: what an older process still says is of no interest. */
  let generation = 0;

  const giveUp = (reason: string): void => {
    generation++;
    options.onGivenUp({ reason, logTail: logTail.trim() });
  };

  const launch = async (): Promise<void> => {
    const mine = generation;
    try {
      await options.checkFiles();
    } catch (error) {
      if (mine === generation) giveUp(error instanceof Error ? error.message : String(error));
      return;
    }
    if (mine !== generation) return;
    const started = spawn(options.node, [options.entry], {
      cwd: options.root,
      env: coreEnvironment(options.environment),
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
    });
    child = started;
    logTail = "";
    // A core that died has no use for what was written to it; its exit tells.
    started.stdin.on("error", () => {});
    tell(started, { token, library, ...(port === undefined ? {} : { port }), allow: allowed });
    started.stderr.setEncoding("utf8").on("data", (text: string) => {
      logTail = (logTail + text).slice(-logTailLength);
      options.onLog(text);
    });
    const overdue = setTimeout(() => started.kill("SIGKILL"), readyMs);
    let first = true;
    createInterface({ input: started.stdout }).on("line", (line) => {
      if (!first || mine !== generation) return;
      first = false;
      clearTimeout(overdue);
      const said = parseFirstLine(line);
      if (said === null) {
        started.kill("SIGKILL");
      } else if (said.type === "error") {
        giveUp(said.hint === undefined ? said.message : `${said.message}\n${said.hint}`);
      } else {
        port = said.port;
        options.onReady({ origin: `http://127.0.0.1:${said.port}`, cookie: said.cookie, token });
      }
    });
    const gone = (how: string): void => {
      clearTimeout(overdue);
      if (child === started) child = undefined;
      if (mine !== generation) return;
      const now = Date.now();
      deaths = [...deaths.filter((time) => now - time < window), now];
      const delay = delaysMs[deaths.length - 1];
      if (delay === undefined) return giveUp(`Dinoscope's core ended ${deaths.length} times in a minute (${how}).`);
      options.onLost();
      retry = setTimeout(() => void launch(), delay);
    };
    started.once("error", (error) => gone(error.message));
    // Not 'exit': by now its log has been read to the end.
    started.once("close", (code, signal) => gone(signal ?? `exit code ${code}`));
  };

  const end = async (): Promise<void> => {
    generation++;
    clearTimeout(retry);
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const impatience = setTimeout(() => running.kill("SIGKILL"), endMs);
      running.once("close", () => {
        clearTimeout(impatience);
        resolve();
      });
      running.stdin.end();
    });
  };

  return {
    get pid() {
      return child?.pid;
    },
    start: async (folder) => {
      await end();
      library = folder;
      deaths = [];
      await launch();
    },
    allow: (path) => {
      if (allowed.includes(path)) return;
      allowed.push(path);
      if (child !== undefined) tell(child, { allow: [path] });
    },
    stop: end,
  };
}

function tell(child: ChildProcessWithoutNullStreams, message: StartMessage | AllowMessage): void {
  child.stdin.write(`${JSON.stringify(message)}\n`);
}

function parseFirstLine(line: string): FirstLine | null {
  try {
    return v.parse(firstLine, JSON.parse(line));
  } catch {
    return null;
  }
}
