/** Lists of images: a filter and an order over the library's columns. */
import type * as v from "valibot";
import type { Reader } from "../library/database.ts";
import { imageIdsWithText } from "../library/image-columns.ts";
import { listLabels } from "../library/labels.ts";
import { imageFlags, type ImageColumns } from "../rpc/columns.ts";
import type { imageQuery, ImageFilter, ImageSort } from "../rpc/schemas.ts";
import type { ImageColumnStore } from "./image-columns.ts";

/** A query as it comes out of its schema. */
export type CheckedImageQuery = v.InferOutput<typeof imageQuery>;

/** What a list is made from. */
export interface ListMaterial {
  readonly db: Reader;
  readonly columns: ImageColumnStore;
  /** Cosine of every image, row by row, with what a similarity sort names; -2 for images without an embedding. */
  readonly similarities: (sort: Extract<ImageSort, { by: "similarity" }>, modelId: number | null) => Float32Array;
}

/** Rows of the images that a filter lets through, in the order of ids. */
export function filteredRows(material: ListMaterial, filter: ImageFilter, modelId: number | null): Uint32Array {
  const { db, columns } = material;
  const { ids, sourceIds, flags } = columns.rows();
  const tests: ((row: number) => boolean)[] = [stateTest(filter.state ?? "ready", flags)];
  if (filter.sourceId !== undefined) tests.push((row) => sourceIds[row] === filter.sourceId);
  if (filter.labelled !== undefined || filter.labelIds !== undefined) {
    const { labelIds } = columns.labels();
    const wanted = filter.labelIds === undefined ? null : new Set(filter.labelIds);
    if (filter.labelled !== undefined) tests.push((row) => (labelIds[row] !== 0) === filter.labelled);
    if (wanted !== null) tests.push((row) => wanted.has(labelIds[row] as number));
  }
  if (filter.mask !== undefined) tests.push(maskTest(filter.mask, columns.masks()));
  const { suggestion, suggestedLabelIds: suggested, clusterId, embedded } = filter;
  if (suggestion !== undefined || suggested !== undefined || clusterId !== undefined || embedded !== undefined) {
    const model = columns.ofModel(modelId);
    if (suggestion !== undefined) {
      const { labelIds } = columns.labels();
      const flag = { offered: imageFlags.suggestionOffered, abstained: imageFlags.suggestionAbstained, none: 0 }[
        suggestion
      ];
      tests.push((row) => labelIds[row] === 0 && model.suggestionFlags[row] === flag);
    }
    if (suggested !== undefined) {
      const wanted = new Set(suggested);
      tests.push((row) => wanted.has(model.suggestedLabelIds[row] as number));
    }
    if (clusterId !== undefined) tests.push((row) => model.clusterIds[row] === (clusterId ?? 0));
    if (embedded !== undefined) tests.push((row) => (model.embedded[row] === 1) === embedded);
  }
  if (filter.ids !== undefined) tests.push(memberTest(columns, filter.ids));
  if (filter.text !== undefined && filter.text.trim() !== "") {
    tests.push(memberTest(columns, imageIdsWithText(db, filter.text.trim())));
  }
  const rows = new Uint32Array(ids.length);
  let count = 0;
  for (let row = 0; row < ids.length; row++) if (tests.every((test) => test(row))) rows[count++] = row;
  return rows.slice(0, count);
}

function stateTest(state: NonNullable<ImageFilter["state"]>, flags: Uint8Array): (row: number) => boolean {
  switch (state) {
    case "ready":
      return (row) => flags[row] === 0;
    case "missing":
      return (row) => ((flags[row] as number) & imageFlags.missing) !== 0;
    case "problem":
      return (row) => flags[row] === imageFlags.problem;
    case "any":
      return () => true;
  }
}

function maskTest(mask: NonNullable<ImageFilter["mask"]>, flags: Uint8Array): (row: number) => boolean {
  switch (mask) {
    case "any":
      return (row) => flags[row] !== 0;
    case "none":
      return (row) => flags[row] === 0;
    case "made":
      return (row) => flags[row] === imageFlags.mask;
    case "edited":
      return (row) => ((flags[row] as number) & imageFlags.maskEdited) !== 0;
  }
}

function memberTest(columns: ImageColumnStore, ids: ArrayLike<number>): (row: number) => boolean {
  const members = new Uint8Array(columns.rows().ids.length);
  for (let i = 0; i < ids.length; i++) {
    const row = columns.rowOf(ids[i] ?? 0);
    if (row >= 0) members[row] = 1;
  }
  return (row) => members[row] === 1;
}

/** The list of a query as columns, in its order. */
export function listImagesAsColumns(
  material: ListMaterial,
  query: CheckedImageQuery,
  modelId: number | null,
): ImageColumns {
  const { columns } = material;
  const all = columns.rows();
  const labels = columns.labels();
  const masks = columns.masks();
  const model = columns.ofModel(modelId);
  const { rows, scores } = sorted(material, filteredRows(material, query.filter, modelId), query.sort, modelId);
  const { length } = rows;
  const flags = new Uint8Array(length);
  for (let at = 0; at < length; at++) {
    const row = rows[at] as number;
    flags[at] =
      (all.flags[row] as number) |
      (masks[row] as number) |
      (labels.labelIds[row] === 0 ? (model.suggestionFlags[row] as number) : 0) |
      (model.embedded[row] === 1 ? imageFlags.embedded : 0) |
      (labels.derived[row] === 1 ? imageFlags.labelDerived : 0);
  }
  return {
    ids: picked(rows, all.ids, new Uint32Array(length)),
    sourceIds: picked(rows, all.sourceIds, new Uint32Array(length)),
    labelIds: picked(rows, labels.labelIds, new Uint32Array(length)),
    suggestedLabelIds: picked(rows, model.suggestedLabelIds, new Uint32Array(length)),
    clusterIds: picked(rows, model.clusterIds, new Uint32Array(length)),
    versions: picked(rows, all.versions, new Uint32Array(length)),
    aspects: picked(rows, all.aspects, new Float32Array(length)),
    scores: scores === null ? new Float32Array(length) : picked(rows, scores, new Float32Array(length)),
    confidences: picked(rows, model.confidences, new Float32Array(length)),
    flags,
  };
}

/** The values of a column at these rows. A plain loop: a callback for each of 100,000 rows and ten columns is felt. */
function picked<Column extends Uint32Array | Float32Array>(
  rows: Uint32Array,
  values: ArrayLike<number>,
  column: Column,
): Column {
  for (let at = 0; at < rows.length; at++) column[at] = values[rows[at] as number] as number;
  return column;
}

/** Rows in an order, and the score of every row of the library where the order has one. Equals stay in order of names. */
function sorted(
  { db, columns, similarities }: ListMaterial,
  rows: Uint32Array,
  sort: ImageSort,
  modelId: number | null,
): { readonly rows: Uint32Array; readonly scores: Float32Array | null } {
  const { byName, nameRanks, modifiedAt, ids } = columns.rows();
  const by = (key: ArrayLike<number>, direction: 1 | -1, scores: Float32Array | null = null) => ({
    rows: rows.sort(
      (a, b) =>
        direction * ((key[a] as number) - (key[b] as number)) || (nameRanks[a] as number) - (nameRanks[b] as number),
    ),
    scores,
  });
  switch (sort.by) {
    case "name": {
      // They are sorted already: the list that the page opens with takes no sort of its own.
      const wanted = new Uint8Array(ids.length);
      for (const row of rows) wanted[row] = 1;
      const inOrder = byName.filter((row) => wanted[row] === 1);
      return { rows: sort.descending === true ? inOrder.reverse() : inOrder, scores: null };
    }
    case "date":
      return by(modifiedAt, sort.descending === true ? -1 : 1);
    case "added":
      return by(ids, sort.descending === true ? -1 : 1);
    case "label": {
      const ranks = new Map(listLabels(db).map(({ id }, rank) => [id, rank + 1]));
      const { labelIds } = columns.labels();
      const descending = sort.descending === true;
      const last = descending ? -1 : Infinity;
      return by(
        Float64Array.from(labelIds, (id) => (id === 0 ? last : (ranks.get(id) ?? 0))),
        descending ? -1 : 1,
      );
    }
    case "similarity": {
      const scores = similarities(sort, modelId);
      return by(scores, -1, scores);
    }
    case "uncertainty":
    case "confidence": {
      const { confidences, suggestionFlags } = columns.ofModel(modelId);
      const direction = sort.by === "uncertainty" ? 1 : -1;
      const none = sort.by === "uncertainty" ? 2 : -1;
      const scores = Float32Array.from(confidences, (sure, row) => (suggestionFlags[row] === 0 ? none : sure));
      return by(scores, direction, scores);
    }
    case "cluster": {
      const { clusterIds, similarities: typical } = columns.ofModel(modelId);
      const sizes = new Map<number, number>();
      for (const id of clusterIds) sizes.set(id, (sizes.get(id) ?? 0) + 1);
      sizes.set(0, 0);
      const order = [...sizes].sort(([a, sizeA], [b, sizeB]) => sizeB - sizeA || a - b).map(([id]) => id);
      const ranks = new Map(order.map((id, rank) => [id, rank]));
      const scores = typical.map((similarity, row) => (clusterIds[row] === 0 ? -2 : similarity));
      // Cosines are at most 1, so that a step of 4 keeps clusters apart.
      const key = Float64Array.from(clusterIds, (id, row) => 4 * (ranks.get(id) ?? 0) - (scores[row] as number));
      return by(key, 1, scores);
    }
  }
}
