/** Which pictures a run is probed with. */
import { get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { corruptRow, isObject, jsonObject, orNull } from "./rows.ts";
import { unknownRun } from "./runs.ts";

/** Pictures for one kind of figure. */
export interface ProbePart {
  /** Ids of images, in the order in which their crops are drawn. */
  readonly imageIds: readonly number[];
  /** SHA-256 over their contents, and their labels where those count, as they were chosen. */
  readonly fingerprint: string;
  /** The iteration at which they were probed first. */
  readonly since: number;
}

/** What a run is probed with: pictures that find their other crop, and labelled ones. */
export interface ProbeSet {
  readonly pictures: ProbePart;
  readonly labelled: ProbePart;
}

export const probeSetStatements = {
  find: "SELECT id, probe_set FROM runs WHERE id = ?",
  save: "UPDATE runs SET probe_set = :set WHERE id = :id",
} as const;

const sql = probeSetStatements;
const nullableObject = orNull(jsonObject);

/** A run's pictures; null before it was first probed, and for runs of older versions, which did not keep them. */
export function probeSetOf(db: Reader, runId: number): ProbeSet | null {
  const row = get(db, sql.find, [runId]);
  const set = row === undefined ? null : nullableObject("runs", row, "probe_set");
  if (row === undefined || set === null) return null;
  return { pictures: partOf(row, set["pictures"]), labelled: partOf(row, set["labelled"]) };
}

/** Notes what a run is probed with from now on. Throws `run-unknown`. */
export function saveProbeSet(db: Writer, runId: number, set: ProbeSet): void {
  transaction(db, () => {
    if (run(db, sql.save, { id: runId, set: JSON.stringify(set) }).changes === 0) throw unknownRun(runId);
  });
}

function partOf(row: Row, value: unknown): ProbePart {
  const { imageIds, fingerprint, since } = isObject(value) ? value : {};
  const isCount = (number: unknown): number is number => Number.isSafeInteger(number) && Number(number) >= 0;
  if (!Array.isArray(imageIds) || !imageIds.every(isCount) || typeof fingerprint !== "string" || !isCount(since)) {
    throw corruptRow("runs", row, "probe_set should say which pictures the run is probed with");
  }
  return { imageIds, fingerprint, since };
}
