import type { Migration } from "./index.ts";

/**
 * Splits and merges of clusters are operations. Those of a clustering that is replaced are found by their kind, among as
 * many operations as a library may have.
 */
export const clusterOperations: Migration = {
  version: 110,
  sql: `
CREATE INDEX operations_kind ON operations (kind);
`,
};
