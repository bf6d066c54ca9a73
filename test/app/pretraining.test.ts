import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openService, type Service } from "../../core/app.ts";
import type { MethodName, Params, Result } from "../../core/rpc/contract.ts";
import type { EventMessage } from "../../core/rpc/messages.ts";
import type { JobView } from "../../core/rpc/views.ts";
import { drawLabelled, tinyRun } from "../helpers/pretraining.ts";
import { temporaryFolder } from "../library/support.ts";

/** A service on fourteen labelled pictures, and how to call and follow it. */
async function trainable(): Promise<{
  service: Service;
  folder: string;
  call: <Name extends MethodName>(name: Name, params: Params<Name>) => Promise<Result<Name>>;
  finish: (request: Params<"jobs.start">) => Promise<JobView>;
  events: EventMessage[];
}> {
  const folder = temporaryFolder();
  const service = openService({ folder: join(folder, "library"), holder: "test", roots: [folder] });
  onTestFinished(() => service.close());
  const events: EventMessage[] = [];
  service.on((message) => events.push(message));
  const call = async <Name extends MethodName>(name: Name, params: Params<Name>): Promise<Result<Name>> =>
    (await service.call(name, params, { guest: false })) as Result<Name>;
  const finish = async (request: Params<"jobs.start">): Promise<JobView> => {
    const { id } = await call("jobs.start", request);
    return ended(service, events, id);
  };
  const photos = await drawLabelled(join(folder, "photos"));
  const added = await finish({ kind: "ingest", parameters: { folder: photos, labelsFromFolders: true } });
  expect(added.job.state).toBe("done");
  return { service, folder, call, finish, events };
}

/** Waits for the end of a job, whichever it is or the one that is wanted. */
function ended(service: Service, events: readonly EventMessage[], id: number, wanted?: "done"): Promise<JobView> {
  const isEnd = (message: EventMessage): boolean =>
    message.event === "job" &&
    message.data.job.id === id &&
    message.data.job.finishedAt !== null &&
    message.data.job.state === (wanted ?? message.data.job.state);
  return new Promise((resolve) => {
    const found = events.find(isEnd);
    if (found?.event === "job") resolve(found.data);
    const stop = service.on((message) => {
      if (message.event !== "job" || !isEnd(message)) return;
      stop();
      resolve(message.data);
    });
  });
}

const { freezeLastLayer, ...tiny } = tinyRun;

test("a run is trained as a job, told as it goes, looked at, and discarded", async () => {
  const { call, finish, events, folder } = await trainable();
  const { presets, recommended, imageCount, caution } = await call("runs.presets", {});
  expect(imageCount).toBe(14);
  expect(caution).toContain("14 pictures are few");
  expect(presets.map(({ name }) => name)).toContain(recommended);
  const works = presets.map(({ work, iterations, batch }) => work / (iterations * batch));
  expect(works).toEqual([...works].sort((a, b) => a - b));

  const { state } = (await finish({ kind: "pretrain", parameters: { ...tiny, freezeLastLayer, name: "mine" } })).job;
  expect(state).toBe("done");
  const told = events.flatMap((message) => (message.event === "run" ? [message.data] : []));
  expect(new Set(told.map(({ event }) => event.kind))).toEqual(
    new Set(
      ["begun", "note", "saved", "probe", "metrics", "estimate", "health"].filter((kind) =>
        told.some(({ event }) => event.kind === kind),
      ),
    ),
  );
  expect(told.every(({ runId }) => runId === 1)).toBe(true);
  expect(told.map(({ event }) => event)).toContainEqual({ kind: "note", sentence: caution });
  const measured = told.flatMap(({ event }) => (event.kind === "metrics" ? event.metrics : []));
  expect(measured.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3, 4, 5]);

  const [run] = await call("runs.list", {});
  expect(run).toMatchObject({ id: 1, name: "mine", state: "done", iterations: 6 });
  const view = await call("runs.get", { runId: 1, points: 3 });
  expect(view.probes.map(({ iteration }) => iteration)).toEqual([0, 3, 6]);
  // Three stretches of two iterations: the means of what was told.
  expect(view.curve.map(({ iteration }) => iteration)).toEqual([1, 3, 5]);
  const losses = measured.map(({ loss }) => loss);
  view.curve.forEach(({ loss }, i) => {
    expect(loss).toBeCloseTo(((losses[2 * i] ?? NaN) + (losses[2 * i + 1] ?? NaN)) / 2, 9);
  });

  const pictures = await call("runs.attention", { runId: 1, iteration: 6 });
  expect(pictures).toHaveLength(6);
  for (const { rows, columns, values } of pictures) {
    expect(values).toHaveLength(rows * columns);
    expect(Math.max(...values)).toBe(255);
  }
  expect(await call("runs.attention", { runId: 1, iteration: 5 })).toEqual([]);
  await expect(call("runs.attention", { runId: 2, iteration: 0 })).rejects.toMatchObject({ code: "run-unknown" });

  const file = await call("runs.export", { runId: 1, path: join(folder, "full.safetensors") });
  expect(existsSync(file)).toBe(true);
  await expect(call("runs.export", { runId: 1, path: file })).rejects.toMatchObject({ code: "export-exists" });
  await call("runs.discard", { runId: 1 });
  expect(await call("models.list", {})).toEqual([]);
  expect((await call("runs.get", { runId: 1 })).curve).toHaveLength(6);
});

test("a job that was stopped goes on with its run", async () => {
  const { call, events, service } = await trainable();
  const request = { ...tiny, freezeLastLayer, iterations: 250, probeEvery: 250 };
  const { id } = await call("jobs.start", { kind: "pretrain", parameters: request });
  await new Promise<void>((resolve) => {
    const stop = service.on((message) => {
      if (message.event !== "run" || message.data.event.kind !== "metrics") return;
      stop();
      resolve();
    });
  });
  await call("jobs.stop", { jobId: id });
  expect((await ended(service, events, id)).job.state).toBe("stopped");
  const [stopped] = await call("runs.list", {});
  expect(stopped).toMatchObject({ state: "stopped", iterations: 250 });
  events.length = 0;
  const again = await call("jobs.resume", { jobId: id });
  expect(again.parameters).toEqual({ runId: 1 });
  await ended(service, events, id, "done");
  const all = await call("runs.list", {});
  expect(all).toHaveLength(1);
  expect(all[0]).toMatchObject({ state: "done", iteration: 250 });
});

test("an option out of its range is refused with the reason, before anything begins", async () => {
  const { call } = await trainable();
  await expect(call("runs.estimate", { ...choice, learningRate: 5 })).rejects.toMatchObject({ code: "option-invalid" });
  const estimate = await call("runs.estimate", choice);
  expect(estimate).toMatchObject({ iterations: 6, imageCount: 14 });
  expect(await call("runs.list", {})).toEqual([]);
});

const { probeEvery: _, ...choice } = tinyRun;
