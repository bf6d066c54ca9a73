import type { Migration } from "./index.ts";

/**
 * Foreground embeddings. Reasons that the SQL cannot give:
 * - A view of the foreground is a model of its own, as an input size is: all that names a model works on it.
 * - What a vector was made from is text that is compared with what there is now (core/library/foreground.ts), so the
 *   embeddings to make anew are found without reading a mask.
 */
export const foreground: Migration = {
  version: 70,
  sql: `
ALTER TABLE models ADD COLUMN foreground_blend REAL CHECK (foreground_blend > 0 AND foreground_blend <= 1);

CREATE TABLE foreground_embeddings (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL,
  image_id INTEGER NOT NULL,
  made_from TEXT NOT NULL CHECK (length(made_from) > 0),
  usable INTEGER NOT NULL CHECK (usable IN (0, 1)),
  FOREIGN KEY (model_id, image_id) REFERENCES embeddings (model_id, image_id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX foreground_embeddings_model_image ON foreground_embeddings (model_id, image_id);
`,
};
