/** A real core process, started as the desktop program starts it, that is handed hostile files, and what it must keep. */
import { createHash } from "node:crypto";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { annotate } from "../helpers/annotate.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { childrenOf } from "../helpers/processes.ts";
import { addTinyModel } from "../helpers/workplace.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { createEngine } from "../../core/engine/supervisor.ts";
import { connectionOf } from "../../core/library/database.ts";
import { imagesOfSource } from "../../core/library/images.ts";
import { correctMasks } from "../../core/library/masks.ts";
import { openLibrary } from "../../core/library/open.ts";
import { compressRuns, encodeRuns } from "../../core/masks/rle.ts";
import type { Params } from "../../core/rpc/contract.ts";
import type { JobView } from "../../core/rpc/views.ts";
import { connect, type Client } from "../server/support.ts";

const entry = fileURLToPath(new URL("../../core/main.ts", import.meta.url));
const token = "7".repeat(64);

/** Memory that processes had at most, in megabytes. */
export interface Peak {
  readonly core: number;
  /** Of all processes below the core, the one that had most. */
  readonly engine: number;
}

export interface Core {
  /** The home folder that it was started with: whatever is to be picked must lie here. */
  readonly home: string;
  readonly library: string;
  readonly pid: number;
  readonly client: Client;
  /** Starts a job and waits for its end, however it ends. */
  job(request: Params<"jobs.start">): Promise<JobView>;
  /** Searches by a picture that was dropped on the page; the code with which it is refused, or "taken". */
  search(picture: Uint8Array): Promise<string>;
  peak(): Peak;
  close(): Promise<void>;
}

/** How a core starts that is given a library folder: what it says first, but for that it opens it. */
export async function firstLine(
  home: string,
  library: string,
): Promise<{ line: Record<string, unknown>; child: ChildProcess }> {
  const temporary = join(home, ".tmp");
  mkdirSync(temporary, { recursive: true });
  const env = { PATH: process.env["PATH"], HOME: home, TMPDIR: temporary };
  const child = spawn(process.execPath, [entry], { env, stdio: ["pipe", "pipe", "ignore"] });
  afterAll(() => void child.kill("SIGKILL"));
  child.stdin.write(`${JSON.stringify({ token, library, allow: [] })}\n`);
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as Record<string, unknown>;
    if (said["type"] !== "opening") return { line: said, child };
  }
  throw new Error("The core ended without a word.");
}

/** Ends a core as the desktop program does; throws where it does not end by itself. */
export async function endCore(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.stdin?.end();
  await ended;
}

/** Starts a core in a home folder on `home`/library. */
export async function startCore(home: string): Promise<Core> {
  const library = join(home, "library");
  const { line, child } = await firstLine(home, library);
  if (line["type"] !== "ready" || child.pid === undefined) throw new Error(JSON.stringify(line));
  const { pid } = child;
  const port = Number(line["port"]);
  const origin = `http://127.0.0.1:${port}`;
  const cookie = `${String(line["cookie"])}=${token}`;
  const client = await connect({ port }, { cookie, origin });
  const peaks = new Map<number, number>();
  const look = (): void => {
    for (const id of [pid, ...childrenOf(pid)]) peaks.set(id, Math.max(peaks.get(id) ?? 0, peakOf(id)));
  };
  // The kernel keeps the peak; looking now and then is for processes that end meanwhile.
  const looking = setInterval(look, 100);
  return {
    home,
    library,
    pid,
    client,
    job: async (wanted) => {
      const { id } = await client.call("jobs.start", wanted);
      return client.event("job", ({ job }) => job.id === id && job.finishedAt !== null);
    },
    search: (picture) =>
      new Promise((resolve, reject) => {
        const sent = request(
          { host: "127.0.0.1", port, path: "/queries?model=1", method: "POST", headers: { cookie, origin } },
          (response) => {
            let text = "";
            response.setEncoding("utf8").on("data", (part: string) => (text += part));
            response.on("end", () => {
              const answer = JSON.parse(text) as { readonly code?: string };
              resolve(answer.code ?? "taken");
            });
          },
        );
        sent.on("error", reject);
        sent.end(picture);
      }),
    peak: () => {
      look();
      const engines = [...peaks].flatMap(([id, peak]) => (id === pid ? [] : [peak]));
      return { core: peaks.get(pid) ?? 0, engine: Math.max(0, ...engines) };
    },
    close: async () => {
      clearInterval(looking);
      client.socket.terminate();
      await endCore(child);
    },
  };
}

function peakOf(pid: number): number {
  try {
    const [, kilobytes = "0"] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kilobytes) / 1024;
  } catch {
    // It ended meanwhile.
    return 0;
  }
}

/** Size of the three pictures that the library of a test knows. */
export const pictureSize = { width: 64, height: 48 } as const;

/** A library in `home` with three pictures (`photos/000.jpg`, …), two of them labelled, a mask, and the tiny model. */
export async function prepareHome(home: string): Promise<void> {
  const photos = join(home, "photos");
  await drawPictures(photos, 3, { seed: 3, ...pictureSize });
  const library = openLibrary(join(home, "library"), { mode: "write" });
  const engine = createEngine();
  try {
    await addTinyModel(library);
    const { source } = await ingestFolder({ library, engine }, photos);
    const [first, second] = Array.from(imagesOfSource(library.db, source.id), ({ id }) => id);
    if (first === undefined || second === undefined) throw new Error("The pictures were not taken in.");
    annotate(library.db, [
      { imageId: first, label: ["Drinks", "Oat"] },
      { imageId: second, label: ["Drinks", "Soy"] },
    ]);
    const data = Uint8Array.from({ length: pictureSize.width * pictureSize.height }, (_, i) => (i % 7 === 0 ? 1 : 0));
    const runs = compressRuns(encodeRuns({ ...pictureSize, data }));
    correctMasks(library.db, [{ imageId: first, ...pictureSize, runs }], { kind: "correct-mask", summary: "a mask" });
  } finally {
    await engine.close();
    library.close();
  }
}

/** All that people did in a library, and what it knows of its first source: a digest of each table. */
export function workIn(library: string): Readonly<Record<string, string>> {
  const opened = openLibrary(library, { mode: "read" });
  const { db } = opened;
  try {
    const tables = ["labels", "annotations", "masks", "operations", "operation_changes", "models", "settings"];
    const queries = tables.map((table) => [table, `SELECT * FROM ${table} ORDER BY 1, 2`] as const);
    const images = "SELECT * FROM images WHERE source_id = 1 ORDER BY id";
    const digests: Record<string, string> = {};
    for (const [name, sql] of [...queries, ["images", images] as const]) {
      const rows: unknown[] = connectionOf(db).prepare(sql).all();
      const digest = createHash("sha256").update(JSON.stringify(rows)).digest("hex");
      digests[name] = `${rows.length} rows ${digest.slice(0, 16)}`;
    }
    return digests;
  } finally {
    opened.close();
  }
}

/** What became of the files of a folder that was added: a problem's code, or `ready`, by path. */
export function imagesIn(library: string, folder: string): ReadonlyMap<string, string> {
  const opened = openLibrary(library, { mode: "read" });
  const { db } = opened;
  try {
    const sql = `SELECT path, ifnull(problem_code, state) AS code FROM images
      JOIN sources ON sources.id = source_id WHERE folder = ? ORDER BY path`;
    const rows = connectionOf(db).prepare(sql).all(folder) as { path: string; code: string }[];
    return new Map(rows.map(({ path, code }) => [path, code]));
  } finally {
    opened.close();
  }
}

/** The file that a payload would make, were it run. */
export function markerIn(home: string): string {
  return join(home, "executed");
}

/** Expects a core to answer, its library to hold what it held, and nothing to have been run or left behind. */
export async function expectUnharmed(core: Core, work: ReturnType<typeof workIn>): Promise<void> {
  expect((await core.client.call("library.overview", {})).folder).toBe(core.library);
  expect(workIn(core.library)).toEqual(work);
  expect(existsSync(markerIn(core.home))).toBe(false);
  // Node keeps compiled code of ours there.
  expect(readdirSync(join(core.home, ".tmp")).filter((name) => name !== "node-compile-cache")).toEqual([]);
  const models = join(core.library, "models");
  expect(readdirSync(models).filter((name) => name.endsWith(".part"))).toEqual([]);
}
