import type { Migration } from "./index.ts";

/**
 * Pretraining: runs, what each iteration measured, and what the teacher saw at some of them. A run outlives its model:
 * what was tried, and how it went, is worth knowing after the model was discarded. Iterations that gave no numbers are not
 * rows: the run's problem tells of them.
 */
export const runs: Migration = {
  version: 60,
  sql: `
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL CHECK (length(name) > 0),
  state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'failed', 'done')),
  device TEXT NOT NULL,
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  start TEXT NOT NULL CHECK (json_valid(start)),
  image_count INTEGER NOT NULL CHECK (image_count > 0),
  fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
  iteration INTEGER NOT NULL CHECK (iteration >= 0),
  iterations INTEGER NOT NULL CHECK (iterations > 0),
  checkpoint TEXT,
  model_id INTEGER REFERENCES models (id) ON DELETE SET NULL,
  summary TEXT CHECK (json_valid(summary)),
  problem_code TEXT,
  problem_message TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CHECK ((problem_code IS NULL) = (problem_message IS NULL))
) STRICT;
CREATE INDEX runs_model ON runs (model_id);
CREATE INDEX runs_state ON runs (state);

CREATE TABLE run_metrics (
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  iteration INTEGER NOT NULL CHECK (iteration >= 0),
  loss REAL NOT NULL,
  teacher_entropy REAL NOT NULL,
  divergence REAL NOT NULL,
  gradient_norm REAL NOT NULL,
  largest_gradient_norm REAL NOT NULL,
  centre_norm REAL NOT NULL,
  cls_deviation REAL NOT NULL,
  prototypes_used INTEGER NOT NULL CHECK (prototypes_used >= 0),
  learning_rate REAL NOT NULL,
  weight_decay REAL NOT NULL,
  teacher_momentum REAL NOT NULL,
  teacher_temperature REAL NOT NULL,
  milliseconds REAL NOT NULL,
  PRIMARY KEY (run_id, iteration)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_probes (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  iteration INTEGER NOT NULL CHECK (iteration >= 0),
  self_retrieval REAL NOT NULL CHECK (self_retrieval BETWEEN 0 AND 1),
  self_retrieval_count INTEGER NOT NULL CHECK (self_retrieval_count >= 0),
  accuracy REAL CHECK (accuracy BETWEEN 0 AND 1),
  accuracy_count INTEGER NOT NULL CHECK (accuracy_count >= 0),
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX run_probes_iteration ON run_probes (run_id, iteration);

CREATE TABLE run_attention (
  id INTEGER PRIMARY KEY,
  probe_id INTEGER NOT NULL REFERENCES run_probes (id) ON DELETE CASCADE,
  image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  heads INTEGER NOT NULL CHECK (heads > 0),
  "rows" INTEGER NOT NULL CHECK ("rows" > 0),
  columns INTEGER NOT NULL CHECK (columns > 0),
  scales BLOB NOT NULL CHECK (length(scales) = 4 * heads),
  data BLOB NOT NULL CHECK (length(data) = heads * "rows" * columns)
) STRICT;
CREATE INDEX run_attention_probe ON run_attention (probe_id);
CREATE INDEX run_attention_image ON run_attention (image_id);
`,
};
