/** What checks found, and what the user dismissed of it. */
import type { CheckKind, Finding, FoundImage, Operation } from "../rpc/records.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import { recordOperation } from "./operations.ts";
import { corruptRow, flag, integer, json, jsonObject, oneOf, orNull, real, share } from "./rows.ts";

export const findingStatements = {
  ofKind: `SELECT * FROM check_findings WHERE kind = ? AND NOT EXISTS (
      SELECT 1 FROM check_dismissals
      WHERE check_dismissals.kind = check_findings.kind AND check_dismissals.subject = check_findings.subject
    ) ORDER BY position`,
  insert: `INSERT INTO check_findings (kind, position, subject, model_id, score, likely, suggestion, images, neighbours)
    VALUES (:kind, :position, :subject, :modelId, :score, :likely, :suggestion, :images, :neighbours)`,
  deleteOfKind: "DELETE FROM check_findings WHERE kind = ?",
  dismissed: "SELECT id FROM check_dismissals WHERE kind = ? AND subject = ?",
} as const;

const sql = findingStatements;
const kindCell = oneOf<CheckKind>(["wrong-labels", "twins", "duplicates", "outliers"]);
const nullableInteger = orNull(integer);
const nullableObject = orNull(jsonObject);

/**
 * What a finding is about, as text. Where it is about labels they belong to it: "this label is right" says nothing of
 * another label that the image may get later.
 */
export function subjectOf({ kind, images }: Pick<Finding, "kind" | "images">): string {
  const withLabels = kind === "wrong-labels" || kind === "twins";
  return images
    .toSorted((a, b) => a.imageId - b.imageId)
    .map(({ imageId, labelId }) => (withLabels ? `${imageId}=${labelId ?? ""}` : `${imageId}`))
    .join(" ");
}

/** Puts the findings of one kind, most urgent first, in the place of all earlier ones. */
export function replaceFindings(db: Writer, kind: CheckKind, findings: readonly Finding[]): void {
  transaction(db, () => {
    run(db, sql.deleteOfKind, [kind]);
    findings.forEach((finding, position) => {
      run(db, sql.insert, {
        kind,
        position,
        subject: subjectOf(finding),
        modelId: finding.modelId,
        score: finding.score,
        likely: finding.likely ? 1 : 0,
        suggestion: finding.suggestion === null ? null : JSON.stringify(finding.suggestion),
        images: imagesText(finding.images),
        neighbours: imagesText(finding.neighbours),
      });
    });
  });
}

/** The findings of the last check of this kind that nobody dismissed, most urgent first. */
export function listFindings(db: Reader, kind: CheckKind): Finding[] {
  return all(db, sql.ofKind, [kind]).map(findingOf);
}

/** Hides findings, now and from later checks, as one operation. Null where they all were dismissed before. */
export function dismissFindings(db: Writer, findings: readonly Finding[], summary: string): Operation | null {
  return recordOperation(db, { kind: "dismiss-findings", summary }, (change) => {
    for (const finding of findings) {
      const { kind } = finding;
      const subject = subjectOf(finding);
      if (get(db, sql.dismissed, [kind, subject]) === undefined) {
        change.insert("check_dismissals", { kind, subject, created_at: change.at });
      }
    }
  }).operation;
}

function findingOf(row: Row): Finding {
  return {
    kind: kindCell("check_findings", row, "kind"),
    modelId: nullableInteger("check_findings", row, "model_id"),
    images: imagesOf(row, "images"),
    neighbours: imagesOf(row, "neighbours"),
    suggestion: suggestionOf(row),
    score: real("check_findings", row, "score"),
    likely: flag("check_findings", row, "likely"),
  };
}

function suggestionOf(row: Row): Finding["suggestion"] {
  const suggestion = nullableObject("check_findings", row, "suggestion");
  if (suggestion === null) return null;
  const cell = (name: string): number => share("check_findings", { ...suggestion, id: row["id"] }, name);
  return {
    labelId: integer("check_findings", { ...suggestion, id: row["id"] }, "labelId"),
    share: cell("share"),
    ownShare: cell("ownShare"),
    confidence: cell("confidence"),
  };
}

/** Images are stored as JSON lists [image id, label id, similarity, differing bits of the hash]. */
function imagesText(images: readonly FoundImage[]): string {
  return JSON.stringify(
    images.map(({ imageId, labelId, similarity, hashBits }) => [imageId, labelId, similarity, hashBits]),
  );
}

function imagesOf(row: Row, column: "images" | "neighbours"): FoundImage[] {
  const list = json("check_findings", row, column);
  if (!Array.isArray(list)) throw corruptRow("check_findings", row, `${column} should be a list`);
  return list.map((entry: unknown) => {
    const [imageId, labelId, similarity, hashBits] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (!isId(imageId) || !(labelId === null || isId(labelId)) || !isNumber(similarity) || !isNumber(hashBits)) {
      throw corruptRow("check_findings", row, `${column} should be image and label ids with two measures each`);
    }
    return { imageId, labelId, similarity, hashBits };
  });
}

function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

function isNumber(value: unknown): value is number | null {
  return value === null || typeof value === "number";
}
