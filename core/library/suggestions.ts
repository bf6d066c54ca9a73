import type { Suggestion, Voter } from "../rpc/records.ts";
import { all, get, run, transaction } from "./database.ts";
import type { Parameters, Reader, Row, Writer } from "./database.ts";
import { corruptRow, count, flag, integer, json, share } from "./rows.ts";

// An image that has an annotation by now needs no suggestion, and what was rejected is none; the row stays, so that undo
// brings it back.
const open = `NOT EXISTS (SELECT 1 FROM annotations WHERE annotations.image_id = suggestions.image_id)
    AND NOT EXISTS (
      SELECT 1 FROM suggestion_rejections AS rejected
      WHERE rejected.image_id = suggestions.image_id AND rejected.label_id = suggestions.label_id
    )`;
const following = "confidence <= :confidence AND (confidence < :confidence OR image_id > :imageId)";

export const suggestionStatements = {
  byConfidence: `SELECT * FROM suggestions WHERE model_id = :modelId AND ${following} AND ${open}
    ORDER BY confidence DESC, image_id LIMIT :limit`,
  ofLabel: `SELECT * FROM suggestions WHERE model_id = :modelId AND label_id = :labelId AND ${following} AND ${open}
    ORDER BY confidence DESC, image_id LIMIT :limit`,
  confidences: `SELECT image_id, label_id, confidence FROM suggestions WHERE model_id = ? AND ${open}
    ORDER BY confidence DESC, image_id`,
  isOpen: `SELECT 1 AS open FROM suggestions WHERE model_id = ? AND image_id = ? AND ${open}`,
  ofImage: "SELECT * FROM suggestions WHERE model_id = ? AND image_id = ?",
  countByLabel: `SELECT label_id, sum(abstained = 0) AS offered, sum(abstained) AS abstained FROM suggestions
    WHERE model_id = ? AND ${open} GROUP BY label_id ORDER BY label_id`,
  insert: `INSERT INTO suggestions (model_id, image_id, label_id, share, confidence, confidence_low, confidence_high,
      abstained, voters)
    VALUES (:modelId, :imageId, :labelId, :share, :confidence, :confidenceLow, :confidenceHigh, :abstained, :voters)`,
  deleteOfModel: "DELETE FROM suggestions WHERE model_id = ?",
  deleteOfImage: "DELETE FROM suggestions WHERE image_id = ?",
} as const;

const sql = suggestionStatements;

function suggestionOf(row: Row): Suggestion {
  return {
    imageId: integer("suggestions", row, "image_id"),
    modelId: integer("suggestions", row, "model_id"),
    labelId: integer("suggestions", row, "label_id"),
    share: share("suggestions", row, "share"),
    confidence: share("suggestions", row, "confidence"),
    confidenceLow: share("suggestions", row, "confidence_low"),
    confidenceHigh: share("suggestions", row, "confidence_high"),
    abstained: flag("suggestions", row, "abstained"),
    voters: votersOf(row),
  };
}

/** Voters are stored as JSON triples [image id, label id, similarity]: there are many of them. */
function votersOf(row: Row): Voter[] {
  const list = json("suggestions", row, "voters");
  if (!Array.isArray(list)) throw corruptRow("suggestions", row, "voters should be a list");
  return list.map((entry: unknown) => {
    const [imageId, labelId, similarity] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof similarity !== "number" || !isId(imageId) || !isId(labelId)) {
      throw corruptRow("suggestions", row, "a voter should be an image id, a label id and a similarity");
    }
    return { imageId, labelId, similarity };
  });
}

function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

/** Puts a model's suggestions in the place of all that it made before. */
export function replaceSuggestions(
  db: Writer,
  modelId: number,
  suggestions: readonly Omit<Suggestion, "modelId">[],
): void {
  transaction(db, () => {
    run(db, sql.deleteOfModel, [modelId]);
    for (const suggestion of suggestions) {
      run(db, sql.insert, {
        modelId,
        imageId: suggestion.imageId,
        labelId: suggestion.labelId,
        share: suggestion.share,
        confidence: suggestion.confidence,
        confidenceLow: suggestion.confidenceLow,
        confidenceHigh: suggestion.confidenceHigh,
        abstained: suggestion.abstained ? 1 : 0,
        voters: JSON.stringify(
          suggestion.voters.map(({ imageId, labelId, similarity }) => [imageId, labelId, similarity]),
        ),
      });
    }
  });
}

/** A page of suggestions: `after` is the last one of the page before. */
export interface SuggestionPage {
  readonly limit?: number;
  readonly after?: Pick<Suggestion, "confidence" | "imageId">;
}

/**
 * A model's suggestions for images without annotation, most confident first, and by image id among equals. With
 * `labelId`, only those for that label.
 */
export function listSuggestions(
  db: Reader,
  modelId: number,
  { labelId, limit = 1000, after }: SuggestionPage & { readonly labelId?: number } = {},
): Suggestion[] {
  // Before the first: more than any confidence.
  const from: Parameters = { modelId, limit, confidence: after?.confidence ?? 2, imageId: after?.imageId ?? 0 };
  const rows = labelId === undefined ? all(db, sql.byConfidence, from) : all(db, sql.ofLabel, { ...from, labelId });
  return rows.map(suggestionOf);
}

/** A model's suggestion for an image, annotated by now or not; null where there is none. */
export function suggestionOfImage(db: Reader, modelId: number, imageId: number): Suggestion | null {
  const row = get(db, sql.ofImage, [modelId, imageId]);
  return row === undefined ? null : suggestionOf(row);
}

/** The labels and confidences of a model's suggestions for images without annotation, most confident first. */
export function suggestedLabels(
  db: Reader,
  modelId: number,
): { readonly imageId: number; readonly labelId: number; readonly confidence: number }[] {
  return all(db, sql.confidences, [modelId]).map((row) => ({
    imageId: integer("suggestions", row, "image_id"),
    labelId: integer("suggestions", row, "label_id"),
    confidence: share("suggestions", row, "confidence"),
  }));
}

/** Whether a model suggests something for an image that has no annotation, and nobody rejected it. */
export function hasOpenSuggestion(db: Reader, modelId: number, imageId: number): boolean {
  return get(db, sql.isOpen, [modelId, imageId]) !== undefined;
}

/** How many suggestions a label has. */
export interface SuggestionCount {
  readonly labelId: number;
  readonly offered: number;
  readonly abstained: number;
}

/** Suggestions for images without annotation, counted for each label that has any. */
export function countSuggestions(db: Reader, modelId: number): SuggestionCount[] {
  return all(db, sql.countByLabel, [modelId]).map((row) => ({
    labelId: integer("suggestions", row, "label_id"),
    offered: count("suggestions", row, "offered"),
    abstained: count("suggestions", row, "abstained"),
  }));
}

/** Deletes the suggestions of all models for these images. */
export function deleteSuggestions(db: Writer, imageIds: readonly number[]): void {
  transaction(db, () => {
    for (const imageId of imageIds) run(db, sql.deleteOfImage, [imageId]);
  });
}
