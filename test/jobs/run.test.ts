import { expect, test } from "vitest";
import { runJob, type Watch, type Workplace } from "../../core/jobs/run.ts";
import { createJob, jobById } from "../../core/library/jobs.ts";
import type { Progress } from "../../core/rpc/api.ts";
import { temporaryLibrary } from "../library/support.ts";

/** Works off `left` things, and halts itself after `stopAfter` of them. */
function workOff(place: Workplace, jobId: number, left: number, stopAfter: number, isPause: boolean) {
  const halting = new AbortController();
  const said: Progress[] = [];
  const watch: Watch = {
    jobId,
    signal: halting.signal,
    isPause: () => isPause,
    onProgress: (progress) => said.push(progress),
  };
  const done = runJob(place, "embed", {}, watch, (job) => {
    const report = job.restPhase("looking", left);
    report(0);
    for (let at = 1; at <= left; at++) {
      report(at);
      if (at === stopAfter) halting.abort();
      job.signal.throwIfAborted();
    }
    return Promise.resolve();
  });
  return { done, said };
}

test.each([
  ["pause", true, "paused"],
  ["stop", false, "stopped"],
] as const)(
  "after a %s the library knows just how far a job came, and it counts on from there",
  async (_, is, state) => {
    const library = temporaryLibrary();
    // What runs here asks the engine for nothing.
    const place = { library } as unknown as Workplace;
    const { id } = createJob(library.db, "embed", {});
    await expect(workOff(place, id, 10, 4, is).done).rejects.toThrow();
    expect(jobById(library.db, id)).toMatchObject({ state, phase: "looking", done: 4, total: 10 });
    // What was done is stored, so that only six are left.
    const { done, said } = workOff(place, id, 6, 0, is);
    await done;
    expect(said[0]).toMatchObject({ done: 4, total: 10, remainingMs: null });
    expect(said.at(-1)).toMatchObject({ done: 10, total: 10 });
    expect(jobById(library.db, id)?.state).toBe("done");
  },
);

test("a job that goes on with more than there was begins a count of its own", async () => {
  const library = temporaryLibrary();
  const place = { library } as unknown as Workplace;
  const { id } = createJob(library.db, "embed", {});
  await expect(workOff(place, id, 3, 2, true).done).rejects.toThrow();
  const { done, said } = workOff(place, id, 8, 0, true);
  await done;
  expect(said[0]).toMatchObject({ done: 0, total: 8 });
});
