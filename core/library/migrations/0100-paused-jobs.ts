import type { Migration } from "./index.ts";

/**
 * Jobs can be paused: they have not ended, as those that wait, and nobody works on them. SQLite changes no CHECK, so the
 * table is made anew; nothing refers to it.
 */
export const pausedJobs: Migration = {
  version: 100,
  sql: `
CREATE TABLE jobs_with_pauses (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (length(kind) > 0),
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'paused', 'stopped', 'failed', 'done')),
  phase TEXT NOT NULL,
  done INTEGER NOT NULL CHECK (done >= 0),
  total INTEGER NOT NULL CHECK (total >= 0),
  parameters TEXT NOT NULL CHECK (json_valid(parameters)),
  problem_code TEXT,
  problem_message TEXT,
  created_at INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL,
  finished_at INTEGER,
  CHECK ((problem_code IS NULL) = (problem_message IS NULL)),
  CHECK ((finished_at IS NULL) = (state IN ('queued', 'running', 'paused')))
) STRICT;
INSERT INTO jobs_with_pauses SELECT * FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_with_pauses RENAME TO jobs;
CREATE INDEX jobs_kind ON jobs (kind);
CREATE INDEX jobs_state ON jobs (state);
`,
};
