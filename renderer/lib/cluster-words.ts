import { isTold, type WallCluster } from "./cluster-order.ts";
import { counted, inFull, percent } from "./words.ts";

/** How far a cluster is, in words. */
export function clusterState(cluster: WallCluster): string {
  const { size, labelled, purity } = cluster;
  if (labelled === 0) return "nothing labelled";
  const much = labelled >= size ? "all labelled" : `${inFull(labelled)} labelled`;
  return purity === null || !isTold(cluster) ? much : `${much} · ${percent(purity)} pure`;
}

/** A cluster for those who do not see it. */
export function clusterWords(cluster: WallCluster): string {
  const name = cluster.proposal === null ? "No name yet" : cluster.proposal.label;
  return `${name}, ${counted(cluster.size, "image")}, ${clusterState(cluster)}`;
}
