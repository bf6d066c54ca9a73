/** Jobs that are killed, ended or stopped at any moment: the next run, or the same one, ends with the same rows. */
import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { embedImages } from "../../core/jobs/embed.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { findModel } from "../../core/jobs/models.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { openLibrary, type Library } from "../../core/library/open.ts";
import { createRandom } from "../../core/util/random.ts";
import { drawPictures } from "../helpers/pictures.ts";
import {
  childrenOf,
  isAlive,
  leaveNothingBehind,
  outputOf,
  runCommand,
  startCommand,
  until,
} from "../helpers/processes.ts";
import { contentsOf, expectSameContents, prepareLibrary, watchLibrary, type Contents } from "../helpers/workplace.ts";

leaveNothingBehind();

const pictureCount = 120;
const random = createRandom(20);

/** The two jobs: the command, the table that it fills, the library it starts from and what must be there at its end. */
interface Task {
  readonly parameters: readonly string[];
  readonly table: "images" | "embeddings";
  readonly start: string;
  readonly end: Contents;
  readonly run: (library: Library, engine: Engine) => Promise<unknown>;
}
const tasks = new Map<string, Task>();
let folder: string;
let copies = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kill-"));
  const photos = join(folder, "photos");
  await drawPictures(photos, pictureCount, { seed: 1, width: 320, height: 240 });
  const add: Task["run"] = (library, engine) => ingestFolder({ library, engine }, photos);
  const embed: Task["run"] = (library, engine) =>
    embedImages({ library, engine }, findModel(library.db, "tiny"), { device: "cpu" });

  // The uninterrupted runs.
  const empty = await prepareLibrary(join(folder, "empty"));
  const [filled, done] = [copyOf(empty), copyOf(empty)];
  await withLibrary(filled, add);
  await withLibrary(done, add);
  await withLibrary(done, embed);
  tasks.set("add", { parameters: ["add", photos], table: "images", start: empty, end: contentsOf(filled), run: add });
  const parameters = ["embed", "--model", "tiny", "--device", "cpu"];
  tasks.set("embed", { parameters, table: "embeddings", start: filled, end: contentsOf(done), run: embed });
});

function taskOf(name: string): Task {
  const task = tasks.get(name);
  if (task === undefined) throw new Error(`No task ${name}`);
  return task;
}

function copyOf(library: string): string {
  const copy = join(folder, `library-${copies++}`);
  cpSync(library, copy, { recursive: true });
  return copy;
}

async function withLibrary<Result>(
  at: string,
  work: (library: Library, engine: Engine) => Promise<Result>,
): Promise<Result> {
  const library = openLibrary(at, { mode: "write" });
  const engine = createEngine();
  try {
    return await work(library, engine);
  } finally {
    await engine.close();
    library.close();
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until a share of the rows is stored (of 0: until the job has begun), and a random moment longer. */
async function momentAfter(library: string, { table }: Task, share: number, spread: number): Promise<void> {
  const watch = watchLibrary(library);
  const jobs = watch.count("jobs");
  await until(() => (share === 0 ? watch.count("jobs") > jobs : watch.count(table) >= share * pictureCount));
  await pause(random.uniform(0, spread));
}

/** A job's states in a library, oldest first. */
function jobStates(at: string): string[] {
  const library = openLibrary(at, { mode: "read" });
  const jobs = listJobs(library.db, 10);
  library.close();
  return jobs.map(({ state }) => state).toReversed();
}

const shares = [0, 0, 0.25, 0.5, 0.75];

describe.each(["add", "embed"])("%s", (name) => {
  test("goes on after the core was killed, at five moments, as if nothing had happened", async () => {
    const task = taskOf(name);
    let cut = 0;
    for (const [i, share] of shares.entries()) {
      const at = copyOf(task.start);
      const before = jobStates(at).length;
      const begun = momentAfter(at, task, share, i === 0 ? 500 : 30);
      const { child, ended } = startCommand(at, ...task.parameters);
      await begun;
      const engines = childrenOf(child.pid ?? 0);
      child.kill("SIGKILL");
      await ended;
      await until(() => engines.every((pid) => !isAlive(pid)));
      // What was committed is whole; what was not is not there.
      const partial = contentsOf(at);
      if (partial.images.length < pictureCount || partial.vectors.size < task.end.vectors.size) cut++;
      await withLibrary(at, task.run);
      expectSameContents(contentsOf(at), task.end);
      expect(jobStates(at).slice(before + 1)).toEqual(["done"]);
    }
    // On a machine that is busy otherwise a moment may come too late; not all of them do.
    expect(cut).toBeGreaterThanOrEqual(2);
  });

  test("finishes in the same run when the engine is killed, at five moments", async () => {
    const task = taskOf(name);
    for (const [i, share] of shares.entries()) {
      const at = copyOf(task.start);
      await withLibrary(at, async (library, engine) => {
        const begun = momentAfter(at, task, share, i === 0 ? 500 : 30);
        const running = task.run(library, engine);
        await begun;
        if (engine.pid !== undefined) process.kill(engine.pid, "SIGKILL");
        await running;
      });
      expectSameContents(contentsOf(at), task.end);
      expect(jobStates(at).at(-1)).toBe("done");
    }
  });

  test("stops on Ctrl-C with exit code 130, says so in the library, and goes on the next time", async () => {
    const task = taskOf(name);
    const at = copyOf(task.start);
    const begun = momentAfter(at, task, 0.25, 0);
    const { child, ended } = startCommand(at, ...task.parameters);
    await begun;
    child.kill("SIGINT");
    const stopped = await ended;
    expect(stopped.code).toBe(130);
    expect(outputOf(stopped, "error")).toMatchObject({ code: "stopped", hint: "Run the same command again to go on." });
    expect(jobStates(at).at(-1)).toBe("stopped");
    expect(await runCommand(at, ...task.parameters)).toMatchObject({ code: 0 });
    expectSameContents(contentsOf(at), task.end);
    expect(jobStates(at).at(-1)).toBe("done");
  });
});
