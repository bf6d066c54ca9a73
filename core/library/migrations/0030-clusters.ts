import type { Migration } from "./index.ts";

/**
 * Clusters, one clustering a model. Reasons that the SQL cannot give:
 * - Membership hangs on the embedding that it was computed from: where a file changes, both go.
 * - Clusters are found again at will: making them is not in the operation log, as making suggestions is not. Splits and
 *   merges are, until a later clustering replaces the rows that they name (core/library/clusters.ts).
 * - Checkpoints are what a job had computed when it was stopped; `fingerprint` says of what.
 */
export const clusters: Migration = {
  version: 30,
  sql: `
CREATE TABLE clusterings (
  model_id INTEGER PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE,
  method TEXT NOT NULL CHECK (method IN ('k-means', 'hdbscan')),
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE clusters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  model_id INTEGER NOT NULL REFERENCES clusterings (model_id) ON DELETE CASCADE,
  centre BLOB NOT NULL CHECK (length(centre) > 0 AND length(centre) % 4 = 0)
) STRICT;
CREATE INDEX clusters_model ON clusters (model_id);

CREATE TABLE memberships (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL,
  image_id INTEGER NOT NULL,
  cluster_id INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
  similarity REAL NOT NULL,
  margin REAL NOT NULL,
  FOREIGN KEY (model_id, image_id) REFERENCES embeddings (model_id, image_id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX memberships_model_image ON memberships (model_id, image_id);
CREATE INDEX memberships_typical ON memberships (cluster_id, similarity DESC, image_id);
CREATE INDEX memberships_borderline ON memberships (cluster_id, margin, image_id);

CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (length(kind) > 0),
  part INTEGER NOT NULL CHECK (part >= 0),
  fingerprint TEXT NOT NULL CHECK (length(fingerprint) > 0),
  data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX checkpoints_part ON checkpoints (model_id, kind, part);
`,
};
