import { randomUUID } from "node:crypto";
import type { WantedDevice } from "../engine/protocol.ts";
import type { Engine } from "../engine/supervisor.ts";
import { deleteCheckpoints, getCheckpoint, putCheckpoint, type CheckpointKey } from "../library/checkpoints.ts";
import { readEmbeddings, type EmbeddingMatrix } from "../library/embeddings.ts";
import { addMapPoints, mapOf, mapPoints, replaceMap } from "../library/maps.ts";
import type { MapSummary } from "../rpc/api.ts";
import type { MapPoint, Model } from "../rpc/records.ts";
import { epochsFor, placeAmong } from "../suggest/umap.ts";
import { CoreError } from "../util/errors.ts";
import { requireEmbeddings } from "./cluster.ts";
import { fingerprintOf, nearestOf, neighbourGraph } from "./neighbour-graph.ts";
import { loadBank } from "./neighbours.ts";
import { onceMore } from "./once-more.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";

export interface MapOptions {
  /** Lays the whole map out anew; else images that are not on it are placed, and nothing moves. */
  readonly refit: boolean;
  readonly seed: number;
  readonly device: WantedDevice;
}

/** Neighbours of each image in the layout: UMAP's usual 15, of which the image itself is one. */
const layoutNeighbours = 14;

/** Epochs x images between two looks at the stop signal: about a second. */
const stepSize = 400_000;

/** Epochs between two looks at most. */
const maxStep = 50;

/** A layout on its way is kept no more often than this. */
const checkpointMs = 5000;

/**
 * Makes the map of a model (UMAP), or brings it up to date: images that are not on it are placed among their neighbours.
 * The layout runs in the engine. Stopped, it goes on at the epoch it was at, to the same end. Throws
 * `embedding-missing` without two embeddings.
 */
export async function mapImages(
  workplace: Workplace,
  model: Model,
  options: MapOptions,
  watch: Watch = {},
): Promise<MapSummary> {
  return runJob(workplace, "map", { modelId: model.id, ...options }, watch, async (job) => {
    const { db } = workplace.library;
    const started = performance.now();
    const embeddings = readEmbeddings(db, model.id);
    requireEmbeddings(embeddings, model);
    const points = mapPoints(db, model.id);
    const fresh = options.refit || mapOf(db, model.id) === null || points.every(({ placed }) => placed);
    const made = fresh
      ? { fitted: await fit(workplace, model, embeddings, options, job), placed: 0 }
      : { fitted: 0, placed: await placeNew(workplace, model, embeddings, points, options.device, job) };
    const durationMs = performance.now() - started;
    return { model, ...made, points: fresh ? made.fitted : points.length + made.placed, durationMs };
  });
}

async function fit(
  { library, engine }: Workplace,
  model: Model,
  embeddings: EmbeddingMatrix,
  { seed, device }: MapOptions,
  job: RunningJob,
): Promise<number> {
  const { db } = library;
  const rows = embeddings.imageIds.length;
  const epochs = epochsFor(rows);
  const bank = await loadBank(engine, embeddings, device);
  try {
    const graph = nearestOf(await neighbourGraph(library, model.id, embeddings, bank, job), layoutNeighbours);
    const key: CheckpointKey = { modelId: model.id, kind: "map", fingerprint: fingerprintOf(embeddings, seed, epochs) };
    const report = job.phase("laying out the map", epochs);
    const stored = getCheckpoint(db, key, 0);
    const state = (stored === null ? null : unpackState(stored, rows)) ?? {
      epoch: 0,
      coordinates: await bank.principalPlane(seed),
    };
    report(state.epoch);
    const layout = `layout-${randomUUID()}`;
    const begin = async (): Promise<void> => {
      await engine.call("startLayout", { layout, neighbours: graph, epochs, seed });
    };
    await onceMore(begin);
    const run = (from: number, to: number, coordinates: Float32Array): Promise<Float32Array> =>
      onceMore(() => engine.call("runLayout", { layout, coordinates, from, to }), begin);
    await runEpochs(
      state,
      { epochs, step: Math.min(maxStep, Math.max(1, Math.round(stepSize / rows))), run },
      job,
      (at) => {
        putCheckpoint(db, key, 0, packState(at));
        report(at.epoch);
      },
      report,
    );
    await dropQuietly(engine, layout);
    const points = embeddings.imageIds.map((imageId, row) => pointOf(imageId, state.coordinates, row, false));
    replaceMap(
      db,
      { modelId: model.id, settings: { seed, epochs, neighbours: layoutNeighbours + 1 }, createdAt: Date.now() },
      points,
    );
    deleteCheckpoints(db, model.id, "map");
    return rows;
  } finally {
    await bank.drop().catch(() => {});
  }
}

/** Where a layout stands. */
interface LayoutState {
  epoch: number;
  coordinates: Float32Array;
}

/** Runs what is left of a layout in steps, and keeps it from time to time, and when it is stopped. */
async function runEpochs(
  state: LayoutState,
  layout: {
    readonly epochs: number;
    readonly step: number;
    readonly run: (from: number, to: number, coordinates: Float32Array) => Promise<Float32Array>;
  },
  job: RunningJob,
  keep: (state: LayoutState) => void,
  report: (done: number) => void,
): Promise<void> {
  let kept = Date.now();
  while (state.epoch < layout.epochs) {
    if (job.signal.aborted) {
      keep(state);
      job.signal.throwIfAborted();
    }
    const to = Math.min(layout.epochs, state.epoch + layout.step);
    state.coordinates = await layout.run(state.epoch + 1, to, state.coordinates);
    state.epoch = to;
    report(to);
    if (Date.now() - kept > checkpointMs) {
      keep(state);
      kept = Date.now();
    }
  }
}

async function dropQuietly(engine: Engine, layout: string): Promise<void> {
  await engine.call("dropLayout", { layout }).catch(() => {});
}

function packState({ epoch, coordinates }: LayoutState): Uint8Array {
  const bytes = new Uint8Array(4 + coordinates.byteLength);
  bytes.set(new Uint8Array(Int32Array.of(epoch).buffer));
  bytes.set(new Uint8Array(coordinates.buffer, coordinates.byteOffset, coordinates.byteLength), 4);
  return bytes;
}

function unpackState(stored: Uint8Array, rows: number): LayoutState | null {
  if (stored.length !== 4 + 8 * rows) return null;
  // A blob may start anywhere in memory.
  const { buffer } = stored.slice();
  return { epoch: new Int32Array(buffer, 0, 1)[0] ?? 0, coordinates: new Float32Array(buffer.slice(4)) };
}

function pointOf(imageId: number, coordinates: Float32Array, row: number, placed: boolean): MapPoint {
  const [x = NaN, y = NaN] = coordinates.subarray(2 * row, 2 * row + 2);
  if (Number.isFinite(x) && Number.isFinite(y)) return { imageId, x, y, placed };
  throw new CoreError("map-failed", `Image ${imageId} got no place on the map.`, {
    hint: "Run `dinoscope map --refit`.",
  });
}

/** Places images that are not on the map among those that it was laid out with. Returns how many. */
async function placeNew(
  { library, engine }: Workplace,
  model: Model,
  embeddings: EmbeddingMatrix,
  points: readonly MapPoint[],
  device: WantedDevice,
  job: RunningJob,
): Promise<number> {
  const { imageIds, matrix, width } = embeddings;
  const known = new Map(points.map((point) => [point.imageId, point]));
  const rowsOf = (wanted: (point: MapPoint | undefined) => boolean): number[] =>
    [...imageIds.keys()].filter((row) => wanted(known.get(imageIds[row] ?? 0)));
  const news = rowsOf((point) => point === undefined);
  if (news.length === 0) return 0;
  const fitted = rowsOf((point) => point !== undefined && !point.placed);
  const pick = (rows: readonly number[]): Float32Array => {
    const picked = new Float32Array(rows.length * width);
    rows.forEach((row, i) => picked.set(matrix.subarray(row * width, (row + 1) * width), i * width));
    return picked;
  };
  const coordinates = Float32Array.from(
    fitted.flatMap((row) => {
      const { x = 0, y = 0 } = known.get(imageIds[row] ?? 0) ?? {};
      return [x, y];
    }),
  );
  const report = job.phase("placing new images", news.length);
  report(0);
  const bank = await loadBank(engine, { matrix: pick(fitted), width }, device);
  try {
    const places = placeAmong(await bank.nearest(pick(news), layoutNeighbours), coordinates);
    job.signal.throwIfAborted();
    const placed = news.map((row, i) => pointOf(imageIds[row] ?? 0, places, i, true));
    addMapPoints(library.db, model.id, placed);
    report(news.length);
    return news.length;
  } finally {
    await bank.drop().catch(() => {});
  }
}
