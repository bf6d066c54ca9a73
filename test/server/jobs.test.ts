/** Jobs over the socket: what a page starts, another page stops, and a later start of the core goes on with. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openService } from "../../core/app.ts";
import { startServer } from "../../core/server/http.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { prepareLibrary } from "../helpers/workplace.ts";
import { clientsOf, makePage, serveLibrary, type Served } from "./support.ts";

const folder = sharedFolder();

test("a job is stopped by another page than the one that started it, and goes on to its end", async () => {
  const served = await serveLibrary(join(folder, "stop"), 0);
  const [starter, other] = [await served.connect(), await served.connect()];
  // One photo of each of the sample's products: seconds of drawing, a process of its own.
  const job = await starter.call("jobs.start", { kind: "ingest", parameters: { sample: { photosPerSku: 1 } } });
  expect(job).toMatchObject({ kind: "ingest", state: "queued" });
  const running = await other.event("job", ({ progress }) => progress !== null);
  expect(running).toMatchObject({ job: { id: job.id }, progress: { phase: "drawing the sample pictures" } });
  expect((await other.call("library.overview", {})).jobs.map((view) => view.job.id)).toEqual([job.id]);
  expect(await other.refusal("jobs.resume", { jobId: job.id })).toBe("job-state");
  await other.call("jobs.stop", { jobId: job.id });
  await starter.event("job", (view) => view.job.id === job.id && view.job.state === "stopped");
  const drawn = readdirSync(join(served.service.folder, "sample", "1-1", "photos")).length;
  expect((await starter.call("library.overview", {})).jobs).toEqual([]);
  expect(await starter.refusal("jobs.stop", { jobId: job.id })).toBe("job-state");
  expect(await starter.refusal("jobs.stop", { jobId: 999 })).toBe("job-unknown");

  const heard = other.events.length;
  expect(await starter.call("jobs.resume", { jobId: job.id })).toMatchObject({ id: job.id, state: "running" });
  const done = await other.event("job", (view) => view.job.id === job.id && view.job.state === "done");
  const photos = readdirSync(join(served.service.folder, "sample", "1-1", "photos")).length;
  expect(drawn).toBeLessThan(photos);
  expect(done.result).toMatchObject({ added: photos });
  expect(await other.call("jobs.list", {})).toMatchObject([
    { job: { id: job.id, state: "done" }, result: { added: photos } },
  ]);
  const later = other.events
    .slice(heard)
    .flatMap((message) => (message.event === "job" ? [message.data.job.state] : []));
  expect(later[0]).toBe("running");
  expect(later).not.toContain("stopped");
  // The grid filled up while it ran, and says so.
  expect(other.events.some(({ event, data }) => event === "changed" && data.kinds.includes("images"))).toBe(true);
});

test("a job that a core left behind goes on in the next one, as it was asked", async () => {
  const base = join(folder, "restart");
  const library = await prepareLibrary(join(base, "library"));
  await drawPictures(join(base, "photos"), 6, { seed: 9 });
  const open = async (): Promise<Served> => {
    const service = openService({ folder: library, holder: "dinoscope test", roots: [base] });
    return clientsOf(service, await startServer(service, { page: makePage(join(base, "page")) }));
  };
  const first = await open();
  const page = await first.connect();
  const gone = new Promise<number>((resolve) => page.socket.once("close", resolve));
  const parameters = { folder: join(base, "photos"), labelsFromFolders: true };
  const job = await page.call("jobs.start", { kind: "ingest", parameters });
  // Before it has begun: closing stops what waits, too.
  await first.server.close();
  await first.service.close();
  expect(await gone).toBe(1001);

  const second = await open();
  const later = await second.connect();
  const [view] = await later.call("jobs.list", { limit: 1 });
  expect(view?.job).toMatchObject({ id: job.id, kind: "ingest", parameters });
  if (view?.job.state === "stopped") {
    await later.call("jobs.resume", { jobId: job.id });
    await later.event("job", ({ job: { id, state } }) => id === job.id && state === "done");
  }
  expect((await later.call("library.overview", {})).images.total).toBe(6);
  await second.server.close();
  await second.service.close();
});

test("a paused job is told to every page, and is paused in the next core, where it goes on to its end", async () => {
  const base = join(folder, "pause");
  const library = await prepareLibrary(join(base, "library"));
  await drawPictures(join(base, "photos"), 40, { seed: 9 });
  const open = async (): Promise<Served> => {
    const service = openService({ folder: library, holder: "dinoscope test", roots: [base] });
    return clientsOf(service, await startServer(service, { page: makePage(join(base, "page")) }));
  };
  const first = await open();
  const [page, other] = [await first.connect(), await first.connect()];
  const job = await page.call("jobs.start", { kind: "ingest", parameters: { folder: join(base, "photos") } });
  expect(await page.refusal("jobs.pause", { jobId: 999 })).toBe("job-unknown");
  await other.event("job", ({ progress }) => (progress?.total ?? 0) > 0);
  await page.call("jobs.pause", { jobId: job.id });
  const paused = await other.event("job", ({ job: { id, state } }) => id === job.id && state === "paused");
  expect(paused).toMatchObject({ progress: null, halting: null, job: { total: 40, finishedAt: null } });
  expect((await other.call("library.overview", {})).jobs).toEqual([]);
  expect(await page.refusal("jobs.pause", { jobId: job.id })).toBe("job-state");
  await first.server.close();
  await first.service.close();

  const second = await open();
  const later = await second.connect();
  expect(await later.call("jobs.list", { limit: 1 })).toMatchObject([{ job: paused.job }]);
  await later.call("jobs.resume", { jobId: job.id });
  await later.event("job", ({ job: { id, state } }) => id === job.id && state === "done");
  expect((await later.call("library.overview", {})).images.total).toBe(40);
  await second.server.close();
  await second.service.close();
});

test("a job that cannot be done says why, and is no reason to stop serving", async () => {
  const served = await serveLibrary(join(folder, "fail"), 0);
  mkdirSync(join(folder, "fail", "photos"), { recursive: true });
  const page = await served.connect();
  for (const [request, code] of [
    [{ kind: "suggest", parameters: {} }, "labels-missing"],
    [{ kind: "cluster", parameters: { modelId: 99 } }, "model-unknown"],
    [{ kind: "download", parameters: { name: "no-such-model" } }, "model-unknown"],
    [{ kind: "import", parameters: { format: "nonsense", path: join(folder, "fail") } }, "option-invalid"],
    [{ kind: "ingest", parameters: { folder: join(folder, "fail", "none") } }, "path-missing"],
  ] as const) {
    const { id } = await page.call("jobs.start", request);
    const { job } = await page.event("job", (view) => view.job.id === id && view.job.finishedAt !== null);
    expect(job, request.kind).toMatchObject({ state: "failed", problem: { code } });
  }
  expect(await page.call("labels.list", {})).toMatchObject({ tree: [] });
});
