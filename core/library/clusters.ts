import type { Cluster, Clustering, Membership } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { all, forEachRow, get, run, transaction } from "./database.ts";
import type { Reader, Row, Writer } from "./database.ts";
import type { Change } from "./operations.ts";
import { blob, corruptRow, count, integer, isObject, json, oneOf, real } from "./rows.ts";
import type { MembershipRow } from "./undoable.ts";
import { bytesOf, float32Of, isFiniteVector } from "./vectors.ts";

export const clusterStatements = {
  clustering: "SELECT * FROM clusterings WHERE model_id = ?",
  clusters: `SELECT *, (SELECT count(*) FROM memberships WHERE cluster_id = clusters.id) AS size,
      (SELECT image_id FROM memberships WHERE cluster_id = clusters.id ORDER BY similarity DESC, image_id LIMIT 1)
        AS medoid
    FROM clusters WHERE model_id = ? ORDER BY id`,
  byId: `SELECT *, (SELECT count(*) FROM memberships WHERE cluster_id = clusters.id) AS size,
      (SELECT image_id FROM memberships WHERE cluster_id = clusters.id ORDER BY similarity DESC, image_id LIMIT 1)
        AS medoid
    FROM clusters WHERE id = ?`,
  typical: "SELECT * FROM memberships WHERE cluster_id = ? ORDER BY similarity DESC, image_id LIMIT ?",
  borderline: "SELECT * FROM memberships WHERE cluster_id = ? ORDER BY margin, image_id LIMIT ?",
  ofImage: "SELECT * FROM memberships WHERE model_id = ? AND image_id = ?",
  memberships: "SELECT * FROM memberships WHERE model_id = ? ORDER BY image_id",
  // CROSS JOIN keeps the order of the tables: by member, whatever SQLite thinks of their sizes.
  labels: `SELECT cluster_id, label_id FROM memberships
    CROSS JOIN annotations ON annotations.image_id = memberships.image_id WHERE memberships.model_id = ?`,
  suggested: `SELECT cluster_id, label_id FROM memberships
    CROSS JOIN suggestions ON suggestions.model_id = memberships.model_id
      AND suggestions.image_id = memberships.image_id
    WHERE memberships.model_id = ? AND suggestions.abstained = 0`,
  deleteClustering: "DELETE FROM clusterings WHERE model_id = ?",
  insertClustering: "INSERT INTO clusterings (model_id, method, settings, created_at) VALUES (?, ?, ?, ?)",
  insertCluster: "INSERT INTO clusters (model_id, centre) VALUES (?, ?)",
  /** Splits and merges of a clustering that goes: nobody can take them back. Damaged lines of the log are left alone. */
  forgetOperations: `DELETE FROM operations WHERE kind IN ('split-cluster', 'merge-clusters', 'divide-cluster')
    AND EXISTS (SELECT 1 FROM operation_changes WHERE operation_id = operations.id AND table_name = 'clusters'
      AND CASE WHEN json_valid(ifnull(after, before)) THEN json_extract(ifnull(after, before), '$[1]') END = ?)`,
  insertMembership: `INSERT INTO memberships (model_id, image_id, cluster_id, similarity, margin)
    VALUES (?, ?, ?, ?, ?)`,
  known: "SELECT 1 FROM embeddings WHERE model_id = ? AND image_id = ?",
} as const;

const sql = clusterStatements;
const method = oneOf<Clustering["method"]>(["k-means", "hdbscan"]);

/** SQLite's LIMIT for all of them. */
const noLimit = -1;

/** A cluster to store: its centre of length 1, and its members. */
export interface NewCluster {
  readonly centre: Float32Array;
  readonly members: readonly Omit<Membership, "clusterId">[];
}

/** A cluster with its centre. */
export interface StoredCluster extends Cluster {
  readonly centre: Float32Array;
}

function clusterOf(row: Row): StoredCluster {
  const bytes = blob("clusters", row, "centre");
  const centre = bytes.byteLength % 4 === 0 ? float32Of(bytes) : new Float32Array([NaN]);
  if (!isFiniteVector(centre)) throw corruptRow("clusters", row, "the centre should be finite numbers");
  return {
    id: integer("clusters", row, "id"),
    modelId: integer("clusters", row, "model_id"),
    size: count("clusters", row, "size"),
    medoidImageId: row["medoid"] === null ? null : integer("clusters", row, "medoid"),
    centre,
  };
}

function membershipOf(row: Row): Membership {
  return {
    imageId: integer("memberships", row, "image_id"),
    clusterId: integer("memberships", row, "cluster_id"),
    similarity: real("memberships", row, "similarity"),
    margin: real("memberships", row, "margin"),
  };
}

/** How a model's images were clustered, or null where they were not. */
export function clusteringOf(db: Reader, modelId: number): Clustering | null {
  const row = get(db, sql.clustering, [modelId]);
  if (row === undefined) return null;
  const settings = json("clusterings", row, "settings");
  if (!isObject(settings)) throw corruptRow("clusterings", row, "settings should be a JSON object");
  return {
    modelId,
    method: method("clusterings", row, "method"),
    settings: Object.fromEntries(Object.entries(settings).filter(([, value]) => typeof value === "number")) as Record<
      string,
      number
    >,
    createdAt: integer("clusterings", row, "created_at"),
  };
}

/** The clusters of a model, by id. Those that lost all their images are among them. */
export function listClusters(db: Reader, modelId: number): StoredCluster[] {
  return all(db, sql.clusters, [modelId]).map(clusterOf);
}

/** One cluster. Throws `cluster-unknown`. */
export function clusterById(db: Reader, id: number): StoredCluster {
  const row = get(db, sql.byId, [id]);
  if (row !== undefined) return clusterOf(row);
  throw new CoreError("cluster-unknown", `There is no cluster ${id} in this library.`, {
    hint: "`dinoscope cluster list` shows them; clustering anew gives them other numbers.",
  });
}

/** Members of a cluster: `typical` begins with the medoid, `borderline` with those that another centre is nearest to. */
export function members(db: Reader, clusterId: number, order: "typical" | "borderline", limit: number): Membership[] {
  return all(db, sql[order], [clusterId, limit]).map(membershipOf);
}

/** The cluster of a model that an image is in, or null. */
export function membershipOfImage(db: Reader, modelId: number, imageId: number): Membership | null {
  const row = get(db, sql.ofImage, [modelId, imageId]);
  return row === undefined ? null : membershipOf(row);
}

/** Calls `visit` for each membership of a model, in image order. Nothing may be written to the library meanwhile. */
export function forEachMembership(db: Reader, modelId: number, visit: (membership: Membership) => void): void {
  forEachRow(db, sql.memberships, [modelId], (row) => visit(membershipOf(row)));
}

/** How often each label stands in each cluster: by cluster id, then by label id. */
export type LabelCounts = ReadonlyMap<number, ReadonlyMap<number, number>>;

/** Labels of the members: those that they have (`labels`), or those that their neighbours suggest (`suggested`). */
export function countLabels(db: Reader, modelId: number, which: "labels" | "suggested"): LabelCounts {
  const counts = new Map<number, Map<number, number>>();
  forEachRow(db, sql[which], [modelId], (row) => {
    const clusterId = integer("memberships", row, "cluster_id");
    const labelId = integer("memberships", row, "label_id");
    const labels = counts.get(clusterId) ?? new Map<number, number>();
    labels.set(labelId, (labels.get(labelId) ?? 0) + 1);
    counts.set(clusterId, labels);
  });
  return counts;
}

/** Kinds of operations that make clusters of others. */
export const clusterOperationKinds = ["split-cluster", "merge-clusters", "divide-cluster"] as const;
export type ClusterOperationKind = (typeof clusterOperationKinds)[number];

/**
 * Takes the operations on a model's clusters out of the log: called where those clusters are about to go, since an operation
 * that cannot be undone would stand before all earlier ones.
 */
export function forgetClusterOperations(db: Writer, modelId: number): void {
  run(db, sql.forgetOperations, [modelId]);
}

/**
 * Puts a clustering in the place of the model's earlier one, all or nothing; what was split and merged in that one is no
 * longer in the history. Returns the new clusters' ids, in order.
 */
export function replaceClustering(
  db: Writer,
  { modelId, method: name, settings, createdAt }: Clustering,
  clusters: readonly NewCluster[],
): number[] {
  return transaction(db, () => {
    forgetClusterOperations(db, modelId);
    run(db, sql.deleteClustering, [modelId]);
    run(db, sql.insertClustering, [modelId, name, JSON.stringify(settings), createdAt]);
    return clusters.map((cluster) => insertCluster(db, modelId, cluster));
  });
}

/**
 * Puts clusters in the place of others of the same model, as part of an operation: a split or a merge. Members whose
 * embedding has gone since the clusters were computed are left out. Returns the new ids, in order. Throws
 * `cluster-unknown` where one of the old clusters has gone.
 */
export function regroupClusters(
  change: Change,
  modelId: number,
  oldIds: readonly number[],
  clusters: readonly NewCluster[],
): number[] {
  const { db } = change;
  const rows = new Map<number, MembershipRow>();
  for (const id of oldIds) {
    clusterById(db, id);
    for (const row of all(db, sql.typical, [id, noLimit])) {
      const { imageId, ...rest } = membershipOf(row);
      const key = { id: integer("memberships", row, "id"), model_id: modelId, image_id: imageId };
      rows.set(imageId, { ...key, cluster_id: rest.clusterId, similarity: rest.similarity, margin: rest.margin });
    }
  }
  const ids = clusters.map(({ centre }) =>
    change.insert("clusters", { model_id: modelId, centre: hexOf(bytesOf(centre)) }),
  );
  clusters.forEach(({ members: list }, at) => {
    for (const { imageId, similarity, margin } of list) {
      const row = rows.get(imageId);
      if (row === undefined) continue;
      change.update("memberships", { ...row, cluster_id: ids[at] ?? 0, similarity, margin });
    }
  });
  for (const id of oldIds) change.delete("clusters", id);
  return ids;
}

/** As SQLite's `hex` writes it. */
function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").toUpperCase();
}

function insertCluster(db: Writer, modelId: number, { centre, members: list }: NewCluster): number {
  const id = run(db, sql.insertCluster, [modelId, bytesOf(centre)]).rowId;
  for (const { imageId, similarity, margin } of list) {
    // The embedding may have gone while the clusters were computed.
    if (get(db, sql.known, [modelId, imageId]) === undefined) continue;
    run(db, sql.insertMembership, [modelId, imageId, id, similarity, margin]);
  }
  return id;
}
