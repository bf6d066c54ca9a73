import type { Migration } from "./index.ts";

/** What lists show of suggestions, side by side: their rows hold voters, which are most of the table. */
export const suggestionColumns: Migration = {
  version: 90,
  sql: `
CREATE INDEX suggestions_columns ON suggestions (
  model_id, image_id, label_id, confidence, confidence_low, confidence_high, abstained
);
`,
};
