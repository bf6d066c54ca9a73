/** What the user does to a cluster: split it, merge it with others, label its images. */
import type { WantedDevice } from "../engine/protocol.ts";
import { annotationsOfImages, assign } from "../library/annotations.ts";
import { clusterById, listClusters, members, regroupClusters, type ClusterOperationKind } from "../library/clusters.ts";
import { readEmbeddings, type EmbeddingMatrix } from "../library/embeddings.ts";
import type { Reader } from "../library/database.ts";
import { cleanLabelName, ensureLabels } from "../library/label-changes.ts";
import { listLabels } from "../library/labels.ts";
import type { Library } from "../library/open.ts";
import { recordOperation } from "../library/operations.ts";
import type { Operation } from "../rpc/records.ts";
import type { Regrouping } from "../rpc/views.ts";
import { sphericalKMeans } from "../suggest/kmeans.ts";
import { CoreError } from "../util/errors.ts";
import { centresOf } from "./cluster.ts";
import { regroup } from "./cluster-members.ts";
import { kMeansRows } from "./kmeans-rows.ts";
import { loadBank } from "./neighbours.ts";
import type { Workplace } from "./run.ts";

/** Starts for the split of one cluster: it is small, so that they cost little. */
const splitRestarts = 5;

/** Clusters that the history names one by one. */
const mostNamed = 4;

/** SQLite's LIMIT for all of them. */
const noLimit = -1;

export interface SplitOptions {
  readonly parts: number;
  readonly seed: number;
  readonly device: WantedDevice;
}

/**
 * Splits a cluster by k-means on its members, as one undoable act. Margins of other clusters' members stay as they were.
 * Throws `cluster-unknown`, or `option-invalid` for more parts than members.
 */
export async function splitCluster(
  { library, engine }: Workplace,
  id: number,
  { parts, seed, device }: SplitOptions,
): Promise<Regrouping> {
  const { modelId } = clusterById(library.db, id);
  const embeddings = embeddingsOf(library, modelId, [id]);
  const bank = await loadBank(engine, embeddings, device);
  try {
    const options = { count: parts, restarts: splitRestarts, seed };
    const { nearest, centres } = await sphericalKMeans(kMeansRows(bank, embeddings), options);
    const summary = `Split cluster ${id} (${imagesOf(embeddings)}) ${parts === 2 ? "in two" : `into ${parts}`}`;
    return store(library, modelId, [id], embeddings, { labels: nearest, centres }, { kind: "split-cluster", summary });
  } finally {
    await bank.drop().catch(() => {});
  }
}

/** Makes one cluster of several of the same model, as one undoable act. Throws `cluster-unknown`, `option-invalid`. */
export function mergeClusters(library: Library, ids: readonly number[]): Regrouping {
  const merged = [...new Set(ids)];
  const [modelId, ...otherModels] = new Set(merged.map((id) => clusterById(library.db, id).modelId));
  if (modelId === undefined || merged.length < 2 || otherModels.length > 0) {
    throw new CoreError("option-invalid", "A merge takes two clusters or more, all of one model.");
  }
  const embeddings = embeddingsOf(library, modelId, merged);
  const labels = new Int32Array(embeddings.imageIds.length);
  const which = merged.length > mostNamed ? `${merged.length} clusters` : `clusters ${listed(merged)}`;
  const summary = `Merged ${which} (${imagesOf(embeddings)})`;
  const grouping = { labels, centres: centresOf(embeddings, labels) };
  return store(library, modelId, merged, embeddings, grouping, { kind: "merge-clusters", summary });
}

/**
 * Makes several clusters of one: one of the images of each group, and one more of the members that no group names, if
 * there are any, in that order; one undoable act. Throws `cluster-unknown`, or `option-invalid` for an image that is no
 * member or is in two groups.
 */
export function divideCluster(library: Library, id: number, groups: readonly (readonly number[])[]): Regrouping {
  const { modelId } = clusterById(library.db, id);
  const embeddings = embeddingsOf(library, modelId, [id]);
  const groupOf = new Map(groups.flatMap((imageIds, group) => imageIds.map((imageId) => [imageId, group] as const)));
  const labels = Int32Array.from(embeddings.imageIds, (imageId) => groupOf.get(imageId) ?? groups.length);
  const named = labels.reduce((sum, label) => sum + (label < groups.length ? 1 : 0), 0);
  if (named !== groups.reduce((sum, imageIds) => sum + imageIds.length, 0)) {
    throw new CoreError("option-invalid", "The groups of a cluster name its members, each once.");
  }
  const summary =
    groups.length === 1
      ? `Took ${named} ${named === 1 ? "image" : "images"} out of cluster ${id}`
      : `Divided cluster ${id} (${imagesOf(embeddings)})`;
  const grouping = { labels, centres: centresOf(embeddings, labels) };
  return store(library, modelId, [id], embeddings, grouping, { kind: "divide-cluster", summary });
}

function imagesOf({ imageIds: { length } }: EmbeddingMatrix): string {
  return `${length} ${length === 1 ? "image" : "images"}`;
}

/** `3 and 5`, `3, 5 and 7` */
function listed(ids: readonly number[]): string {
  return `${ids.slice(0, -1).join(", ")} and ${ids.at(-1) ?? ""}`;
}

function embeddingsOf({ db }: Library, modelId: number, clusterIds: readonly number[]): EmbeddingMatrix {
  const imageIds = clusterIds.flatMap((id) => members(db, id, "typical", noLimit).map(({ imageId }) => imageId));
  return readEmbeddings(db, modelId, { imageIds });
}

function store(
  { db }: Library,
  modelId: number,
  oldIds: readonly number[],
  embeddings: EmbeddingMatrix,
  grouping: Parameters<typeof regroup>[1],
  step: { readonly kind: ClusterOperationKind; readonly summary: string },
): Regrouping {
  const others = listClusters(db, modelId).filter(({ id }) => !oldIds.includes(id));
  const clusters = regroup(
    embeddings,
    grouping,
    others.map(({ centre }) => centre),
  );
  const recorded = recordOperation(db, step, (change) => regroupClusters(change, modelId, oldIds, clusters));
  return { operation: recorded.operation, clusterIds: recorded.result };
}

export interface LabelClusterOptions {
  /** Names from the top of the tree down; a single name may be that of the library's only label so called. */
  readonly path: readonly string[];
  /** Whether members that have a label already get this one in its place. */
  readonly overwrite: boolean;
}

/**
 * Puts a label on the members of a cluster as one undoable operation, with the provenance `cluster`. Members with a
 * label keep it unless told otherwise. Returns the operation, or null where nothing changed. Throws `cluster-unknown`.
 */
export function labelCluster(
  { db }: Library,
  id: number,
  { path, overwrite }: LabelClusterOptions,
): { readonly operation: Operation | null; readonly labelled: number; readonly kept: number } {
  clusterById(db, id);
  const imageIds = members(db, id, "typical", noLimit).map(({ imageId }) => imageId);
  const taken = annotationsOfImages(db, imageIds);
  const chosen = overwrite ? imageIds : imageIds.filter((imageId) => !taken.has(imageId));
  const name = path.at(-1) ?? "";
  const summary = `Labelled ${chosen.length} ${chosen.length === 1 ? "image" : "images"} of cluster ${id} as ${name}`;
  if (chosen.length === 0) return { operation: null, labelled: 0, kept: imageIds.length };
  const { operation } = recordOperation(db, { kind: "label-cluster", summary }, (change) => {
    const labelId = knownLabel(db, path) ?? ensureLabels(change, [path])[0]?.id ?? 0;
    assign(
      change,
      chosen.map((imageId) => ({ imageId, labelId, provenance: "cluster", confidence: null })),
    );
  });
  return { operation, labelled: chosen.length, kept: imageIds.length - chosen.length };
}

/** The library's only label of this name, at whatever level: people type `Oat` for Oat under Drinks. */
function knownLabel(db: Reader, path: readonly string[]): number | null {
  const [name = "", ...below] = path;
  if (below.length > 0) return null;
  const clean = cleanLabelName(name);
  const [only, ...others] = listLabels(db).filter((label) => label.name === clean);
  return only === undefined || others.length > 0 ? null : only.id;
}
