import { get, run, transaction } from "./database.ts";
import type { Reader, Writer } from "./database.ts";
import { blob, text } from "./rows.ts";

export const checkpointStatements = {
  get: "SELECT data FROM checkpoints WHERE model_id = ? AND kind = ? AND part = ? AND fingerprint = ?",
  fingerprint: "SELECT fingerprint FROM checkpoints WHERE model_id = ? AND kind = ? AND part = 0",
  put: `INSERT INTO checkpoints (model_id, kind, part, fingerprint, data) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (model_id, kind, part) DO UPDATE SET fingerprint = excluded.fingerprint, data = excluded.data`,
  deleteFrom: "DELETE FROM checkpoints WHERE model_id = ? AND kind = ? AND part >= ?",
} as const;

const sql = checkpointStatements;

/** What a job computed, part by part, for the time when it was stopped. `kind` is a kebab-case word. */
export interface CheckpointKey {
  readonly modelId: number;
  readonly kind: string;
  /** Of what was computed from: another one, and the part is not found. */
  readonly fingerprint: string;
}

/** A part that was kept, or null. */
export function getCheckpoint(
  db: Reader,
  { modelId, kind, fingerprint }: CheckpointKey,
  part: number,
): Uint8Array | null {
  const row = get(db, sql.get, [modelId, kind, part, fingerprint]);
  return row === undefined ? null : blob("checkpoints", row, "data");
}

/** What the parts of a kind that are kept were computed from, or null where none are. */
export function checkpointFingerprint(db: Reader, modelId: number, kind: string): string | null {
  const row = get(db, sql.fingerprint, [modelId, kind]);
  return row === undefined ? null : text("checkpoints", row, "fingerprint");
}

/** Keeps a part, in the place of the one before. */
export function putCheckpoint(
  db: Writer,
  { modelId, kind, fingerprint }: CheckpointKey,
  part: number,
  data: Uint8Array,
): void {
  transaction(db, () => run(db, sql.put, [modelId, kind, part, fingerprint, data]));
}

/** Forgets the parts from `part` on. */
export function deleteCheckpoints(db: Writer, modelId: number, kind: string, part = 0): void {
  transaction(db, () => run(db, sql.deleteFrom, [modelId, kind, part]));
}
