import type { Migration } from "./index.ts";

/**
 * The first schema. Reasons that the SQL cannot give:
 * - AUTOINCREMENT keeps an id from being given out twice: the operation log names rows by id.
 * - Vectors and attention sit in tables with a row id and a narrow unique index beside them. A WITHOUT ROWID table would
 *   carry the vectors inside its key tree, and "which images have none" would have to read them all.
 * - Every foreign key has an index on its own columns, so that a deletion never scans.
 * - Lists that grow with the program (kinds of jobs, tables that can be undone) are checked by its types and parsers: SQLite
 *   cannot change a CHECK without making the table anew.
 * - `images.state` and `images.name` are computed from the row, so they cannot disagree with it.
 */
export const initial: Migration = {
  version: 10,
  sql: `
CREATE TABLE sources (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  folder TEXT NOT NULL UNIQUE CHECK (length(folder) > 0),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE images (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES sources (id),
  path TEXT NOT NULL CHECK (length(path) > 0),
  byte_size INTEGER NOT NULL CHECK (byte_size >= 0),
  modified_at INTEGER NOT NULL,
  content_hash TEXT CHECK (length(content_hash) = 64),
  format TEXT,
  width INTEGER CHECK (width > 0),
  height INTEGER CHECK (height > 0),
  perceptual_hash TEXT CHECK (length(perceptual_hash) = 16),
  problem_code TEXT,
  problem_message TEXT,
  missing_since INTEGER,
  state TEXT NOT NULL GENERATED ALWAYS AS (
    CASE WHEN missing_since IS NOT NULL THEN 'missing' WHEN problem_code IS NOT NULL THEN 'problem' ELSE 'ready' END
  ) VIRTUAL,
  name TEXT NOT NULL GENERATED ALWAYS AS (
    substr(path, length(rtrim(path, replace(path, '/', ''))) + 1)
  ) VIRTUAL,
  CHECK ((problem_code IS NULL) = (problem_message IS NULL)),
  CHECK (problem_code IS NOT NULL OR (
    content_hash IS NOT NULL AND format IS NOT NULL AND width IS NOT NULL AND height IS NOT NULL
  ))
) STRICT;
CREATE UNIQUE INDEX images_path ON images (source_id, path);
CREATE INDEX images_state ON images (state);
CREATE INDEX images_source_state ON images (source_id, state);
CREATE INDEX images_content_hash ON images (content_hash);
CREATE INDEX images_name ON images (name);

CREATE TABLE operations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (length(kind) > 0),
  summary TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('done', 'undone')),
  change_count INTEGER NOT NULL CHECK (change_count >= 0),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX operations_state ON operations (state);

CREATE TABLE operation_changes (
  operation_id INTEGER NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
  position INTEGER NOT NULL CHECK (position >= 0),
  table_name TEXT NOT NULL CHECK (length(table_name) > 0),
  before TEXT,
  after TEXT,
  PRIMARY KEY (operation_id, position),
  CHECK (before IS NOT NULL OR after IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE TABLE labels (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL CHECK (length(name) > 0),
  parent_id INTEGER REFERENCES labels (id) CHECK (parent_id <> id),
  position INTEGER NOT NULL CHECK (position >= 0)
) STRICT;
CREATE UNIQUE INDEX labels_name ON labels (ifnull(parent_id, 0), name);
CREATE INDEX labels_parent ON labels (parent_id, position);

CREATE TABLE annotations (
  image_id INTEGER PRIMARY KEY REFERENCES images (id),
  label_id INTEGER NOT NULL REFERENCES labels (id),
  provenance TEXT NOT NULL CHECK (provenance IN ('person', 'neighbours', 'cluster', 'import')),
  confidence REAL CHECK (confidence BETWEEN 0 AND 1),
  operation_id INTEGER NOT NULL REFERENCES operations (id),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX annotations_label ON annotations (label_id);
CREATE INDEX annotations_operation ON annotations (operation_id);

CREATE TABLE models (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (length(name) > 0),
  kind TEXT NOT NULL CHECK (kind IN ('vit', 'onnx')),
  file TEXT NOT NULL CHECK (length(file) > 0),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  architecture TEXT CHECK (json_valid(architecture)),
  image_size INTEGER NOT NULL CHECK (image_size > 0),
  width INTEGER NOT NULL CHECK (width > 0),
  trained INTEGER NOT NULL CHECK (trained IN (0, 1)),
  provenance TEXT NOT NULL CHECK (json_valid(provenance)),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE embeddings (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  vector BLOB NOT NULL CHECK (length(vector) > 0 AND length(vector) % 4 = 0)
) STRICT;
CREATE UNIQUE INDEX embeddings_model_image ON embeddings (model_id, image_id);
CREATE INDEX embeddings_image ON embeddings (image_id);

CREATE TABLE attention (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL,
  image_id INTEGER NOT NULL,
  heads INTEGER NOT NULL CHECK (heads > 0),
  "rows" INTEGER NOT NULL CHECK ("rows" > 0),
  columns INTEGER NOT NULL CHECK (columns > 0),
  scales BLOB NOT NULL CHECK (length(scales) = 4 * heads),
  data BLOB NOT NULL CHECK (length(data) = heads * "rows" * columns),
  FOREIGN KEY (model_id, image_id) REFERENCES embeddings (model_id, image_id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX attention_model_image ON attention (model_id, image_id);

CREATE TABLE suggestions (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
  share REAL NOT NULL CHECK (share BETWEEN 0 AND 1),
  confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1),
  confidence_low REAL NOT NULL CHECK (confidence_low BETWEEN 0 AND confidence),
  confidence_high REAL NOT NULL CHECK (confidence_high BETWEEN confidence AND 1),
  abstained INTEGER NOT NULL CHECK (abstained IN (0, 1)),
  voters TEXT NOT NULL CHECK (json_valid(voters))
) STRICT;
CREATE UNIQUE INDEX suggestions_model_image ON suggestions (model_id, image_id);
CREATE INDEX suggestions_confidence ON suggestions (model_id, confidence DESC, image_id);
CREATE INDEX suggestions_label ON suggestions (model_id, label_id, confidence DESC, image_id, abstained);
CREATE INDEX suggestions_image ON suggestions (image_id);
CREATE INDEX suggestions_label_only ON suggestions (label_id);

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (length(kind) > 0),
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'stopped', 'failed', 'done')),
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
  CHECK ((finished_at IS NULL) = (state IN ('queued', 'running')))
) STRICT;
CREATE INDEX jobs_kind ON jobs (kind);
CREATE INDEX jobs_state ON jobs (state);
`,
};
