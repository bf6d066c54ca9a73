import { rename, rm, writeFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { drawSvg } from "../engine/draw-svg.ts";
import { annotationsOfImages } from "../library/annotations.ts";
import { clusteringOf, forEachMembership } from "../library/clusters.ts";
import type { Reader } from "../library/database.ts";
import { listLabels } from "../library/labels.ts";
import { mapPoints } from "../library/maps.ts";
import type { ShownPoint } from "../rpc/api.ts";
import type { Model } from "../rpc/records.ts";
import { mapPicture } from "../suggest/map-picture.ts";
import { CoreError } from "../util/errors.ts";
import { showClusters } from "./show-clusters.ts";

/** The points of a model's map with label and cluster. Throws `map-missing`. */
export function showMap(db: Reader, model: Model): ShownPoint[] {
  const points = mapPoints(db, model.id);
  if (points.length === 0) {
    throw new CoreError("map-missing", `There is no map of ${model.name} yet.`, { hint: "Run `dinoscope map` first." });
  }
  const names = new Map(listLabels(db).map(({ id, name }) => [id, name]));
  const ids = points.map(({ imageId }) => imageId);
  const annotations = annotationsOfImages(db, ids);
  const clusters = new Map<number, number>();
  forEachMembership(db, model.id, ({ imageId, clusterId }) => clusters.set(imageId, clusterId));
  return points.map((point) => ({
    ...point,
    label: names.get(annotations.get(point.imageId)?.labelId ?? 0) ?? null,
    clusterId: clusters.get(point.imageId) ?? null,
  }));
}

export interface DrawMapOptions {
  readonly colour: "label" | "cluster";
  /** Ends in .svg or .png. */
  readonly file: string;
}

/**
 * Writes the picture of a map; the file appears whole or not at all. Returns its path. Throws `map-missing`,
 * `clusters-missing`, `option-invalid` for another ending, `file-unwritable`.
 */
export async function drawMap(
  db: Reader,
  model: Model,
  { colour, file }: DrawMapOptions,
  signal?: AbortSignal,
): Promise<string> {
  const ending = extname(file).toLowerCase();
  if (ending !== ".svg" && ending !== ".png") {
    throw new CoreError("option-invalid", `A map is written as .svg or .png, not as ${ending === "" ? file : ending}.`);
  }
  const shown = showMap(db, model);
  if (colour === "cluster" && clusteringOf(db, model.id) === null) {
    throw new CoreError("clusters-missing", `The images of ${model.name} are not clustered.`, {
      hint: "Run `dinoscope cluster` first.",
    });
  }
  const names = colour === "cluster" ? clusterNames(db, model) : new Map<number, string>();
  const points = shown.map(({ x, y, label, clusterId }) => ({
    x,
    y,
    group: colour === "label" ? label : (names.get(clusterId ?? 0) ?? null),
  }));
  const svg = mapPicture(points, {
    title: `Map of ${points.length.toLocaleString("en")} images by ${colour}`,
    subtitle: `${model.name}${model.trained ? "" : " (random weights)"}, UMAP; near each other means alike to the model`,
    none: colour === "label" ? "no label" : "no cluster",
  });
  const path = resolve(file);
  const part = `${path}.part${ending}`;
  try {
    if (ending === ".svg") await writeFile(part, svg);
    else await drawSvg(svg, part, signal);
    await rename(part, path);
  } catch (cause) {
    await rm(part, { force: true });
    signal?.throwIfAborted();
    if (cause instanceof CoreError) throw cause;
    throw new CoreError("file-unwritable", `The picture ${path} could not be written.`, { cause });
  }
  return path;
}

/** `12 Oat Drink`: the number of a cluster, and the name that most of it speaks for. */
function clusterNames(db: Reader, model: Model): Map<number, string> {
  return new Map(
    showClusters(db, model.id).map(({ id, proposal }) => [id, proposal === null ? `${id}` : `${id} ${proposal.label}`]),
  );
}
