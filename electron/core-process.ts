/**
 * The core as main sees it: a plain Node process that is told its secret on stdin, says where it listens on stdout, and
 * is started again when it dies. It ends when its stdin does, so it never outlives main.
 */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { coreLine, type AllowMessage, type CoreLine, type StartMessage } from "../core/rpc/start.ts";

export interface CoreReady {
  readonly origin: string;
  readonly cookie: string;
  readonly token: string;
}

/** Why the core is not running, and what it said last. */
export interface CoreFailure {
  readonly reason: string;
  /** The code of the library's refusal; null where it is the core itself that does not run. */
  readonly code: string | null;
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
  /** Milliseconds until it must be ready, or say that it opens the library. */
  readonly readyMs?: number;
  /** Milliseconds that opening may take: a large library is brought up to date in one go, in which nothing is said. */
  readonly openMs?: number;
  /** Milliseconds without a sign of life after which one that was told to end is ended by force. */
  readonly endMs?: number;
  /** Milliseconds to wait before each start in a row; after the last it is given up. */
  readonly delaysMs?: readonly number[];
}

export interface CoreProcess {
  /** Starts it for a library, which it makes unless it must be there; ends the one that runs. */
  start(library: string, options?: { readonly mustExist?: boolean }): Promise<void>;
  /** Lets it use a folder or file that a person chose, also after it was started again. */
  allow(path: string): void;
  /** Ends it for good, by force where it does not end by itself. */
  stop(): Promise<void>;
  readonly pid: number | undefined;
}

// One death is mended at once; a core that dies again and again is given time between.
const defaultDelays = [100, 500, 1000, 2000, 4000];
/** Deaths of a core that had been ready count together within so many milliseconds. */
const window = 60_000;
/** Starts in a row that may run out of time: the second finds files that the first has read. */
const lateStarts = 2;
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
  const { readyMs = 20_000, openMs = 600_000, endMs = 90_000, delaysMs = defaultDelays } = options;
  const allowed: string[] = [];
  // One port for the life of main, so that a page finds the core again after it was started anew.
  let port: number | undefined;
  let library = "";
  let mustExist = false;
  let child: Patient | undefined;
  let retry: NodeJS.Timeout | undefined;
  let deaths: number[] = [];
  /** Starts that ran out of time since the core was last ready. */
  let late = 0;
  let logTail = "";
  /** Goes up with every wanted end: what an older process still says is of no interest. */
  let generation = 0;
  /** Goes up with every `start` and `stop`: one that waits for its turn is dropped when it is not the last wish. */
  let wish = 0;
  let turn = Promise.resolve();

  const giveUp = (reason: string, code: string | null = null): void => {
    generation++;
    clearTimeout(retry);
    options.onGivenUp({ reason, code, logTail: logTail.trim() });
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
    // A secret of its own: whoever takes the port of a core that died may be told the old one, and can do nothing with it.
    const token = randomBytes(32).toString("hex");
    const started = spawn(options.node, [options.entry], {
      cwd: options.root,
      env: coreEnvironment(options.environment),
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
    });
    const running = patient(started);
    child = running;
    logTail = "";
    // A core that died has no use for what was written to it; its exit tells.
    started.stdin.on("error", () => {});
    tell(started, { token, library, mustExist, ...(port === undefined ? {} : { port }), allow: allowed });
    started.stderr.setEncoding("utf8").on("data", (text: string) => {
      logTail = (logTail + text).slice(-logTailLength);
      options.onLog(text);
    });
    running.waitFor(readyMs);
    let answered = false;
    createInterface({ input: started.stdout }).on("line", (line) => {
      const said = parseLine(line);
      if (said?.type === "opening" && !answered) return running.waitFor(openMs);
      if (said?.type === "ending") return running.waitFor(endMs);
      if (answered || mine !== generation) return;
      answered = true;
      running.waitFor(null);
      if (said?.type === "ready") {
        ({ port } = said);
        late = 0;
        // What was there once is not made anew, empty.
        mustExist = true;
        options.onReady({ origin: `http://127.0.0.1:${said.port}`, cookie: said.cookie, token });
      } else if (said?.type === "error") {
        giveUp(said.hint === undefined ? said.message : `${said.message}\n${said.hint}`, said.code);
      } else {
        started.kill("SIGKILL");
      }
    });
    let isGone = false;
    const gone = (how: string): void => {
      // One that could not be started says so twice, by 'error' and by 'close'.
      if (isGone) return;
      isGone = true;
      const { ranOut } = running;
      running.waitFor(null);
      if (child === running) child = undefined;
      if (mine !== generation) return;
      if (ranOut && ++late >= lateStarts) return giveUp(`Dinoscope's core did not become ready in ${late} starts.`);
      const now = Date.now();
      // Of one that never was ready all count, however long each took.
      deaths = [...deaths.filter((time) => !answered || now - time < window), now];
      const delay = delaysMs[deaths.length - 1];
      const when = answered ? "in a minute" : "before it was ready";
      if (delay === undefined) return giveUp(`Dinoscope's core ended ${deaths.length} times ${when} (${how}).`);
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
    if (running === undefined) return;
    const { process: ending } = running;
    if (ending.exitCode !== null || ending.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      ending.once("close", () => resolve());
      running.waitFor(endMs);
      ending.stdin.end();
    });
  };

  /** One after the other: two starts at once would run two cores. */
  const inTurn = (act: (isWanted: () => boolean) => Promise<void>): Promise<void> => {
    const mine = ++wish;
    const acted = turn.then(() => act(() => mine === wish));
    turn = acted.catch(() => {});
    return acted;
  };

  return {
    get pid() {
      return child?.process.pid;
    },
    start: (folder, wanted = {}) =>
      inTurn(async (isWanted) => {
        await end();
        if (!isWanted()) return;
        library = folder;
        mustExist = wanted.mustExist === true;
        deaths = [];
        late = 0;
        await launch();
      }),
    allow: (path) => {
      if (allowed.includes(path)) return;
      allowed.push(path);
      if (child !== undefined) tell(child.process, { allow: [path] });
    },
    stop: () => inTurn(end),
  };
}

/** A process that is ended by force when it is not done in time. */
interface Patient {
  readonly process: ChildProcessWithoutNullStreams;
  /** Whether it was. */
  readonly ranOut: boolean;
  /** From now on so many milliseconds, or for ever. */
  waitFor(milliseconds: number | null): void;
}

function patient(process: ChildProcessWithoutNullStreams): Patient {
  let timer: NodeJS.Timeout | undefined;
  let ranOut = false;
  const stop = (): void => {
    ranOut = true;
    process.kill("SIGKILL");
  };
  process.once("close", () => clearTimeout(timer));
  return {
    process,
    get ranOut() {
      return ranOut;
    },
    waitFor: (milliseconds) => {
      clearTimeout(timer);
      timer = milliseconds === null ? undefined : setTimeout(stop, milliseconds);
    },
  };
}

function tell(child: ChildProcessWithoutNullStreams, message: StartMessage | AllowMessage): void {
  child.stdin.write(`${JSON.stringify(message)}\n`);
}

function parseLine(line: string): CoreLine | null {
  try {
    return v.parse(coreLine, JSON.parse(line));
  } catch {
    return null;
  }
}
