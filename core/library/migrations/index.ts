import type { Database } from "better-sqlite3";
import { CoreError } from "../../util/errors.ts";
import { initial } from "./0010-initial.ts";
import { masks } from "./0020-masks.ts";
import { clusters } from "./0030-clusters.ts";
import { map } from "./0040-map.ts";
import { checks } from "./0050-checks.ts";
import { runs } from "./0060-runs.ts";
import { foreground } from "./0070-foreground.ts";
import { app } from "./0080-app.ts";
import { suggestionColumns } from "./0090-suggestion-columns.ts";
import { pausedJobs } from "./0100-paused-jobs.ts";
import { clusterOperations } from "./0110-cluster-operations.ts";
import { jobHints } from "./0120-job-hints.ts";
import { probeSets } from "./0130-probe-sets.ts";

/**
 * One step of the schema. A migration is never edited once released: a new one follows it. One that changes the columns
 * of `labels` or `annotations` must rewrite `operation_changes` with them, or history can no longer be undone.
 */
export interface Migration {
  /** A multiple of 10, so that a fix for a released version finds room in between. */
  readonly version: number;
  readonly sql: string;
}

/** All migrations, oldest first. */
export const migrations: readonly Migration[] = [
  initial,
  masks,
  clusters,
  map,
  checks,
  runs,
  foreground,
  app,
  suggestionColumns,
  pausedJobs,
  clusterOperations,
  jobHints,
  probeSets,
];

/** The version that a list of migrations leads to. Throws for a list that is empty or not increasing. */
export function latestVersion(list: readonly Migration[]): number {
  let latest = 0;
  for (const { version } of list) {
    if (!Number.isInteger(version) || version <= latest) {
      throw new CoreError("internal", `Migrations must be in increasing order: ${version} follows ${latest}.`);
    }
    latest = version;
  }
  if (latest === 0) throw new CoreError("internal", "There are no migrations.");
  return latest;
}

/** The schema version of a file, 0 for an empty one. Throws `library-newer` for one that this program cannot know. */
export function checkedVersion(connection: Database, list: readonly Migration[] = migrations): number {
  const version = Number(connection.pragma("user_version", { simple: true }));
  const latest = latestVersion(list);
  if (version > latest) {
    throw new CoreError(
      "library-newer",
      `This library was written by a newer Dinoscope (its version is ${version}, this program knows up to ${latest}).`,
      { hint: "Install the newest Dinoscope to open it. Nothing in the library was changed." },
    );
  }
  return version;
}

/**
 * Brings a file up to the newest schema. Each migration and its `user_version` are one transaction, so that a killed
 * process leaves the version that the tables are really at. Returns the versions applied.
 */
export function migrate(connection: Database, list: readonly Migration[] = migrations): number[] {
  const from = checkedVersion(connection, list);
  const pending = list.filter(({ version }) => version > from);
  for (const { version, sql } of pending) {
    connection
      .transaction(() => {
        connection.exec(sql);
        connection.pragma(`user_version = ${version}`);
      })
      .immediate();
  }
  return pending.map(({ version }) => version);
}
