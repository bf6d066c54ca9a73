import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PictureOutcome } from "../../core/engine/protocol.ts";
import type { Engine } from "../../core/engine/supervisor.ts";
import { embedImages } from "../../core/jobs/embed.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { pipeBatches, slices } from "../../core/jobs/pipeline.ts";
import { countImages, listImages } from "../../core/library/images.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { CoreError } from "../../core/util/errors.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { isAlive, leaveNothingBehind, until } from "../helpers/processes.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { addTinyModel, temporaryEngine, temporaryWorkplace } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

const patience = new AbortController().signal;
const crash = (): CoreError => new CoreError("engine-crashed", "The engine ended (SIGSEGV).");

/** An engine made of a function: dies when a request has one of the `killers`, and with it whatever else was asked. */
function fragile(killers: readonly number[]): {
  ask: (items: readonly number[]) => Promise<PictureOutcome<number>[]>;
  requests: number[][];
} {
  const requests: number[][] = [];
  let life = { crashes: [] as (() => void)[] };
  return {
    requests,
    ask: (items) =>
      new Promise((resolve, reject) => {
        requests.push([...items]);
        const mine = life;
        mine.crashes.push(() => reject(crash()));
        setTimeout(() => {
          if (items.some((item) => killers.includes(item))) {
            if (life === mine) life = { crashes: [] };
            for (const die of mine.crashes) die();
          }
          resolve(items.map((value) => ({ ok: true, value })));
        }, 1);
      }),
  };
}

/** Sends 0 … count - 1 through `ask` and returns what became of each: its number, or the code of its problem. */
async function pipe(
  count: number,
  ask: (items: readonly number[]) => Promise<readonly PictureOutcome<number>[]>,
  size = 4,
): Promise<(number | string)[]> {
  const results: (number | string)[] = [];
  const items = Array.from({ length: count }, (_, i) => i);
  await pipeBatches(
    slices(items, size),
    ask,
    (batch, outcomes) => {
      expect(batch[0]).toBe(results.length);
      results.push(...outcomes.map((outcome) => (outcome.ok ? outcome.value : outcome.problem.code)));
    },
    patience,
  );
  return results;
}

describe("batches", () => {
  test("come out in order, with one waiting in the engine while another is stored", async () => {
    let [running, most] = [0, 0];
    const results = await pipe(10, async (items) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, items[0] === 0 ? 20 : 1));
      running--;
      return items.map((value) => ({ ok: true, value }));
    });
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(most).toBe(2);
  });

  test.each([[[5]], [[0]], [[11]], [[3, 4]], [[0, 1]], [[1, 6, 9]], [[0, 2, 4, 6, 8, 10]]])(
    "name the pictures that kill the engine, %j, and no others",
    async (killers) => {
      const { ask } = fragile(killers);
      const expected = Array.from({ length: 12 }, (_, i) => (killers.includes(i) ? "picture-crashed" : i));
      expect(await pipe(12, ask)).toEqual(expected);
    },
  );

  test("are not asked about while single pictures are: nothing else can be blamed for a crash", async () => {
    const { ask, requests } = fragile([2]);
    let [alone, together] = [0, 0];
    await pipe(16, async (items) => {
      if (items.length > 1) together++;
      else alone++;
      if (items.length === 1) expect(together).toBe(0);
      try {
        return await ask(items);
      } finally {
        if (items.length > 1) together--;
        else alone--;
      }
    });
    expect(alone + together).toBe(0);
    expect(requests.filter((request) => request.length === 1 && request[0] === 2)).toHaveLength(2);
  });

  test("survive an engine that was ended from outside: nothing is blamed on a picture", async () => {
    let calls = 0;
    const results = await pipe(20, (items) =>
      ++calls === 3 ? Promise.reject(crash()) : Promise.resolve(items.map((value) => ({ ok: true, value }))),
    );
    expect(results).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test("give up where the engine dies of everything", async () => {
    let calls = 0;
    const refusal = await refusalOfAsync(() => pipe(1000, () => (calls++, Promise.reject(crash()))));
    expect(refusal).toBe("engine-crashed: The engine ended (SIGSEGV).");
    // The two batches that were on their way, three pictures twice, and one picture of the second batch that was begun
    // in the same moment; nothing goes on behind the caller's back.
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(calls).toBeLessThanOrEqual(9);
  });

  test("pass on any other error at once", async () => {
    let calls = 0;
    const broken = (): Promise<never> => (calls++, Promise.reject(new CoreError("model-file-invalid", "Torn.")));
    expect(await refusalOfAsync(() => pipe(100, broken))).toBe("model-file-invalid: Torn.");
    expect(calls).toBeLessThanOrEqual(2);
  });

  test("stop between two when they are told to, with everything stored that was answered", async () => {
    const controller = new AbortController();
    const stored: number[] = [];
    const stopped = pipeBatches(
      slices(
        Array.from({ length: 40 }, (_, i) => i),
        4,
      ),
      (items) => Promise.resolve(items.map((value) => ({ ok: true, value }))),
      (batch) => {
        stored.push(...batch);
        if (stored.length === 12) controller.abort(new Error("stop"));
      },
      controller.signal,
    );
    await expect(stopped).rejects.toThrow("stop");
    expect(stored).toHaveLength(12);
  });
});

/** A real engine that is killed whenever it is asked about a file whose name has `word` in it. */
function killedBy(word: string, engine: Engine): Engine & { deaths: number[] } {
  const deaths: number[] = [];
  return {
    deaths,
    get pid() {
      return engine.pid;
    },
    call: (method, request) => {
      const answer = engine.call(method, request);
      const { pid } = engine;
      if ("paths" in request && request.paths.some((path) => path.includes(word)) && pid !== undefined) {
        deaths.push(pid);
        process.kill(pid, "SIGKILL");
      }
      return answer;
    },
    close: () => engine.close(),
  };
}

test("a picture that kills a real engine is recorded, and the others are taken in and embedded", async () => {
  const engine = killedBy("017", temporaryEngine());
  const workplace = temporaryWorkplace(engine);
  const { library } = workplace;
  const folder = join(temporaryFolder(), "photos");
  await drawPictures(folder, 40, { seed: 1 });
  expect(await ingestFolder(workplace, folder)).toMatchObject({ added: 39, failed: 1 });
  expect(countImages(library.db)).toMatchObject({ ready: 39, problem: 1 });
  expect(listImages(library.db).find(({ problem }) => problem !== null)).toMatchObject({
    path: "017.jpg",
    problem: { code: "picture-crashed", message: "Decoding this picture ended the engine." },
  });
  // Once in its batch, twice by itself, each time another process; and none of them is left.
  expect(new Set(engine.deaths).size).toBe(3);
  await until(() => engine.deaths.every((pid) => !isAlive(pid)));

  // It is not tried again by itself, or three such pictures would end every later run.
  expect(await ingestFolder(workplace, folder)).toMatchObject({ unchanged: 40, failed: 0 });
  expect(engine.deaths).toHaveLength(3);

  const fussy = killedBy("023", engine);
  const model = await addTinyModel(library);
  const embedded = await embedImages({ library, engine: fussy }, model, { device: "cpu" });
  expect(embedded.embedded).toBe(38);
  expect(embedded.failed).toEqual([
    { path: join(folder, "023.jpg"), reason: "Decoding this picture ended the engine." },
  ]);
  expect(listJobs(library.db, 1)).toMatchObject([{ kind: "embed", state: "done" }]);
  expect(readFileSync(join(folder, "023.jpg")).length).toBeGreaterThan(0);
});
