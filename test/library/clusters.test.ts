import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { assignLabels } from "../../core/library/annotations.ts";
import { deleteCheckpoints, getCheckpoint, putCheckpoint } from "../../core/library/checkpoints.ts";
import {
  clusterById,
  clusteringOf,
  countLabels,
  forEachMembership,
  listClusters,
  members,
  replaceClustering,
  regroupClusters,
} from "../../core/library/clusters.ts";
import { connectionOf, type Writer } from "../../core/library/database.ts";
import { insertEmbeddings } from "../../core/library/embeddings.ts";
import { createLabels } from "../../core/library/label-changes.ts";
import { addMapPoints, mapColumns, mapOf, mapPoints, replaceMap } from "../../core/library/maps.ts";
import { deleteModel } from "../../core/library/models.ts";
import type { Library } from "../../core/library/open.ts";
import { history, recordOperation, redo, undo } from "../../core/library/operations.ts";
import type { Clustering } from "../../core/rpc/records.ts";
import { addImages, addModel, errorOf, temporaryFolder, temporaryLibrary } from "./support.ts";

/** A library with a model and images that it embedded. */
function prepared(count: number, folder?: string): { db: Writer; ids: number[]; modelId: number; library: Library } {
  const library = temporaryLibrary(folder);
  const { db } = library;
  const ids = addImages(db, count);
  const { id: modelId } = addModel(db);
  insertEmbeddings(
    db,
    modelId,
    ids.map((imageId) => ({ imageId, vector: Float32Array.of(1, 0, 0, 0) })),
  );
  return { db, ids, modelId, library };
}

function clustering(modelId: number): Clustering {
  return { modelId, method: "k-means", settings: { count: 2, seed: 1 }, createdAt: 5 };
}

const centre = Float32Array.of(0, 1, 0, 0);

/** A split or merge as the app makes it. */
function regroup(db: Writer, modelId: number, oldIds: number[], clusters: ReturnType<typeof cluster>[]): number[] {
  const step = { kind: "split-cluster", summary: "Split" };
  return recordOperation(db, step, (change) => regroupClusters(change, modelId, oldIds, clusters)).result;
}

/** All that is stored of a model's clusters. */
function everything(db: Writer, modelId: number): unknown {
  const memberships: unknown[] = [];
  forEachMembership(db, modelId, (membership) => memberships.push(membership));
  return { clusters: listClusters(db, modelId), memberships };
}

function cluster(imageIds: readonly (number | undefined)[]): Parameters<typeof replaceClustering>[2][number] {
  return {
    centre,
    // The later, the less typical and the more borderline.
    members: imageIds.map((imageId = 0, i) => ({ imageId, similarity: 1 - i / 10, margin: 0.5 - i / 10 })),
  };
}

describe("clusters", () => {
  test("come back as they were stored, with size, medoid, and members in both orders", () => {
    const { db, ids, modelId } = prepared(5);
    const [first = 0, second = 0] = replaceClustering(db, clustering(modelId), [
      cluster([ids[2], ids[0], ids[4]]),
      cluster([ids[1]]),
    ]);
    expect(clusteringOf(db, modelId)).toEqual(clustering(modelId));
    expect(listClusters(db, modelId)).toEqual([
      { id: first, modelId, size: 3, medoidImageId: ids[2], centre },
      { id: second, modelId, size: 1, medoidImageId: ids[1], centre },
    ]);
    expect(members(db, first, "typical", 2).map(({ imageId }) => imageId)).toEqual([ids[2], ids[0]]);
    expect(members(db, first, "borderline", 2).map(({ imageId }) => imageId)).toEqual([ids[4], ids[0]]);
    expect(errorOf(() => clusterById(db, 99)).code).toBe("cluster-unknown");
  });

  test("make way for a new clustering of the same model, and of no other", () => {
    const { db, ids, modelId } = prepared(3);
    const other = addModel(db, "other");
    insertEmbeddings(db, other.id, [{ imageId: ids[0] ?? 0, vector: Float32Array.of(1, 0, 0, 0) }]);
    replaceClustering(db, clustering(other.id), [cluster([ids[0]])]);
    replaceClustering(db, clustering(modelId), [cluster(ids)]);
    const [id] = replaceClustering(db, { ...clustering(modelId), method: "hdbscan" }, [cluster([ids[0]])]);
    expect(listClusters(db, modelId).map((found) => [found.id, found.size])).toEqual([[id, 1]]);
    expect(listClusters(db, other.id)).toHaveLength(1);
  });

  test("are replaced a few at a time, all or none", () => {
    const { db, ids, modelId } = prepared(4);
    const [first = 0, second = 0] = replaceClustering(db, clustering(modelId), [
      cluster([ids[0], ids[1], ids[2]]),
      cluster([ids[3]]),
    ]);
    expect(errorOf(() => regroup(db, modelId, [first, 99], [cluster([ids[0], ids[1]])])).code).toBe("cluster-unknown");
    expect(clusterById(db, first).size).toBe(3);
    const parts = regroup(db, modelId, [first], [cluster([ids[0]]), cluster([ids[1], ids[2]])]);
    expect(listClusters(db, modelId).map(({ id, size }) => [id, size])).toEqual([
      [second, 1],
      [parts[0], 1],
      [parts[1], 2],
    ]);
  });

  test("count the labels of their members", () => {
    const { db, ids, modelId } = prepared(4);
    const [id = 0] = replaceClustering(db, clustering(modelId), [cluster(ids)]);
    const labels = createLabels(db, [["oat"], ["milk"]]).result.map((label) => label.id);
    assignLabels(
      db,
      [0, 0, 1].map((label, i) => ({
        imageId: ids[i] ?? 0,
        labelId: labels[label] ?? 0,
        provenance: "person",
        confidence: null,
      })),
      { kind: "test", summary: "" },
    );
    expect(countLabels(db, modelId, "labels").get(id)).toEqual(
      new Map([
        [labels[0], 2],
        [labels[1], 1],
      ]),
    );
    expect(countLabels(db, modelId, "suggested").size).toBe(0);
  });

  test("and points of a map go with the embedding that they were computed from", () => {
    const { db, ids, modelId } = prepared(2);
    const [id = 0] = replaceClustering(db, clustering(modelId), [cluster(ids)]);
    replaceMap(db, { modelId, settings: { seed: 1 }, createdAt: 5 }, [
      { imageId: ids[0] ?? 0, x: 1, y: 2, placed: false },
    ]);
    addMapPoints(db, modelId, [{ imageId: ids[1] ?? 0, x: 3, y: -4, placed: true }]);
    expect(mapOf(db, modelId)).toEqual({ modelId, settings: { seed: 1 }, createdAt: 5 });
    connectionOf(db).prepare("DELETE FROM embeddings WHERE image_id = ?").run(ids[0]);
    expect(members(db, id, "typical", 9).map(({ imageId }) => imageId)).toEqual([ids[1]]);
    expect(mapPoints(db, modelId)).toEqual([{ imageId: ids[1], x: 3, y: -4, placed: true }]);
    expect(mapColumns(db, modelId)).toEqual({
      image_id: Float64Array.of(ids[1] ?? 0),
      x: Float64Array.of(3),
      y: Float64Array.of(-4),
      placed: Float64Array.of(1),
    });
    // An embedding that went away while clusters were computed is no reason to lose the others.
    expect(replaceClustering(db, clustering(modelId), [cluster(ids)])).toHaveLength(1);
    expect(listClusters(db, modelId)[0]?.size).toBe(1);
  });
});

describe("splits and merges of clusters", () => {
  test("are taken back and done again to the last number, also after a restart", () => {
    const folder = join(temporaryFolder(), "library");
    const { db, ids, modelId, library } = prepared(5, folder);
    const [first = 0] = replaceClustering(db, clustering(modelId), [
      { centre: Float32Array.of(0.1, 0.7, -0.3, 0), members: cluster(ids.slice(0, 4)).members },
      cluster([ids[4]]),
    ]);
    const before = everything(db, modelId);
    const parts = regroup(db, modelId, [first], [cluster([ids[3], ids[1]]), cluster([ids[2], ids[0]])]);
    const split = everything(db, modelId);
    regroup(db, modelId, parts, [cluster(ids.slice(0, 4))]);
    const merged = everything(db, modelId);
    undo(db);
    expect(everything(db, modelId)).toEqual(split);
    library.close();
    const again = temporaryLibrary(folder).db;
    expect(undo(again)?.kind).toBe("split-cluster");
    expect(everything(again, modelId)).toEqual(before);
    redo(again);
    expect(everything(again, modelId)).toEqual(split);
    redo(again);
    expect(everything(again, modelId)).toEqual(merged);
  });

  test("are taken back without the images whose embedding has gone, whoever has their row by now", () => {
    const { db, ids, modelId } = prepared(4);
    const [first = 0] = replaceClustering(db, clustering(modelId), [cluster(ids)]);
    const parts = regroup(db, modelId, [first], [cluster(ids.slice(0, 2)), cluster(ids.slice(2))]);
    connectionOf(db).prepare("DELETE FROM embeddings WHERE image_id IN (?, ?)").run(ids[0], ids[3]);
    // The number of the last row is given to the next one: a member of another model's cluster.
    const other = addModel(db, "other");
    insertEmbeddings(db, other.id, [{ imageId: ids[3] ?? 0, vector: Float32Array.of(1, 0, 0, 0) }]);
    replaceClustering(db, clustering(other.id), [cluster([ids[3]])]);
    const strangers = everything(db, other.id);
    undo(db);
    expect(listClusters(db, modelId).map(({ id, size }) => [id, size])).toEqual([[first, 2]]);
    expect(everything(db, other.id)).toEqual(strangers);
    redo(db);
    expect(listClusters(db, modelId).map(({ id, size }) => [id, size])).toEqual(parts.map((id) => [id, 1]));
  });

  test("leave the history with the clustering that they were of, and nothing else does", () => {
    const { db, ids, modelId } = prepared(4);
    const other = addModel(db, "other");
    const vector = Float32Array.of(1, 0, 0, 0);
    insertEmbeddings(
      db,
      other.id,
      ids.map((imageId) => ({ imageId, vector })),
    );
    createLabels(db, [["oat"]]);
    const halves = [cluster(ids.slice(0, 2)), cluster(ids.slice(2))];
    for (const id of [modelId, other.id]) {
      const [all = 0] = replaceClustering(db, clustering(id), [cluster(ids)]);
      regroup(db, id, [all], halves);
    }
    createLabels(db, [["soy"]]);
    expect(history(db, 9).map(({ kind }) => kind)).toEqual([
      "create-labels",
      "split-cluster",
      "split-cluster",
      "create-labels",
    ]);
    replaceClustering(db, clustering(modelId), [cluster(ids)]);
    const left = history(db, 9);
    expect(left.map(({ kind }) => kind)).toEqual(["create-labels", "split-cluster", "create-labels"]);
    deleteModel(db, other.id);
    expect(history(db, 9).map(({ id }) => id)).toEqual([left[0]?.id, left[2]?.id]);
    // What came before can be taken back.
    undo(db);
    expect(undo(db)?.kind).toBe("create-labels");
  });
});

describe("checkpoints", () => {
  test("are found by what they were computed from, and part by part", () => {
    const { db, modelId } = prepared(1);
    const key = { modelId, kind: "map", fingerprint: "a" };
    putCheckpoint(db, key, 0, Uint8Array.of(1));
    putCheckpoint(db, key, 1, Uint8Array.of(2));
    expect(getCheckpoint(db, key, 1)).toEqual(Buffer.of(2));
    expect(getCheckpoint(db, { ...key, fingerprint: "b" }, 1)).toBeNull();
    putCheckpoint(db, { ...key, fingerprint: "b" }, 1, Uint8Array.of(3));
    expect(getCheckpoint(db, key, 1)).toBeNull();
    deleteCheckpoints(db, modelId, "map", 1);
    expect(getCheckpoint(db, { ...key, fingerprint: "b" }, 1)).toBeNull();
    expect(getCheckpoint(db, key, 0)).toEqual(Buffer.of(1));
  });
});
