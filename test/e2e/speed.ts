/** What the speed benchmarks share: a large library, a core in a process of its own, and what the browser's trace says. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { makeLargeLibrary } from "../../bench/large-library.ts";
import { openBrowser } from "./support.ts";

const root = resolve(import.meta.dirname, "../..");

export interface SpeedOptions {
  readonly images: number;
  /** The library to look at; a new one where none was named, which `done` removes again. */
  readonly library: string;
  /** Folder of the built page; the usual one unless named. */
  readonly page: string | null;
  done(): void;
}

/** Options of the command line: `--images`, `--library` (made where it is not there, and kept) and `--page`. */
export async function speedOptions(usual: { readonly images: number }): Promise<SpeedOptions> {
  const { values } = parseArgs({
    options: { images: { type: "string" }, library: { type: "string" }, page: { type: "string" } },
  });
  const images = Number(values.images ?? usual.images);
  const temporary = values.library === undefined ? mkdtempSync(join(tmpdir(), "dinoscope-speed-")) : null;
  const library = values.library ?? join(temporary ?? "", "library");
  if (!existsSync(join(library, "library.sqlite"))) {
    // A million embeddings of the usual width would be 1.5 GB, and nothing here looks at them.
    await makeLargeLibrary(library, { images, ...(images > 200_000 ? { width: 8, suggestions: false } : {}) });
  }
  const [load = 0] = loadavg();
  console.log(
    `${values.library ?? `${images.toLocaleString("en")} images`}; the machine's load before: ${load.toFixed(1)}`,
  );
  return {
    images,
    library,
    page: values.page ?? null,
    done: () => temporary !== null && rmSync(temporary, { recursive: true, force: true }),
  };
}

/** A `dinoscope serve` that runs. */
export interface Served {
  readonly url: string;
  readonly process: ChildProcess;
  close(): Promise<void>;
}

export async function serve({ library, page }: Pick<SpeedOptions, "library" | "page">): Promise<Served> {
  const core = spawn(
    process.execPath,
    [
      ...[join(root, "core/cli.ts"), "--library", library, "--json", "serve", "--root", library],
      ...(page === null ? [] : ["--page", page]),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = new Promise<void>((resolve) => core.once("exit", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: core.stdout }).on("line", (line) => {
      const said = JSON.parse(line) as { url?: string };
      if (said.url !== undefined) resolve(said.url);
    });
    core.once("exit", () => reject(new Error("The core ended before it served.")));
  });
  return {
    url,
    process: core,
    close: async () => {
      core.kill("SIGINT");
      await ended;
    },
  };
}

/** An empty tab that notes when the first picture of the grid is painted, as the mark `first-picture` of its next page. */
export async function emptyTab(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.addInitScript(() => {
    const look = (): void => {
      const shown = [...document.querySelectorAll<HTMLImageElement>("[data-image] img")].some(
        (image) => image.complete && image.naturalWidth > 0,
      );
      // A frame later it is on the screen.
      requestAnimationFrame(shown ? () => performance.mark("first-picture") : look);
    };
    requestAnimationFrame(look);
  });
  return page;
}

/** Milliseconds from the start of the navigation to the first picture. */
export async function firstPictureMs(page: Page): Promise<number> {
  const mark = await page.waitForFunction(() => performance.getEntriesByName("first-picture")[0]?.startTime, null, {
    polling: 50,
  });
  return (await mark.jsonValue()) ?? NaN;
}

/** A browser whose own start is over. */
export async function calmBrowser(): Promise<Browser> {
  const browser = await openBrowser();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return browser;
}

/** What the page's main thread did while it was traced, in milliseconds. */
export interface Tasks {
  readonly wallMs: number;
  readonly over50: number;
  readonly longest: number;
  /** Processor time of the longest, which other programs on the machine do not add to. */
  readonly longestWork: number;
  /** Tasks with more than 50 ms of processor time. */
  readonly workOver50: number;
  /** The most script that ran in one task, collecting garbage among it. */
  readonly longestScript: number;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

const scripts = new Set(["FunctionCall", "EvaluateScript", "v8.callFunction", "v8.evaluateModule", "RunMicrotasks"]);
const collections = new Set(["MinorGC", "MajorGC"]);

/** Runs `work` under Chromium's trace. */
export async function traced(page: Page, work: () => Promise<void>): Promise<Tasks> {
  const browser = page.context().browser();
  if (browser === null) throw new Error("The page has no browser.");
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline", "v8"] });
  const start = performance.now();
  await work();
  const wallMs = performance.now() - start;
  await page.waitForTimeout(300);
  const buffer = await browser.stopTracing();
  return { wallMs, ...tasksOf((JSON.parse(buffer.toString("utf8")) as { traceEvents: TraceEvent[] }).traceEvents) };
}

function tasksOf(events: readonly TraceEvent[]): Omit<Tasks, "wallMs"> {
  const threadOf = ({ pid, tid }: TraceEvent): string => `${pid}.${tid}`;
  const mains = new Map(
    events.filter(({ args }) => args?.name === "CrRendererMain").map((event) => [threadOf(event), [] as TraceEvent[]]),
  );
  for (const event of events) if (event.ph === "X") mains.get(threadOf(event))?.push(event);
  // The page is the renderer with most to say; the others are those of empty tabs.
  const mine = [...mains.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  const sorted = mine.toSorted((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  const tasks: { wall: number; work: number; script: number }[] = [];
  let [taskEnd, scriptEnd] = [-Infinity, -Infinity];
  for (const { name, ts, dur = 0, tdur } of sorted) {
    if (name.endsWith("RunTask") && ts >= taskEnd) {
      tasks.push({ wall: dur / 1000, work: (tdur ?? dur) / 1000, script: 0 });
      taskEnd = ts + dur;
    }
    const task = tasks.at(-1);
    // What runs inside of another script is counted with it.
    if (task === undefined || ts < scriptEnd || ts >= taskEnd) continue;
    if (!scripts.has(name) && !collections.has(name)) continue;
    task.script += (tdur ?? dur) / 1000;
    scriptEnd = ts + dur;
  }
  const most = (of: (task: (typeof tasks)[number]) => number): number => Math.max(0, ...tasks.map(of));
  return {
    over50: tasks.filter(({ wall }) => wall > 50).length,
    longest: most(({ wall }) => wall),
    longestWork: most(({ work }) => work),
    workOver50: tasks.filter(({ work }) => work > 50).length,
    longestScript: most(({ script }) => script),
  };
}

/** Says what was traced on one line. */
export function tellTasks(name: string, tasks: Tasks): void {
  const { over50, longest, longestWork, workOver50, longestScript, wallMs } = tasks;
  console.log(
    `${name}: ${wallMs.toFixed(0)} ms; ${over50} tasks over 50 ms by the clock (longest ${longest.toFixed(0)}), ` +
      `${workOver50} by processor time (longest ${longestWork.toFixed(0)}, of script at most ${longestScript.toFixed(0)})`,
  );
}

/** Milliseconds in the page from a key to the frame after the one in which some element says `text`. */
export async function keyToFrame(page: Page, keys: string, where: string, text: string): Promise<number> {
  await page.evaluate(
    ([place, wanted]) => {
      const measured = globalThis as unknown as { measured: Promise<number> };
      measured.measured = new Promise((resolve) => {
        const pressed = (event: KeyboardEvent): void => {
          if (["Control", "Meta", "Shift"].includes(event.key)) return;
          removeEventListener("keydown", pressed, true);
          const look = (): void => {
            const found = [...document.querySelectorAll(place)].some((one) => one.textContent.includes(wanted));
            requestAnimationFrame(found ? () => resolve(performance.now() - event.timeStamp) : look);
          };
          look();
        };
        addEventListener("keydown", pressed, true);
      });
    },
    [where, text] as const,
  );
  await page.keyboard.press(keys);
  return page.evaluate(() => (globalThis as unknown as { measured: Promise<number> }).measured);
}

/** Resident memory in MB (10^6 bytes) of a process and all below it, by what each is. */
export function memoryBelow(pid: number): readonly { readonly name: string; readonly megabytes: number }[] {
  const parents = new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const parent = /PPid:\s+(\d+)/.exec(textOf(`/proc/${name}/status`))?.[1];
        return parent === undefined ? [] : [[Number(name), Number(parent)] as const];
      }),
  );
  const below = (of: number): number[] =>
    [...parents].flatMap(([child, parent]) => (parent === of ? [child, ...below(child)] : []));
  return [pid, ...below(pid)].map((one) => {
    // Chromium writes its processes' words with spaces between them.
    const line = textOf(`/proc/${one}/cmdline`).replaceAll("\0", " ");
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(textOf(`/proc/${one}/status`))?.[1] ?? 0);
    const name = /--type=([\w-]+)/.exec(line)?.[1] ?? /\S+\.[mj]?[jt]s(?= )/.exec(line)?.[0] ?? "browser";
    return { name: basename(name), megabytes: (kilobytes * 1024) / 1e6 };
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}
