import type { ClusterWall } from "../../core/rpc/views.ts";

export type WallCluster = ClusterWall["clusters"][number];
export type WallOrder = "largest" | "to-label" | "mixed";

/** Members without a label. */
export function leftOf({ size, labelled }: Pick<WallCluster, "size" | "labelled">): number {
  return Math.max(0, size - labelled);
}

/** Whether so many members have a label that it says something of the others: three, or half of a small cluster. */
export function isTold({ size, labelled }: Pick<WallCluster, "size" | "labelled">): boolean {
  return labelled >= Math.min(3, size / 2);
}

/**
 * Whether the proposed name is only a guess: suggested, the label of few members, or that of fewer than half of those that
 * have one.
 */
export function isGuess(cluster: Pick<WallCluster, "proposal" | "size" | "labelled">): boolean {
  const { proposal } = cluster;
  return proposal !== null && (proposal.source === "neighbours" || proposal.share < 0.5 || !isTold(cluster));
}

/** Clusters in an order of the wall; `all` false leaves out those where nothing is left to label. */
export function orderClusters(
  clusters: readonly WallCluster[],
  { order, all }: { readonly order: WallOrder; readonly all: boolean },
): WallCluster[] {
  const kept = clusters.filter((cluster) => all || leftOf(cluster) > 0);
  switch (order) {
    case "largest":
      return kept;
    case "to-label":
      return kept.sort((a, b) => leftOf(b) - leftOf(a));
    case "mixed":
      // Without two labelled members there is nothing to disagree about.
      return kept.sort((a, b) => doubtOf(b) - doubtOf(a));
  }
}

/** How many labelled members have another label than most. */
function doubtOf({ purity, labelled }: WallCluster): number {
  return purity === null ? 0 : (1 - purity) * labelled;
}

/**
 * A number of clusters to begin with: one for some 25 images, and not fewer than twice the labels. Small clusters are
 * pure, and two that belong together are merged in one act.
 */
export function usualClusterCount(images: number, labels: number): number {
  const wanted = Math.max(2 * labels, Math.round(images / 25), 2);
  return Math.max(1, Math.min(wanted, 1000, Math.floor(images / 2)));
}
