import type { Migration } from "./index.ts";

/**
 * A run keeps which pictures it is probed with, so that pictures and labels that come later do not change what its figures
 * are about; and each probe says from which iteration on others can be compared with it.
 */
export const probeSets: Migration = {
  version: 130,
  sql: `
ALTER TABLE runs ADD COLUMN probe_set TEXT CHECK (json_valid(probe_set));
ALTER TABLE run_probes ADD COLUMN pictures_since INTEGER NOT NULL DEFAULT 0 CHECK (pictures_since BETWEEN 0 AND iteration);
ALTER TABLE run_probes ADD COLUMN labels_since INTEGER NOT NULL DEFAULT 0 CHECK (labels_since BETWEEN 0 AND iteration);
`,
};
