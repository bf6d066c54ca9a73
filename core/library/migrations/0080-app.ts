import type { Migration } from "./index.ts";

/**
 * What people choose in the app. A rejection says that an image is not what is suggested for it; it names rows and does not
 * refer to them, so that deleting a label leaves the history of rejections as it is.
 */
export const app: Migration = {
  version: 80,
  sql: `
CREATE TABLE settings (
  key TEXT PRIMARY KEY CHECK (length(key) > 0),
  value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;

CREATE TABLE suggestion_rejections (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  image_id INTEGER NOT NULL,
  label_id INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX suggestion_rejections_pair ON suggestion_rejections (image_id, label_id);
`,
};
