import type { WantedDevice } from "../engine/protocol.ts";
import { deleteCheckpoints, getCheckpoint, putCheckpoint, type CheckpointKey } from "../library/checkpoints.ts";
import { replaceClustering } from "../library/clusters.ts";
import { readEmbeddings, type EmbeddingMatrix } from "../library/embeddings.ts";
import type { ClusterSummary } from "../rpc/api.ts";
import type { Clustering, Model } from "../rpc/records.ts";
import { sphericalKMeans, unitRows, type KMeansState } from "../suggest/kmeans.ts";
import { CoreError } from "../util/errors.ts";
import { clustersOf, type Grouping } from "./cluster-members.ts";
import { kMeansRows } from "./kmeans-rows.ts";
import { fingerprintOf, graphNeighbours, neighbourGraph } from "./neighbour-graph.ts";
import { loadBank, type Bank } from "./neighbours.ts";
import { runJob, type RunningJob, type Watch, type Workplace } from "./run.ts";

export interface ClusterOptions {
  /** Clusters to make by k-means; null finds the number by density (HDBSCAN). */
  readonly count: number | null;
  /** Starts that k-means tries. */
  readonly restarts: number;
  readonly seed: number;
  /** For HDBSCAN: fewer images than this are no cluster. */
  readonly minimum: number;
  readonly device: WantedDevice;
}

/**
 * Groups the images of a model by look, and stores the clusters in the place of the model's earlier ones. Stopped, it
 * goes on with the restarts or the neighbours that are not done. Throws `embedding-missing` without two embeddings.
 */
export async function clusterImages(
  workplace: Workplace,
  model: Model,
  options: ClusterOptions,
  watch: Watch = {},
): Promise<ClusterSummary> {
  return runJob(workplace, "cluster", { modelId: model.id, ...options }, watch, async (job) => {
    const { library, engine } = workplace;
    const started = performance.now();
    const embeddings = readEmbeddings(library.db, model.id);
    requireEmbeddings(embeddings, model);
    const bank = await loadBank(engine, embeddings, options.device);
    try {
      const { count, restarts, seed, minimum } = options;
      const grouping =
        count === null
          ? await byDensity(workplace, model, embeddings, bank, options, job)
          : await byKMeans(workplace, model, embeddings, bank, { ...options, count }, job);
      job.phase("storing clusters", 0)(0);
      const clusters = await clustersOf(embeddings, grouping, bank);
      const clustering: Clustering = {
        modelId: model.id,
        method: count === null ? "hdbscan" : "k-means",
        settings: count === null ? { minimum, neighbours: graphNeighbours } : { count, restarts, seed },
        createdAt: Date.now(),
      };
      job.signal.throwIfAborted();
      replaceClustering(library.db, clustering, clusters);
      deleteCheckpoints(library.db, model.id, "k-means");
      const clustered = clusters.reduce((sum, { members }) => sum + members.length, 0);
      return {
        model,
        method: clustering.method,
        clusters: clusters.length,
        images: embeddings.imageIds.length,
        noise: embeddings.imageIds.length - clustered,
        durationMs: performance.now() - started,
      };
    } finally {
      await bank.drop().catch(() => {});
    }
  });
}

/** Throws `embedding-missing` where there is nothing to compare. */
export function requireEmbeddings({ imageIds }: EmbeddingMatrix, model: Model): void {
  if (imageIds.length >= 2) return;
  throw new CoreError("embedding-missing", `${model.name} has embedded ${imageIds.length} images; two are needed.`, {
    hint: "Run `dinoscope embed` first.",
  });
}

async function byKMeans(
  { library: { db } }: Workplace,
  model: Model,
  embeddings: EmbeddingMatrix,
  bank: Bank,
  { count, restarts, seed }: ClusterOptions & { readonly count: number },
  job: RunningJob,
): Promise<Grouping> {
  const key: CheckpointKey = {
    modelId: model.id,
    kind: "k-means",
    fingerprint: fingerprintOf(embeddings, count, restarts, seed),
  };
  const report = job.phase("k-means restarts", restarts + 1);
  const stored = getCheckpoint(db, key, 0);
  const result = await sphericalKMeans(
    kMeansRows(bank, embeddings),
    { count, restarts, seed },
    {
      signal: job.signal,
      onStep: (done) => report(done),
      onRestart: (state) => putCheckpoint(db, key, 0, packState(state)),
      resume: stored === null ? undefined : unpackState(stored, count * embeddings.width),
    },
  );
  report(restarts + 1);
  return { labels: result.nearest, centres: result.centres };
}

function packState({ restartsDone, objective, centres }: KMeansState): Uint8Array {
  const bytes = new Uint8Array(16 + centres.byteLength);
  bytes.set(new Uint8Array(Float64Array.of(restartsDone, objective).buffer));
  bytes.set(new Uint8Array(centres.buffer, centres.byteOffset, centres.byteLength), 16);
  return bytes;
}

function unpackState(stored: Uint8Array, values: number): KMeansState | undefined {
  if (stored.length !== 16 + 4 * values) return undefined;
  // A blob may start anywhere in memory.
  const { buffer } = stored.slice();
  const [restartsDone = 0, objective = 0] = new Float64Array(buffer, 0, 2);
  return { restartsDone, objective, centres: new Float32Array(buffer, 16) };
}

async function byDensity(
  { library, engine }: Workplace,
  model: Model,
  embeddings: EmbeddingMatrix,
  bank: Bank,
  { minimum }: ClusterOptions,
  job: RunningJob,
): Promise<Grouping> {
  const neighbours = await neighbourGraph(library, model.id, embeddings, bank, job);
  job.phase("finding dense groups", 0)(0);
  // The graph has so many neighbours and no more: beyond that a density cannot be read from it.
  const samples = Math.min(minimum, neighbours.count + 1);
  const labels = await engine.call("densityClusters", { neighbours, minimum, samples });
  job.signal.throwIfAborted();
  return { labels, centres: centresOf(embeddings, labels) };
}

/** The mean direction of each group. */
export function centresOf({ matrix, width }: EmbeddingMatrix, labels: Int32Array): Float32Array {
  const count = labels.reduce((most, label) => Math.max(most, label + 1), 0);
  const sums = new Float64Array(count * width);
  labels.forEach((label, row) => {
    if (label < 0) return;
    for (let i = 0; i < width; i++) {
      sums[label * width + i] = (sums[label * width + i] as number) + (matrix[row * width + i] as number);
    }
  });
  return unitRows(sums, width, new Float32Array(sums.length));
}
