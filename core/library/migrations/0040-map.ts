import type { Migration } from "./index.ts";

/** The map of a model: a place for each image. A point hangs on its embedding: where a file changes, both go. */
export const map: Migration = {
  version: 40,
  sql: `
CREATE TABLE maps (
  model_id INTEGER PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE,
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE map_points (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES maps (model_id) ON DELETE CASCADE,
  image_id INTEGER NOT NULL,
  x REAL NOT NULL,
  y REAL NOT NULL,
  placed INTEGER NOT NULL CHECK (placed IN (0, 1)),
  FOREIGN KEY (model_id, image_id) REFERENCES embeddings (model_id, image_id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX map_points_model_image ON map_points (model_id, image_id);
`,
};
