import { createHash } from "node:crypto";
import {
  checkpointFingerprint,
  deleteCheckpoints,
  getCheckpoint,
  putCheckpoint,
  type CheckpointKey,
} from "../library/checkpoints.ts";
import type { Reader } from "../library/database.ts";
import type { EmbeddingMatrix } from "../library/embeddings.ts";
import type { Library } from "../library/open.ts";
import type { NeighbourTable } from "../suggest/nearest.ts";
import type { Bank } from "./neighbours.ts";
import type { RunningJob } from "./run.ts";

/** Neighbours of each image in the graph that clusters and maps are made from, itself left out. */
export const graphNeighbours = 15;

/** Rows that are searched for, and kept, at a time. */
const partRows = 4096;

/** A hash of embeddings and the images they are of: what a checkpoint was computed from. */
export function fingerprintOf({ imageIds, matrix, width }: EmbeddingMatrix, ...settings: readonly number[]): string {
  return createHash("sha256")
    .update(JSON.stringify({ width, settings }))
    .update(Float64Array.from(imageIds))
    .update(matrix)
    .digest("hex");
}

/**
 * The nearest images of each image of a model. What was found is kept in the library as it is found: a job that was
 * stopped goes on there, and clusters and map share one search.
 */
export async function neighbourGraph(
  { db }: Library,
  modelId: number,
  embeddings: EmbeddingMatrix,
  bank: Bank,
  job: RunningJob,
): Promise<NeighbourTable> {
  const { matrix, width } = embeddings;
  const rows = embeddings.imageIds.length;
  const count = Math.min(graphNeighbours, rows - 1);
  const key: CheckpointKey = { modelId, kind: "neighbours", fingerprint: fingerprintOf(embeddings, count) };
  const table = { count, indices: new Int32Array(rows * count), similarities: new Float64Array(rows * count) };
  const report = job.phase("searching neighbours", rows);
  report(0);
  for (let part = 0; part * partRows < rows; part++) {
    job.signal.throwIfAborted();
    const start = part * partRows;
    const end = Math.min(start + partRows, rows);
    const stored = getCheckpoint(db, key, part);
    const found = stored === null ? null : unpack(stored, count, (end - start) * count);
    const page = found ?? (await bank.nearest(matrix.subarray(start * width, end * width), count, range(start, end)));
    if (found === null) putCheckpoint(db, key, part, pack(page));
    table.indices.set(page.indices, start * count);
    table.similarities.set(page.similarities, start * count);
    report(end);
  }
  deleteCheckpoints(db, modelId, "neighbours", Math.ceil(rows / partRows));
  const ids = new Uint8Array(Float64Array.from(embeddings.imageIds).buffer);
  putCheckpoint(db, { ...key, kind: "neighbour-images" }, 0, ids);
  return table;
}

/** A graph of neighbours with the images that its rows stand for. */
export interface StoredGraph {
  readonly imageIds: Float64Array;
  readonly table: NeighbourTable;
}

/**
 * The graph that the last clustering or map of a model was made from, without a look at the embeddings: images that came
 * later are not in it. Null where there is none, or only part of one.
 */
export function storedGraph(db: Reader, modelId: number): StoredGraph | null {
  const fingerprint = checkpointFingerprint(db, modelId, "neighbour-images");
  if (fingerprint === null) return null;
  const ids = getCheckpoint(db, { modelId, kind: "neighbour-images", fingerprint }, 0);
  if (ids === null || ids.length % 8 !== 0) return null;
  const imageIds = new Float64Array(ids.slice().buffer);
  const rows = imageIds.length;
  const count = Math.min(graphNeighbours, rows - 1);
  const table = { count, indices: new Int32Array(rows * count), similarities: new Float64Array(rows * count) };
  for (let part = 0; part * partRows < rows; part++) {
    const start = part * partRows;
    const end = Math.min(start + partRows, rows);
    const stored = getCheckpoint(db, { modelId, kind: "neighbours", fingerprint }, part);
    const page = stored === null ? null : unpack(stored, count, (end - start) * count);
    if (page === null) return null;
    table.indices.set(page.indices, start * count);
    table.similarities.set(page.similarities, start * count);
  }
  return { imageIds, table };
}

/** The `count` nearest of a table that has more. */
export function nearestOf({ count: from, indices, similarities }: NeighbourTable, count: number): NeighbourTable {
  if (count >= from) return { count: from, indices, similarities };
  const rows = indices.length / from;
  const kept = { count, indices: new Int32Array(rows * count), similarities: new Float64Array(rows * count) };
  for (let row = 0; row < rows; row++) {
    kept.indices.set(indices.subarray(row * from, row * from + count), row * count);
    kept.similarities.set(similarities.subarray(row * from, row * from + count), row * count);
  }
  return kept;
}

function range(start: number, end: number): Int32Array {
  return Int32Array.from({ length: end - start }, (_, i) => start + i);
}

function pack({ indices, similarities }: NeighbourTable): Uint8Array {
  const bytes = new Uint8Array(12 * indices.length);
  bytes.set(new Uint8Array(Float64Array.from(similarities).buffer), 0);
  bytes.set(new Uint8Array(Int32Array.from(indices).buffer), 8 * indices.length);
  return bytes;
}

function unpack(stored: Uint8Array, count: number, values: number): NeighbourTable | null {
  if (stored.length !== 12 * values) return null;
  // A blob may start anywhere in memory.
  const { buffer } = stored.slice();
  return {
    count,
    similarities: new Float64Array(buffer, 0, values),
    indices: new Int32Array(buffer, 8 * values, values),
  };
}
