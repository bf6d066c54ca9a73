import type { Operation } from "../rpc/records.ts";
import { get } from "./database.ts";
import type { Writer } from "./database.ts";
import { recordOperation } from "./operations.ts";

export const rejectionStatements = {
  known: "SELECT id FROM suggestion_rejections WHERE image_id = ? AND label_id = ?",
} as const;

/**
 * Says that images are not what is suggested for them, as one operation: such a suggestion is not shown again. Returns it,
 * or null where all were rejected before.
 */
export function rejectSuggestions(
  db: Writer,
  suggestions: readonly { readonly imageId: number; readonly labelId: number }[],
  operation: Pick<Operation, "kind" | "summary">,
): Operation | null {
  return recordOperation(db, operation, (change) => {
    for (const { imageId, labelId } of suggestions) {
      if (get(db, rejectionStatements.known, [imageId, labelId]) !== undefined) continue;
      change.insert("suggestion_rejections", { image_id: imageId, label_id: labelId, created_at: change.at });
    }
  }).operation;
}
