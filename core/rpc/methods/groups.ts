/** Clusters and the map. The members of a cluster are images of a filter; the points of a map come over HTTP. */
import * as v from "valibot";
import type { ClusterDetails } from "../api.ts";
import { change, look } from "../define.ts";
import type { LibraryMap, Operation } from "../records.ts";
import { device, id, ids, labelChoice, modelId, seed, whole } from "../schemas.ts";
import type { ClusterWall, Regrouping } from "../views.ts";

export const groupMethods = {
  /** The clusters of a model, largest first, each with its most typical members; empty where there are none. */
  "clusters.list": look<ClusterWall>()(v.strictObject({ modelId, typical: v.optional(whole(0, 50), 9) })),
  /** One cluster with its most typical and its most doubtful members. Throws `cluster-unknown`. */
  "clusters.get": look<ClusterDetails>()(v.strictObject({ clusterId: id, count: v.optional(whole(1, 1000), 50) })),
  /** Labels the members of a cluster but those in `except`; members with a label keep it unless `overwrite`. */
  "clusters.label": change<{ operation: Operation | null; labelled: number; kept: number }>()(
    v.strictObject({
      clusterId: id,
      label: labelChoice,
      overwrite: v.optional(v.boolean(), false),
      except: v.optional(ids, []),
    }),
  ),
  /** Makes several clusters of one by look, as one undoable act. */
  "clusters.split": change<Regrouping>()(
    v.strictObject({ clusterId: id, parts: v.optional(whole(2, 1000), 2), seed: v.optional(seed, 1), device }),
  ),
  /** Makes one cluster of several, as one undoable act. */
  "clusters.merge": change<Regrouping>()(
    v.strictObject({ clusterIds: v.pipe(ids, v.minLength(2), v.maxLength(10_000)) }),
  ),
  /**
   * Makes several clusters of one, each of the images named, and one more of those that none names, as one undoable act.
   * So odd members are taken out. Throws `option-invalid` for an image that is no member or is named twice.
   */
  "clusters.divide": change<Regrouping>()(
    v.strictObject({
      clusterId: id,
      groups: v.pipe(v.array(v.pipe(ids, v.minLength(1))), v.minLength(1), v.maxLength(10_000)),
    }),
  ),
  /** How a model's map was made, and how many images have a place; null where there is none. Points: `mapPath`. */
  "map.get": look<(LibraryMap & { points: number }) | null>()(v.strictObject({ modelId })),
} as const;
