import { describe, expect, test } from "vitest";
import Database from "better-sqlite3";
import { connectionOf, handleOf, type Writer } from "../../core/library/database.ts";
import { migrate, migrations } from "../../core/library/migrations/index.ts";
import {
  createJob,
  finishJob,
  jobById,
  listJobs,
  pausedJobs,
  pauseJob,
  reportJob,
  requeueJob,
  startJob,
  stopAbandonedJobs,
} from "../../core/library/jobs.ts";
import { errorOf, temporaryLibrary } from "./support.ts";

const problem = { code: "disk-full", message: "The disk is full." };
const progress = { phase: "embedding", done: 3, total: 9 };

describe("jobs", () => {
  test("wait, run, report and end", () => {
    const { db } = temporaryLibrary();
    const parameters = { folder: "/pictures", nested: [1, { a: null }] };
    const job = createJob(db, "ingest", parameters, 10);
    expect(job).toEqual({
      id: job.id,
      kind: "ingest",
      state: "queued",
      phase: "",
      done: 0,
      total: 0,
      parameters,
      problem: null,
      createdAt: 10,
      finishedAt: null,
    });
    expect(startJob(db, job.id)).toMatchObject({ state: "running" });
    expect(reportJob(db, job.id, progress)).toMatchObject({ state: "running", ...progress });
    expect(finishJob(db, job.id, { state: "done" }, 20)).toMatchObject({ state: "done", ...progress, finishedAt: 20 });
    expect(jobById(db, job.id)?.state).toBe("done");
    expect(jobById(db, 99)).toBeNull();
  });

  test("run as soon as they report", () => {
    const { db } = temporaryLibrary();
    const { id } = createJob(db, "embed", {});
    expect(reportJob(db, id, progress).state).toBe("running");
  });

  test("that failed keep their problem until they are started again", () => {
    const { db } = temporaryLibrary();
    const { id } = createJob(db, "embed", {});
    expect(finishJob(db, id, { state: "failed", problem }).problem).toEqual(problem);
    expect(startJob(db, id)).toMatchObject({ state: "running", problem: null, finishedAt: null });
  });

  test("cannot report or end twice", () => {
    const { db } = temporaryLibrary();
    const { id } = createJob(db, "embed", {});
    finishJob(db, id, { state: "done" });
    const error = errorOf(() => reportJob(db, id, progress));
    expect(error).toMatchObject({ code: "job-state", message: `Job ${id} is done and cannot be moved on.` });
    expect(errorOf(() => finishJob(db, id, { state: "stopped" })).code).toBe("job-state");
    expect(errorOf(() => startJob(db, id)).code).toBe("job-state");
    expect(errorOf(() => startJob(db, 99)).code).toBe("job-unknown");
  });

  test("are listed newest first", () => {
    const { db } = temporaryLibrary();
    const ids = [createJob(db, "embed", {}), createJob(db, "suggest", {}), createJob(db, "embed", {})].map(
      ({ id }) => id,
    );
    expect(listJobs(db, 2).map(({ id }) => id)).toEqual([ids[2], ids[1]]);
  });

  test("that failed say what to do about it, until they begin again", () => {
    const { db } = temporaryLibrary();
    const { id } = createJob(db, "embed", {});
    const problem = { code: "disk-full", message: "The disk is full.", hint: "Free some space." };
    finishJob(db, id, { state: "failed", problem });
    expect(listJobs(db, 1)).toMatchObject([{ state: "failed", problem }]);
    expect(requeueJob(db, id).problem).toBeNull();
    finishJob(db, id, { state: "failed", problem: { code: "internal", message: "No." } });
    expect(listJobs(db, 1)[0]?.problem).toEqual({ code: "internal", message: "No." });
  });

  test("that are paused have not ended, stay paused when a new writer comes, and are found among many", () => {
    const { db } = temporaryLibrary();
    const { id } = createJob(db, "embed", {}, 1);
    reportJob(db, id, progress, 2);
    expect(pauseJob(db, id, 3)).toMatchObject({ state: "paused", ...progress, finishedAt: null });
    expect(stopAbandonedJobs(db)).toBe(0);
    expect(errorOf(() => pauseJob(db, id)).code).toBe("job-state");
    createJob(db, "embed", {});
    expect(pausedJobs(db).map((job) => job.id)).toEqual([id]);
    // How far it came is shown until it says more.
    expect(requeueJob(db, id)).toMatchObject({ state: "queued", ...progress });
  });

  test("of a library from before there were pauses are all kept", () => {
    const connection = new Database(":memory:");
    migrate(
      connection,
      migrations.filter(({ version }) => version < 100),
    );
    const columns = "(id, kind, state, phase, done, total, parameters, created_at, heartbeat_at, finished_at)";
    connection.exec(`INSERT INTO jobs ${columns} VALUES (3, 'embed', 'stopped', 'embedding', 3, 9, '{}', 1, 2, 2)`);
    migrate(connection);
    const db = handleOf<Writer>(connection);
    expect(listJobs(db, 9)).toMatchObject([{ id: 3, kind: "embed", state: "stopped", ...progress, finishedAt: 2 }]);
    expect(createJob(db, "embed", {}).id).toBe(4);
  });

  test("that a killed process left are stopped at their last sign of life; others are left alone", () => {
    const { db } = temporaryLibrary();
    const [waiting, running, done] = [
      createJob(db, "embed", {}, 1),
      createJob(db, "embed", {}, 2),
      createJob(db, "embed", {}, 3),
    ];
    reportJob(db, running.id, progress, 70);
    finishJob(db, done.id, { state: "done" }, 80);
    expect(stopAbandonedJobs(db)).toBe(2);
    expect(listJobs(db, 3).map(({ state, finishedAt }) => [state, finishedAt])).toEqual([
      ["done", 80],
      ["stopped", 70],
      ["stopped", 1],
    ]);
    expect(jobById(db, waiting.id)?.problem).toBeNull();
    expect(stopAbandonedJobs(db)).toBe(0);
  });

  test.each(["parameters = '[]'", "parameters = 'null'", "done = -1", "kind = 'dance'", "problem_code = 'x'"])(
    "with damaged cells are reported: %s",
    (change) => {
      const { db } = temporaryLibrary();
      const { id } = createJob(db, "embed", {});
      connectionOf(db).pragma("ignore_check_constraints = ON");
      connectionOf(db).exec(`UPDATE jobs SET ${change}`);
      const error = errorOf(() => jobById(db, id));
      expect(error.code).toBe("library-corrupt");
      expect(error.message).toContain(`table jobs is damaged: in row ${id}`);
    },
  );
});
