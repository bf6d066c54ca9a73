import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { findDamage } from "../../core/library/check.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { describeHolder, readHolder } from "../../core/library/lock.ts";
import { openLibrary } from "../../core/library/open.ts";
import { listSources } from "../../core/library/sources.ts";
import { errorOf, temporaryFolder, temporaryLibrary } from "./support.ts";

/** Starts another process that has the library open for writing. */
async function startHolder(folder: string, task = ""): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("child-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script, folder, task], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (output.includes("ready")) return child;
  }
  throw new Error(`The other process ended early: ${output}`);
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

describe("the writer's lock", () => {
  test("keeps a second process out and names the first", async () => {
    const folder = join(temporaryFolder(), "library");
    const child = await startHolder(folder);
    const error = errorOf(() => openLibrary(folder, { mode: "write" }));
    expect(error.code).toBe("library-locked");
    expect(error.message).toContain(`process ${child.pid}, \`dinoscope embed --fast\`, since `);
    expect(error.message).toMatch(/since \d\d:\d\d\.$/);
    expect(error.hint).toBeDefined();
    expect(readHolder(join(folder, "writer.json"))).toMatchObject({ pid: child.pid, host: hostname() });
  });

  test("lets readers in while a writer has the library", async () => {
    const folder = join(temporaryFolder(), "library");
    await startHolder(folder);
    const library = openLibrary(folder, { mode: "read" });
    expect(listSources(library.db)).toEqual([]);
    library.close();
  });

  test("is free as soon as the process that held it was killed", async () => {
    const folder = join(temporaryFolder(), "library");
    await kill(await startHolder(folder));
    // The killed process could not tidy up, and nobody minds.
    expect(existsSync(join(folder, "writer.json"))).toBe(true);
    const library = temporaryLibrary(folder);
    expect(readHolder(join(folder, "writer.json"))?.pid).toBe(process.pid);
    expect(findDamage(library.db)).toEqual([]);
  });

  test("keeps out a second writer of the same process, until the first is closed", () => {
    const folder = join(temporaryFolder(), "library");
    const first = temporaryLibrary(folder);
    expect(errorOf(() => openLibrary(folder, { mode: "write" })).code).toBe("library-locked");
    // The refusal must not have let go of the first one's lock on the way.
    expect(errorOf(() => openLibrary(folder, { mode: "write" })).code).toBe("library-locked");
    first.close();
    expect(existsSync(join(folder, "writer.json"))).toBe(false);
    temporaryLibrary(folder);
  });

  test("is let go of when opening fails", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "library.sqlite"), "this is no database, but it is long enough to look at".repeat(20));
    expect(errorOf(() => openLibrary(folder, { mode: "write" })).code).toBe("library-corrupt");
    expect(errorOf(() => openLibrary(folder, { mode: "write" })).code).toBe("library-corrupt");
  });
});

describe("a writer that was killed", () => {
  test("leaves whole transactions only", async () => {
    const folder = join(temporaryFolder(), "library");
    await kill(await startHolder(folder, "half-a-transaction"));
    const { db } = temporaryLibrary(folder);
    expect(listSources(db).map((source) => source.folder)).toEqual(["/whole"]);
    expect(findDamage(db)).toEqual([]);
  });

  test("has its jobs stopped when the next writer opens, at their last sign of life", async () => {
    const folder = join(temporaryFolder(), "library");
    await kill(await startHolder(folder, "job"));
    const { db } = temporaryLibrary(folder);
    expect(listJobs(db, 10).map(({ kind, state }) => [kind, state])).toEqual([
      ["ingest", "stopped"],
      ["embed", "stopped"],
    ]);
    expect(listJobs(db, 10)[1]).toMatchObject({
      done: 5,
      total: 9,
      parameters: { modelId: 3 },
      finishedAt: 1234,
    });
  });
});

describe("the holder's name", () => {
  const holder = { pid: 12, command: "dinoscope embed", host: "desk", since: new Date(2026, 1, 3, 14, 2).getTime() };

  test("gives the time of today, and the day of another day", () => {
    expect(describeHolder(holder, "desk", new Date(2026, 1, 3, 15, 0).getTime())).toBe(
      "process 12, `dinoscope embed`, since 14:02",
    );
    expect(describeHolder(holder, "desk", new Date(2026, 1, 4, 15, 0).getTime())).toContain("Feb 03 2026, 14:02");
  });

  test("gives the host where it is another one, and no control characters", () => {
    const other = { ...holder, command: "a\u001b[31mb\nc" };
    expect(describeHolder(other, "laptop", holder.since)).toBe("process 12 on desk, `a [31mb c`, since 14:02");
  });

  test.each(["", "{", "[]", '{"pid":"1"}', '{"pid":1,"command":"a","host":"b","since":1e99}', "x".repeat(100_000)])(
    "is not guessed from a file that makes no sense: %j",
    (text) => {
      const file = join(temporaryFolder(), "writer.json");
      writeFileSync(file, text);
      expect(readHolder(file)).toBeNull();
    },
  );
});
