/**
 * Another process for the tests: opens the library named on the command line for writing, does what the second argument
 * says, prints "ready", and then waits to be killed.
 */
import { connectionOf } from "../../core/library/database.ts";
import { createJob, reportJob } from "../../core/library/jobs.ts";
import { openLibrary } from "../../core/library/open.ts";

const [folder = "", task = ""] = process.argv.slice(2);
const { db } = openLibrary(folder, { mode: "write", holder: "dinoscope embed --fast" });
if (task === "job") {
  reportJob(db, createJob(db, "embed", { modelId: 3 }).id, { phase: "embedding", done: 5, total: 9 }, 1234);
  createJob(db, "ingest", {});
}
if (task === "half-a-transaction") {
  connectionOf(db).exec("INSERT INTO sources (folder, created_at) VALUES ('/whole', 1)");
  connectionOf(db).exec("BEGIN");
  connectionOf(db).exec("INSERT INTO sources (folder, created_at) VALUES ('/half', 1)");
}
process.stdout.write("ready\n");
setInterval(() => undefined, 1000);
