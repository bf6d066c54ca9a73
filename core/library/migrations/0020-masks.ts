import type { Migration } from "./index.ts";

/**
 * Masks. Reasons that the SQL cannot give:
 * - Run lengths are text: the operation log keeps rows as JSON, and compressed run lengths are printable.
 * - Scores are apart from masks: what a person changes is the mask, and undo must not carry the model's bytes around.
 * - Masks and trained heads name their model by the hash of its weights: they outlive the row in `models`.
 */
export const masks: Migration = {
  version: 20,
  sql: `
CREATE TABLE masks (
  image_id INTEGER PRIMARY KEY REFERENCES images (id),
  width INTEGER NOT NULL CHECK (width > 0),
  height INTEGER NOT NULL CHECK (height > 0),
  runs TEXT NOT NULL CHECK (length(runs) > 0),
  model_hash TEXT CHECK (length(model_hash) = 64),
  recipe TEXT CHECK (json_valid(recipe)),
  edited INTEGER NOT NULL CHECK (edited IN (0, 1)),
  created_at INTEGER NOT NULL,
  CHECK ((model_hash IS NULL) = (recipe IS NULL)),
  CHECK (edited = 1 OR recipe IS NOT NULL)
) STRICT;
CREATE INDEX masks_edited ON masks (edited, image_id);
CREATE INDEX masks_made ON masks (model_hash, recipe, image_id);

CREATE TABLE mask_scores (
  image_id INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
  "rows" INTEGER NOT NULL CHECK ("rows" > 0),
  columns INTEGER NOT NULL CHECK (columns > 0),
  data BLOB NOT NULL CHECK (length(data) = "rows" * columns)
) STRICT;

CREATE TABLE foreground_heads (
  model_hash TEXT NOT NULL CHECK (length(model_hash) = 64),
  size INTEGER NOT NULL CHECK (size > 0),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  weights BLOB NOT NULL CHECK (length(weights) > 0 AND length(weights) % 4 = 0),
  image_count INTEGER NOT NULL CHECK (image_count > 0),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (model_hash, size)
) STRICT;
`,
};
