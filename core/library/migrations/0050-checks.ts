import type { Migration } from "./index.ts";

/**
 * What checks found, replaced by each new check of the kind, and what the user said is right as it is, which stays. The
 * images of a finding are a list inside it, since a finding is read as a whole and never searched by image; `subject` names
 * them for the comparison with dismissals.
 */
export const checks: Migration = {
  version: 50,
  sql: `
CREATE TABLE check_findings (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (length(kind) > 0),
  position INTEGER NOT NULL CHECK (position >= 0),
  subject TEXT NOT NULL CHECK (length(subject) > 0),
  model_id INTEGER REFERENCES models (id) ON DELETE CASCADE,
  score REAL NOT NULL,
  likely INTEGER NOT NULL CHECK (likely IN (0, 1)),
  suggestion TEXT CHECK (json_valid(suggestion)),
  images TEXT NOT NULL CHECK (json_valid(images)),
  neighbours TEXT NOT NULL CHECK (json_valid(neighbours))
) STRICT;
CREATE UNIQUE INDEX check_findings_position ON check_findings (kind, position);
CREATE INDEX check_findings_model ON check_findings (model_id);

CREATE TABLE check_dismissals (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (length(kind) > 0),
  subject TEXT NOT NULL CHECK (length(subject) > 0),
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX check_dismissals_subject ON check_dismissals (kind, subject);
`,
};
