/** What leaves by HTTP: pictures and columns by id, each with a tag that changes with its content. */
import { realpath } from "node:fs/promises";
import { encodePng } from "../exports/png.ts";
import { modelFile } from "../jobs/model-file.ts";
import { storedGraph } from "../jobs/neighbour-graph.ts";
import { attentionOf } from "../library/attention.ts";
import { contentHashOf } from "../library/image-columns.ts";
import { mapColumns } from "../library/maps.ts";
import { masksOfImages } from "../library/masks.ts";
import { sourceById } from "../library/sources.ts";
import { getThumbnail } from "../library/thumbnails.ts";
import { nearestIndices } from "../masks/bitmap.ts";
import { decodeRuns, decompressRuns, pickRuns } from "../masks/rle.ts";
import { encodeGrid, encodeHealth, encodeImages, encodeMap, healthKinds, type HealthColumns } from "../rpc/columns.ts";
import type { Mask } from "../rpc/records.ts";
import { modelHealth } from "../suggest/model-health.ts";
import { CoreError } from "../util/errors.ts";
import { fileOf, knownImage } from "./handlers/images.ts";
import { listImagesAsColumns, type CheckedImageQuery } from "./image-list.ts";
import { deviceOf, modelIdOf, modelOf, type Office } from "./office.ts";
import { isInside } from "./roots.ts";

/** Bytes to send, made only when the tag is not the one that the browser has. */
export interface Content {
  readonly type: string;
  /** Without quotes. */
  readonly tag: string;
  /** The first digits of the content's hash: an address with them never shows anything else. */
  readonly version: string | null;
  /** The bytes, or the real path of a file to send. */
  readonly body: () => Uint8Array | { readonly file: string } | Promise<Uint8Array | { readonly file: string }>;
}

export interface Bytes {
  thumbnail(imageId: number): Content;
  picture(imageId: number): Promise<Content>;
  mask(imageId: number, overlay: boolean): Content;
  attention(imageId: number, look: { modelId: number; size: number }): Content;
  patches(imageId: number, look: { modelId: number; size: number }): Content;
  map(modelId: number): Content;
  health(modelId: number): Content;
  images(query: CheckedImageQuery): Content;
}

/** Formats that every browser shows, and their types. */
const shownFormats: Readonly<Record<string, string>> = {
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
  avif: "image/avif",
};

/** Longer side of a copy of a picture in another format. */
const viewSize = 4096;

/** Longer side of a mask that lies over a thumbnail. */
const overlaySize = 256;

const numbers = "application/octet-stream";

/** `instance` names this start of the core: revisions begin anew with it. */
export function createBytes(office: Office, instance: string): Bytes {
  const { db, thumbnails, folder } = office.library;
  const revisionTag = (name: string, revision: number): string => `${name}-${instance}-${revision}`;
  const patchContent = (
    imageId: number,
    { modelId, size }: { modelId: number; size: number },
    what: "attention" | "features",
  ): Content => {
    const image = knownImage(office, imageId);
    const model = modelOf(office, modelId);
    return {
      type: numbers,
      tag: `${what}-${model.hash.slice(0, 16)}-${size}-${image.contentHash?.slice(0, 32) ?? ""}`,
      version: null,
      body: async () => {
        if (size === 0) return storedAttention(office, modelId, imageId);
        const grid = await office.desk.engine.call("patchFeatures", {
          model: modelFile(folder, model),
          device: deviceOf(office),
          path: fileOf(office, image),
          size,
          what,
        });
        return encodeGrid({ ...grid, whole: true });
      },
    };
  };
  return {
    thumbnail: (imageId) => {
      const hash = contentHashOf(db, imageId);
      if (hash === null) throw absent(`There is no thumbnail of image ${imageId}.`);
      return {
        type: "image/webp",
        tag: hash.slice(0, 32),
        version: hash.slice(0, 8),
        body: () => {
          const webp = getThumbnail(thumbnails, hash);
          if (webp === null) throw absent(`There is no thumbnail of image ${imageId} yet.`);
          return webp;
        },
      };
    },
    picture: async (imageId) => {
      const image = knownImage(office, imageId);
      const file = await fileInside(office, imageId);
      const type = shownFormats[image.format ?? ""];
      const hash = image.contentHash ?? "";
      const view = { tag: `picture-${hash.slice(0, 32)}`, version: hash.slice(0, 8) };
      if (type !== undefined) return { ...view, type, body: () => ({ file }) };
      const body = (): Promise<Uint8Array> => office.desk.engine.call("viewPicture", { path: file, size: viewSize });
      return { ...view, type: "image/jpeg", body };
    },
    mask: (imageId, overlay) => {
      const mask = masksOfImages(db, [imageId]).get(imageId);
      if (mask === undefined) throw absent(`Image ${imageId} has no mask.`);
      const name = overlay ? "overlay" : "mask";
      const tag = revisionTag(`${name}-${imageId}-${mask.createdAt}`, office.revisions.of("masks"));
      return { type: "image/png", tag, version: null, body: () => maskPng(mask, overlay) };
    },
    attention: (imageId, look) => patchContent(imageId, look, "attention"),
    patches: (imageId, look) => {
      if (look.size === 0) throw new CoreError("params-invalid", "Features of patches need a size above 0.");
      return patchContent(imageId, look, "features");
    },
    map: (modelId) => ({
      type: numbers,
      tag: revisionTag(`map-${modelId}`, office.revisions.of("map", "models", "images", "embeddings")),
      version: null,
      body: () => {
        const points = mapColumns(db, modelOf(office, modelId).id);
        const columns = {
          ids: new Uint32Array(points.image_id),
          x: new Float32Array(points.x),
          y: new Float32Array(points.y),
          placed: new Uint8Array(points.placed),
        };
        return encodeMap(columns, office.revisions.total);
      },
    }),
    health: (modelId) => ({
      type: numbers,
      tag: revisionTag(`health-${modelId}`, office.revisions.of("map", "clusters", "models", "images", "annotations")),
      version: null,
      body: () => encodeHealth(healthOf(office, modelOf(office, modelId).id), office.revisions.total),
    }),
    images: (query) => ({
      type: numbers,
      tag: revisionTag("images", office.revisions.total),
      version: null,
      body: () =>
        encodeImages(listImagesAsColumns(office.list, query, modelIdOf(office, query.modelId)), office.revisions.total),
    }),
  };
}

/** How well a model knows the images that its graph of neighbours was made of. */
function healthOf(office: Office, modelId: number): HealthColumns {
  const graph = storedGraph(office.library.db, modelId);
  if (graph === null) return { ids: new Uint32Array(), health: new Uint8Array() };
  const ids = Uint32Array.from(graph.imageIds);
  const { labelIds } = office.columns.labels();
  const labels = ids.map((id) => labelIds[office.columns.rowOf(id)] ?? 0);
  return { ids, health: Uint8Array.from(modelHealth(graph.table, labels), (kind) => healthKinds.indexOf(kind)) };
}

function absent(message: string): CoreError {
  return new CoreError("not-found", message);
}

/** The real path of an image's file, which must lie inside its source: a link may not lead out of it. */
async function fileInside(office: Office, imageId: number): Promise<string> {
  const image = knownImage(office, imageId);
  const source = sourceById(office.library.db, image.sourceId);
  const real = await realpath(fileOf(office, image)).catch(() => null);
  const root = source === null ? null : await realpath(source.folder).catch(() => null);
  if (real === null || root === null) throw absent(`The file of image ${imageId} is not there now.`);
  if (!isInside(root, real))
    throw new CoreError("path-outside", `The file of image ${imageId} lies outside its source.`);
  return real;
}

function maskPng({ runs, width, height }: Mask, overlay: boolean): Uint8Array {
  const lengths = decompressRuns(runs, width, height);
  const scale = Math.min(1, overlaySize / Math.max(width, height));
  const bitmap =
    overlay && scale < 1
      ? pickRuns(
          lengths,
          nearestIndices(width, Math.max(1, Math.round(width * scale))),
          nearestIndices(height, Math.max(1, Math.round(height * scale))),
        )
      : decodeRuns(lengths);
  return encodePng({ width: bitmap.width, height: bitmap.height, data: bitmap.data, depth: 1 });
}

/** The attention stored with an embedding, of the square centre crop. Throws `not-found`. */
function storedAttention(office: Office, modelId: number, imageId: number): Uint8Array {
  const attention = attentionOf(office.library.db, modelId, imageId);
  if (attention === null) throw absent(`The model stored no attention for image ${imageId}.`);
  const { heads, rows, columns, scales, data } = attention;
  const patches = rows * columns;
  const values = Float32Array.from(data, (byte, i) => byte * (scales[Math.floor(i / patches)] ?? 0));
  return encodeGrid({ rows, columns, depth: heads, whole: false, values });
}
