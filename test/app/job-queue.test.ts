import { expect, test } from "vitest";
import { createJobQueue, type CheckedJob, type JobQueue, type JobWorkers } from "../../core/app/job-queue.ts";
import type { Watch } from "../../core/jobs/run.ts";
import { createJob, finishJob, jobById, pauseJob, startJob } from "../../core/library/jobs.ts";
import type { Library } from "../../core/library/open.ts";
import { CoreError } from "../../core/util/errors.ts";
import { errorOf, temporaryLibrary } from "../library/support.ts";

interface Bench {
  readonly library: Library;
  readonly queue: JobQueue;
  /** Work that was begun: ends it, or sees how it was asked. */
  readonly begun: { readonly name: string; readonly watch: Watch; end(error?: Error): void }[];
  readonly told: string[];
}

/** A queue whose embeddings are computed when the test says so. */
function bench(): Bench {
  const library = temporaryLibrary();
  const begun: Bench["begun"] = [];
  const told: string[] = [];
  const worker = (name: string) => (_: unknown, watch: Watch) =>
    new Promise<never>((resolve, reject) => {
      const id = watch.jobId ?? 0;
      startJob(library.db, id);
      const stop = (): void => {
        if (watch.isPause?.() === true) pauseJob(library.db, id);
        else finishJob(library.db, id, { state: "stopped" });
        reject(new Error("stopped"));
      };
      watch.signal?.addEventListener("abort", stop);
      begun.push({
        name,
        watch,
        end: (error) => {
          if (error === undefined) finishJob(library.db, id, { state: "done" });
          if (error === undefined) resolve({} as never);
          else reject(error);
        },
      });
    });
  const workers = { embed: worker("embed"), suggest: worker("suggest") } as unknown as JobWorkers;
  const queue = createJobQueue(library.db, workers, (view, moment) =>
    told.push(`${view.job.id} ${moment} ${view.job.state}`),
  );
  return { library, queue, begun, told };
}

const embed = { kind: "embed", parameters: {} } as CheckedJob;
const suggest = { kind: "suggest", parameters: { neighbours: 1, temperature: 1, threshold: 0 } } as CheckedJob;

/** Until what was asked for has been begun. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("one job of a kind runs at a time, the others wait in line; other kinds do not wait for it", async () => {
  const { queue, begun, told } = bench();
  const [first, second, third] = [queue.start(embed), queue.start(embed), queue.start(suggest)];
  await settled();
  expect(begun.map(({ name }) => name)).toEqual(["embed", "suggest"]);
  expect(queue.active().map(({ job }) => [job.id, job.state])).toEqual([
    [first.id, "running"],
    [third.id, "running"],
    [second.id, "queued"],
  ]);
  begun[0]?.end();
  await settled();
  expect(begun.map(({ watch }) => watch.jobId)).toEqual([first.id, third.id, second.id]);
  expect(told).toContain(`${first.id} ended done`);
  begun[1]?.end();
  begun[2]?.end();
  await settled();
  expect(queue.active()).toEqual([]);
});

test("a job that waits is stopped at once, one that runs when it notices; both can go on", async () => {
  const { queue, begun, library } = bench();
  const [first, second] = [queue.start(embed), queue.start(embed)];
  await settled();
  expect(queue.stop(second.id).state).toBe("stopped");
  expect(queue.stop(first.id).state).toBe("running");
  await settled();
  expect(jobById(library.db, first.id)?.state).toBe("stopped");
  queue.resume(second.id);
  expect(queue.resume(first.id).state).toBe("queued");
  expect(errorOf(() => queue.resume(first.id)).code).toBe("job-state");
  await settled();
  expect(begun.at(-1)?.watch.jobId).toBe(second.id);
  begun.at(-1)?.end();
  await settled();
  expect(begun.at(-1)?.watch.jobId).toBe(first.id);
  begun.at(-1)?.end();
});

test("a paused job lets others go ahead and goes on before those that wait", async () => {
  const { queue, begun } = bench();
  const [first, second, third] = [queue.start(embed), queue.start(embed), queue.start(embed)];
  await settled();
  expect(queue.pause(first.id).state).toBe("running");
  expect(queue.views(9).find(({ job }) => job.id === first.id)?.halting).toBe("pause");
  await settled();
  expect(queue.views(9).map(({ job, halting }) => [job.id, job.state, halting])).toEqual([
    [third.id, "queued", null],
    [second.id, "running", null],
    [first.id, "paused", null],
  ]);
  expect(queue.active().map(({ job }) => job.id)).toEqual([second.id, third.id]);
  expect(queue.resume(first.id).state).toBe("queued");
  begun.at(-1)?.end();
  await settled();
  expect(begun.at(-1)?.watch.jobId).toBe(first.id);
  await queue.close();
});

test("a job that waits is paused at once; a paused one can be stopped, and neither is paused twice", async () => {
  const { queue, library } = bench();
  const [first, second] = [queue.start(embed), queue.start(embed)];
  await settled();
  expect(queue.pause(second.id)).toMatchObject({ state: "paused", finishedAt: null });
  expect(errorOf(() => queue.pause(second.id)).message).toBe(`Job ${second.id} is paused and cannot be paused.`);
  expect(queue.stop(second.id).state).toBe("stopped");
  expect(errorOf(() => queue.stop(second.id)).code).toBe("job-state");
  queue.pause(first.id);
  // Somebody thinks better of it before the job has noticed.
  queue.stop(first.id);
  await settled();
  expect(jobById(library.db, first.id)?.state).toBe("stopped");
});

test("what would begin anew cannot be paused", async () => {
  const { queue } = bench();
  const { id } = queue.start(suggest);
  await settled();
  const error = errorOf(() => queue.pause(id));
  expect(error).toMatchObject({ code: "job-unpausable", hint: expect.stringContaining("Stop") as string });
  expect(queue.active()[0]?.halting).toBeNull();
  await queue.close();
});

test.each(["pause", "stop"] as const)(
  "the first that is heard after going on from a %s is that it runs",
  async (how) => {
    const { queue, told } = bench();
    const { id } = queue.start(embed);
    await settled();
    queue[how](id);
    await settled();
    const heard = told.length;
    expect(queue.resume(id).state).toBe("running");
    expect(told[heard]).toBe(`${id} begun running`);
    await queue.close();
  },
);

test("a paused job is still paused in the next core, however many came after it, and goes on there", async () => {
  const { queue, library } = bench();
  const [paused, other] = [queue.start(embed), queue.start(suggest)];
  await settled();
  queue.pause(paused.id);
  await queue.close();
  expect(jobById(library.db, other.id)?.state).toBe("stopped");
  for (let more = 0; more < 3; more++) finishJob(library.db, createJob(library.db, "map", {}).id, { state: "done" });
  const again: number[] = [];
  const embedder = (_: unknown, { jobId = 0 }: Watch): Promise<never> => {
    again.push(jobId);
    finishJob(library.db, jobId, { state: "done" });
    return Promise.resolve({} as never);
  };
  const next = createJobQueue(library.db, { embed: embedder } as unknown as JobWorkers, () => undefined);
  expect(next.views(2).map(({ job }) => job.state)).toEqual(["done", "done", "paused"]);
  next.resume(paused.id);
  await settled();
  expect(again).toEqual([paused.id]);
  expect(jobById(library.db, paused.id)?.state).toBe("done");
});

test("a job that fails before it began is kept with its reason", async () => {
  const { queue, begun, library } = bench();
  const { id } = queue.start(embed);
  await settled();
  begun[0]?.end(new CoreError("model-unknown", "There is no such model."));
  await settled();
  expect(jobById(library.db, id)).toMatchObject({ state: "failed", problem: { code: "model-unknown" } });
});

test("progress is told with every phase, and no more often than a few times a second within one", async () => {
  const { queue, begun, told } = bench();
  const { id } = queue.start(embed);
  await settled();
  const say = (phase: string, done: number): void =>
    begun[0]?.watch.onProgress?.({ phase, done, total: 100, perSecond: null, remainingMs: null });
  for (let done = 0; done < 100; done++) say("one", done);
  say("two", 0);
  expect(told.filter((line) => line === `${id} progress running`)).toHaveLength(2);
  expect(queue.active()[0]?.progress).toMatchObject({ phase: "two" });
  begun[0]?.end();
});

test("closing stops everything so that it can go on, and lets nothing new in", async () => {
  const { queue, library } = bench();
  const jobs = [queue.start(embed), queue.start(embed), queue.start(suggest)];
  await settled();
  await queue.close();
  expect(jobs.map(({ id }) => jobById(library.db, id)?.state)).toEqual(["stopped", "stopped", "stopped"]);
  expect(errorOf(() => queue.start(embed)).code).toBe("closing");
});

test("what the terminal started in its own words cannot go on from the page", () => {
  const { queue, library } = bench();
  const { id } = createJob(library.db, "embed", { modelId: 1, resize: 256 });
  startJob(library.db, id);
  finishJob(library.db, id, { state: "stopped" });
  expect(errorOf(() => queue.resume(id)).code).toBe("job-parameters");
});
