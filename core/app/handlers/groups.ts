/** Handlers of core/rpc/methods/groups.ts. */
import { divideCluster, splitCluster } from "../../jobs/cluster-changes.ts";
import { showClusters } from "../../jobs/show-clusters.ts";
import { annotationsOfImages } from "../../library/annotations.ts";
import { clusterById, clusteringOf, members } from "../../library/clusters.ts";
import { countMapPoints, mapOf } from "../../library/maps.ts";
import type { groupMethods } from "../../rpc/methods/groups.ts";
import type { Regrouping } from "../../rpc/views.ts";
import { deviceOf, modelIdOf, type Handlers, type Office } from "../office.ts";
import { labelImages } from "./labels.ts";

/** SQLite's LIMIT for all of them. */
const noLimit = -1;

export function groupHandlers(office: Office): Handlers<typeof groupMethods> {
  const { db } = office.library;
  const changed = (regrouping: Regrouping): Regrouping => {
    office.changed(["clusters", "history"], null);
    return regrouping;
  };
  return {
    "clusters.list": ({ modelId, typical }) => {
      const id = modelIdOf(office, modelId);
      const clustering = id === null ? null : clusteringOf(db, id);
      if (id === null || clustering === null) return { clustering: null, clusters: [], noise: 0 };
      const { embedded, clusterIds } = office.columns.ofModel(id);
      const noise = embedded.reduce((sum, value, row) => sum + (value === 1 && clusterIds[row] === 0 ? 1 : 0), 0);
      const clusters = showClusters(db, id).map((cluster) => ({
        ...cluster,
        typical: members(db, cluster.id, "typical", typical).map(({ imageId }) => imageId),
      }));
      return { clustering, clusters, noise };
    },
    "clusters.get": ({ clusterId, count }) => office.app.cluster(clusterId, count),
    "clusters.label": ({ clusterId, label, overwrite, except }) => {
      clusterById(db, clusterId);
      const left = new Set(except);
      const meant = members(db, clusterId, "typical", noLimit)
        .map(({ imageId }) => imageId)
        .filter((imageId) => !left.has(imageId));
      const taken = overwrite ? new Map<number, unknown>() : annotationsOfImages(db, meant);
      const chosen = meant.filter((imageId) => !taken.has(imageId));
      const kept = meant.length - chosen.length;
      if (chosen.length === 0) return { operation: null, labelled: 0, kept };
      const { operation } = labelImages(office, chosen, label, { provenance: "cluster", kind: "label-cluster" });
      return { operation, labelled: chosen.length, kept };
    },
    "clusters.split": async ({ clusterId, parts, seed, device }) => {
      const workplace = { library: office.library, engine: office.desk.engine };
      return changed(await splitCluster(workplace, clusterId, { parts, seed, device: deviceOf(office, device) }));
    },
    "clusters.merge": ({ clusterIds }) => changed(office.app.mergeClusters(clusterIds)),
    "clusters.divide": ({ clusterId, groups }) => changed(divideCluster(office.library, clusterId, groups)),
    "map.get": ({ modelId }) => {
      const id = modelIdOf(office, modelId);
      const map = id === null ? null : mapOf(db, id);
      return id === null || map === null ? null : { ...map, points: countMapPoints(db, id) };
    },
  };
}
