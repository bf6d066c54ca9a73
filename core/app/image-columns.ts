/**
 * The library by columns, kept in memory: 100,000 images are some 10 MB. Each part is read again only after it has
 * changed, so that a list costs a filter and a sort.
 */
import type { Reader } from "../library/database.ts";
import {
  annotationColumns,
  embeddedColumn,
  imageColumns,
  imageIdsByName,
  maskColumns,
  membershipColumns,
  suggestionColumns,
} from "../library/image-columns.ts";
import { imageFlags } from "../rpc/columns.ts";
import { remembered, type Revisions } from "./revisions.ts";

/** What is known of every image by itself, in the order of ids. */
export interface ImageRows {
  readonly ids: Uint32Array;
  readonly sourceIds: Uint32Array;
  readonly versions: Uint32Array;
  readonly aspects: Float32Array;
  readonly modifiedAt: Float64Array;
  /** `problem` and `missing` of `imageFlags`. */
  readonly flags: Uint8Array;
  /** Rows in the order of source and path. */
  readonly byName: Uint32Array;
  /** The place of each row in that order. */
  readonly nameRanks: Uint32Array;
}

/** What a model says of every image, row by row; 0 where it says nothing. */
export interface ModelColumns {
  readonly embedded: Uint8Array;
  readonly suggestedLabelIds: Uint32Array;
  readonly confidences: Float64Array;
  readonly confidencesLow: Float64Array;
  readonly confidencesHigh: Float64Array;
  /** `suggestionOffered` and `suggestionAbstained` of `imageFlags`. */
  readonly suggestionFlags: Uint8Array;
  readonly clusterIds: Uint32Array;
  /** Cosine with the cluster's centre. */
  readonly similarities: Float32Array;
}

export interface ImageColumnStore {
  rows(): ImageRows;
  /** The row of an image, or -1. */
  rowOf(imageId: number): number;
  labels(): { readonly labelIds: Uint32Array; readonly derived: Uint8Array };
  /** `mask` and `maskEdited` of `imageFlags`. */
  masks(): Uint8Array;
  ofModel(modelId: number | null): ModelColumns;
}

/** Models whose columns are kept: some 6 MB each with 100,000 images. */
const keptModels = 8;

export function createImageColumnStore(db: Reader, revisions: Revisions): ImageColumnStore {
  const imageRevision = (): number => revisions.of("images", "sources");
  const rows = remembered(imageRevision, () => readRows(db));
  const theRows = (): ImageRows => rows(null);
  const scatter = <Column extends Uint8Array | Uint32Array | Float32Array | Float64Array>(
    ids: Float64Array,
    values: (at: number) => number,
    column: Column,
  ): Column => {
    const known = theRows().ids;
    // Both are in the order of ids.
    let row = 0;
    ids.forEach((id, at) => {
      while (row < known.length && (known[row] as number) < id) row++;
      if (known[row] === id) column[row] = values(at);
    });
    return column;
  };
  const labels = remembered(
    () => imageRevision() + revisions.of("annotations"),
    () => {
      const { image_id: ids, label_id: labelIds, derived } = annotationColumns(db);
      const { length } = theRows().ids;
      return {
        labelIds: scatter(ids, (at) => labelIds[at] as number, new Uint32Array(length)),
        derived: scatter(ids, (at) => derived[at] as number, new Uint8Array(length)),
      };
    },
  );
  const masks = remembered(
    () => imageRevision() + revisions.of("masks"),
    () => {
      const { image_id: ids, edited } = maskColumns(db);
      const flagsAt = (at: number): number => imageFlags.mask | (edited[at] === 1 ? imageFlags.maskEdited : 0);
      return scatter(ids, flagsAt, new Uint8Array(theRows().ids.length));
    },
  );
  const embedded = remembered(
    () => imageRevision() + revisions.of("embeddings", "models"),
    (modelId: number | null) => {
      const ids = modelId === null ? new Float64Array() : embeddedColumn(db, modelId);
      return scatter(ids, () => 1, new Uint8Array(theRows().ids.length));
    },
    keptModels,
  );
  const suggestions = remembered(
    () => imageRevision() + revisions.of("suggestions", "models"),
    (modelId: number | null) => readSuggestions(db, modelId, theRows().ids.length, scatter),
    keptModels,
  );
  // An image that has a label needs no suggestion.
  const openSuggestions = remembered(
    () => imageRevision() + revisions.of("suggestions", "models", "annotations"),
    (modelId: number | null) => withoutLabelled(suggestions(modelId), labels(null).labelIds),
    keptModels,
  );
  const clusters = remembered(
    () => imageRevision() + revisions.of("clusters", "models", "embeddings"),
    (modelId: number | null) => {
      const { length } = theRows().ids;
      const [clusterIds, similarities] = [new Uint32Array(length), new Float32Array(length)];
      if (modelId === null) return { clusterIds, similarities };
      const columns = membershipColumns(db, modelId);
      scatter(columns.image_id, (at) => columns.cluster_id[at] as number, clusterIds);
      scatter(columns.image_id, (at) => columns.similarity[at] as number, similarities);
      return { clusterIds, similarities };
    },
    keptModels,
  );
  return {
    rows: theRows,
    rowOf: (imageId) => rowIn(theRows().ids, imageId),
    labels: () => labels(null),
    masks: () => masks(null),
    ofModel: (modelId) => ({ embedded: embedded(modelId), ...openSuggestions(modelId), ...clusters(modelId) }),
  };
}

/** The place of an id among rising ones, or -1. */
function rowIn(ids: Uint32Array, id: number): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] as number) < id) low = middle + 1;
    else high = middle;
  }
  return ids[low] === id ? low : -1;
}

function readRows(db: Reader): ImageRows {
  const columns = imageColumns(db);
  const ids = Uint32Array.from(columns.id);
  const flags = Uint8Array.from(
    ids,
    (_, row) => (columns.missing[row] ? imageFlags.missing : 0) | (columns.problem[row] ? imageFlags.problem : 0),
  );
  const byName = Uint32Array.from(imageIdsByName(db), (id) => Math.max(0, rowIn(ids, id)));
  const nameRanks = new Uint32Array(ids.length);
  byName.forEach((row, rank) => (nameRanks[row] = rank));
  return {
    ids,
    sourceIds: Uint32Array.from(columns.source_id),
    versions: Uint32Array.from(columns.version),
    aspects: Float32Array.from(columns.aspect, (aspect) => (aspect > 0 ? aspect : 1)),
    modifiedAt: columns.modified_at,
    flags,
    byName,
    nameRanks,
  };
}

type SuggestionColumns = Pick<
  ModelColumns,
  "suggestedLabelIds" | "confidences" | "confidencesLow" | "confidencesHigh" | "suggestionFlags"
>;

function readSuggestions(
  db: Reader,
  modelId: number | null,
  length: number,
  scatter: <Column extends Uint8Array | Uint32Array | Float32Array | Float64Array>(
    ids: Float64Array,
    values: (at: number) => number,
    column: Column,
  ) => Column,
): SuggestionColumns {
  const columns = {
    suggestedLabelIds: new Uint32Array(length),
    confidences: new Float64Array(length),
    confidencesLow: new Float64Array(length),
    confidencesHigh: new Float64Array(length),
    suggestionFlags: new Uint8Array(length),
  };
  if (modelId === null) return columns;
  const { image_id: ids, label_id: labelIds, abstained, ...sure } = suggestionColumns(db, modelId);
  const flagAt = (at: number): number =>
    abstained[at] === 1 ? imageFlags.suggestionAbstained : imageFlags.suggestionOffered;
  scatter(ids, (at) => labelIds[at] as number, columns.suggestedLabelIds);
  scatter(ids, (at) => sure.confidence[at] as number, columns.confidences);
  scatter(ids, (at) => sure.confidence_low[at] as number, columns.confidencesLow);
  scatter(ids, (at) => sure.confidence_high[at] as number, columns.confidencesHigh);
  scatter(ids, flagAt, columns.suggestionFlags);
  return columns;
}

function withoutLabelled(columns: SuggestionColumns, labelIds: Uint32Array): SuggestionColumns {
  const open = <Column extends Uint8Array | Uint32Array | Float32Array | Float64Array>(column: Column): Column => {
    const kept = column.slice() as Column;
    for (let row = 0; row < kept.length; row++) if (labelIds[row] !== 0) kept[row] = 0;
    return kept;
  };
  return {
    suggestedLabelIds: open(columns.suggestedLabelIds),
    confidences: open(columns.confidences),
    confidencesLow: open(columns.confidencesLow),
    confidencesHigh: open(columns.confidencesHigh),
    suggestionFlags: open(columns.suggestionFlags),
  };
}
