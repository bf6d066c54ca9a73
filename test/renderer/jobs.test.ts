import { beforeEach, describe, expect, test } from "vitest";
import type { Job } from "../../core/rpc/records.ts";
import type { JobView } from "../../core/rpc/views.ts";
import { libraryCommands } from "../../renderer/commands/library.ts";
import type { App } from "../../renderer/state/app.svelte.ts";
import { Commands } from "../../renderer/state/commands.svelte.ts";
import { Core } from "../../renderer/state/core.svelte.ts";
import { Jobs } from "../../renderer/state/jobs.svelte.ts";
import { Toasts } from "../../renderer/state/toasts.svelte.ts";
import { fakeCore, type FakeCore } from "./fake-core.ts";

function view(id: number, kind: Job["kind"], state: Job["state"], more: Partial<JobView> = {}): JobView {
  const isOver = state === "stopped" || state === "failed" || state === "done";
  return {
    job: {
      ...{ id, kind, state, phase: "embedding", done: 4, total: 10, parameters: {}, problem: null, createdAt: 1 },
      finishedAt: isOver ? 2 : null,
    },
    progress: null,
    halting: null,
    result: null,
    ...more,
  };
}

let fake: FakeCore;
let jobs: Jobs;
let toasts: Toasts;
let core: Core;
const idsOf = (views: readonly JobView[]): number[] => views.map(({ job }) => job.id);
const askedFor = (method: string): unknown[] =>
  fake.asked.filter((call) => call.method === method).map(({ params }) => params);

beforeEach(() => {
  fake = fakeCore();
  core = new Core(fake.client, new Toasts());
  toasts = new Toasts();
  jobs = new Jobs(core, toasts);
});

describe("the tray of jobs", () => {
  test("shows what is paused by itself, oldest first, and not among what has stopped", async () => {
    fake.answers["jobs.list"] = [view(5, "map", "running"), view(4, "masks", "paused"), view(2, "embed", "paused")];
    await jobs.load();
    expect([idsOf(jobs.active), idsOf(jobs.paused), idsOf(jobs.halted)]).toEqual([[5], [2, 4], []]);
    fake.say("job", view(2, "embed", "running"));
    expect([idsOf(jobs.active), idsOf(jobs.paused)]).toEqual([[2, 5], [4]]);
  });

  test("what was hidden is shown again once it went on and stopped again", async () => {
    fake.answers["jobs.list"] = [view(3, "embed", "stopped")];
    await jobs.load();
    jobs.hide(3);
    expect(idsOf(jobs.halted)).toEqual([]);
    await jobs.resume(3);
    fake.say("job", view(3, "embed", "running"));
    fake.say("job", view(3, "embed", "stopped"));
    expect(idsOf(jobs.halted)).toEqual([3]);
  });

  test("that a job failed is said until one of its kind has succeeded", () => {
    fake.say("job", view(1, "export", "failed"));
    fake.say("job", view(2, "masks", "failed"));
    fake.say("job", view(3, "export", "failed"));
    expect(toasts.list.map(({ message }) => message.split(".")[0])).toEqual([
      "Making masks failed",
      "Exporting failed",
    ]);
    fake.say("job", view(4, "export", "done"));
    expect(toasts.list.map(({ message }) => message.split(".")[0])).toEqual(["Making masks failed"]);
  });

  test("one key pauses all that can be paused, and then goes on with it in the order in which it was begun", async () => {
    fake.answers["jobs.list"] = [
      view(4, "suggest", "running"),
      view(3, "embed", "queued"),
      view(2, "embed", "running"),
      view(1, "map", "running", { halting: "pause" }),
    ];
    await jobs.load();
    const commands = new Commands<App>({ core, jobs } as unknown as App, libraryCommands);
    const stroke = { key: ".", ctrlKey: true, metaKey: false, altKey: false, shiftKey: false };
    expect(commands.press(stroke, false)).toBe(true);
    // A suggestion begins anew, and the map is being paused already.
    expect(askedFor("jobs.pause")).toEqual([{ jobId: 2 }, { jobId: 3 }]);
    fake.say("job", view(1, "map", "paused"));
    fake.say("job", view(2, "embed", "paused"));
    fake.say("job", view(3, "embed", "paused"));
    fake.say("job", view(4, "suggest", "done"));
    expect(commands.press(stroke, false)).toBe(true);
    await expect.poll(() => askedFor("jobs.resume")).toEqual([{ jobId: 3 }, { jobId: 2 }, { jobId: 1 }]);
  });
});

describe("whoever waits for a job", () => {
  test("is not told of a pause, and hears of an end that came while the core was away", async () => {
    fake.answers["jobs.start"] = view(7, "download", "queued").job;
    const waiting = jobs.finish({ kind: "download", parameters: { name: "small" } });
    let ended: JobView | undefined;
    void waiting.then((end) => (ended = end));
    await Promise.resolve();
    fake.say("job", view(7, "download", "running"));
    fake.say("job", view(7, "download", "paused"));
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(ended).toBeUndefined();
    fake.answers["jobs.list"] = [view(7, "download", "stopped")];
    await jobs.load();
    expect((await waiting)?.job.state).toBe("stopped");
  });
});
