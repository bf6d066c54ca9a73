import { annotationsOfImages } from "../library/annotations.ts";
import {
  clusterById,
  countLabels,
  listClusters,
  members,
  type LabelCounts,
  type StoredCluster,
} from "../library/clusters.ts";
import type { Reader } from "../library/database.ts";
import { imagesByIds } from "../library/images.ts";
import { listLabels } from "../library/labels.ts";
import type { ClusterDetails, ProposedName, ShownCluster, ShownMember } from "../rpc/api.ts";
import type { Membership } from "../rpc/records.ts";

/** The clusters of a model with what their labels say, largest first. */
export function showClusters(db: Reader, modelId: number): ShownCluster[] {
  return described(db, modelId, listClusters(db, modelId)).sort((a, b) => b.size - a.size || a.id - b.id);
}

/** One cluster with its `count` most typical and most doubtful members. Throws `cluster-unknown`. */
export function showCluster(db: Reader, id: number, count: number): ClusterDetails {
  const stored = clusterById(db, id);
  const [cluster] = described(db, stored.modelId, [stored]);
  return {
    cluster: cluster ?? { ...stored, medoid: null, labelled: 0, purity: null, proposal: null },
    typical: shownMembers(db, members(db, id, "typical", count)),
    borderline: shownMembers(db, members(db, id, "borderline", count)),
  };
}

function described(db: Reader, modelId: number, clusters: readonly StoredCluster[]): ShownCluster[] {
  const names = new Map(listLabels(db).map(({ id, name }) => [id, name]));
  const labels = countLabels(db, modelId, "labels");
  const suggested = countLabels(db, modelId, "suggested");
  const medoids = imagesByIds(
    db,
    clusters.flatMap(({ medoidImageId }) => medoidImageId ?? []),
  );
  const images = new Map(medoids.map((image) => [image.id, image]));
  return clusters.map(({ id, size, medoidImageId }) => {
    const own = commonest(labels, id);
    const near = own ?? commonest(suggested, id);
    const proposal: ProposedName | null =
      near === null
        ? null
        : {
            labelId: near.labelId,
            label: names.get(near.labelId) ?? "",
            share: near.count / near.total,
            source: own === null ? "neighbours" : "members",
          };
    return {
      id,
      modelId,
      size,
      medoidImageId,
      medoid: images.get(medoidImageId ?? 0) ?? null,
      labelled: own?.total ?? 0,
      purity: own === null ? null : own.count / own.total,
      proposal,
    };
  });
}

/** The commonest label of a cluster, the one with the lower id among equals. */
function commonest(
  counts: LabelCounts,
  clusterId: number,
): { readonly labelId: number; readonly count: number; readonly total: number } | null {
  const labels = [...(counts.get(clusterId) ?? [])].sort(([idA, a], [idB, b]) => b - a || idA - idB);
  const [first] = labels;
  if (first === undefined) return null;
  return { labelId: first[0], count: first[1], total: labels.reduce((sum, [, count]) => sum + count, 0) };
}

function shownMembers(db: Reader, list: readonly Membership[]): ShownMember[] {
  const ids = list.map(({ imageId }) => imageId);
  const images = new Map(imagesByIds(db, ids).map((image) => [image.id, image]));
  const labels = new Map(listLabels(db).map(({ id, name }) => [id, name]));
  const annotations = annotationsOfImages(db, ids);
  return list.flatMap((member) => {
    const image = images.get(member.imageId);
    const labelId = annotations.get(member.imageId)?.labelId;
    return image === undefined ? [] : [{ ...member, image, label: labels.get(labelId ?? 0) ?? null }];
  });
}
