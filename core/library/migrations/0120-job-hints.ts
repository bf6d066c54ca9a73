import type { Migration } from "./index.ts";

/** What to do about the problem that a job failed with, to be read after the program was started anew. Nothing asks for jobs by kind. */
export const jobHints: Migration = {
  version: 120,
  sql: `
ALTER TABLE jobs ADD COLUMN problem_hint TEXT CHECK (problem_hint IS NULL OR problem_code IS NOT NULL);
DROP INDEX jobs_kind;
`,
};
