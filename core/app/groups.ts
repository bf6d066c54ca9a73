/** Groups of images that look alike, and the map; see core/jobs/cluster.ts and map.ts. */
import { clusterImages, type ClusterOptions } from "../jobs/cluster.ts";
import {
  labelCluster,
  mergeClusters,
  splitCluster,
  type LabelClusterOptions,
  type SplitOptions,
} from "../jobs/cluster-changes.ts";
import { drawMap, showMap, type DrawMapOptions } from "../jobs/draw-map.ts";
import { mapImages, type MapOptions } from "../jobs/map.ts";
import { modelInUse } from "../jobs/models.ts";
import type { Watch, Workplace } from "../jobs/run.ts";
import { showCluster, showClusters } from "../jobs/show-clusters.ts";
import type { ClusterDetails, ClusterSummary, MapSummary, ShownCluster, ShownPoint } from "../rpc/api.ts";
import type { Regrouping } from "../rpc/views.ts";
import type { Desk, ModelChoice } from "./desk.ts";

/** Looking at groups. */
export interface GroupViews {
  /** The clusters of a model, largest first. */
  clusters(model?: string): ShownCluster[];
  /** One cluster with its `count` most typical and most doubtful members. */
  cluster(id: number, count: number): ClusterDetails;
  /** The points of a model's map. */
  mapPoints(model?: string): ShownPoint[];
  /** Writes the picture of a model's map; returns its path. */
  drawMap(model: string | undefined, options: DrawMapOptions, signal?: AbortSignal): Promise<string>;
}

/** Grouping images, and changing groups. */
export interface GroupChanges {
  makeClusters(choice: ModelChoice & Omit<ClusterOptions, "device">, watch?: Watch): Promise<ClusterSummary>;
  splitCluster(id: number, options: SplitOptions): Promise<Regrouping>;
  mergeClusters(ids: readonly number[]): Regrouping;
  labelCluster(id: number, options: LabelClusterOptions): ReturnType<typeof labelCluster>;
  /** Makes a model's map, or places new images on it. */
  map(choice: ModelChoice & Omit<MapOptions, "device">, watch?: Watch): Promise<MapSummary>;
}

export function groupViews({ library: { db } }: Desk): GroupViews {
  return {
    clusters: (model) => showClusters(db, modelInUse(db, model).id),
    cluster: (id, count) => showCluster(db, id, count),
    mapPoints: (model) => showMap(db, modelInUse(db, model)),
    drawMap: (model, options, signal) => drawMap(db, modelInUse(db, model), options, signal),
  };
}

export function groupChanges(workplace: Workplace): GroupChanges {
  const { library } = workplace;
  const { db } = library;
  return {
    makeClusters: ({ model, ...options }, watch) => clusterImages(workplace, modelInUse(db, model), options, watch),
    splitCluster: (id, options) => splitCluster(workplace, id, options),
    mergeClusters: (ids) => mergeClusters(library, ids),
    labelCluster: (id, options) => labelCluster(library, id, options),
    map: ({ model, ...options }, watch) => mapImages(workplace, modelInUse(db, model), options, watch),
  };
}
