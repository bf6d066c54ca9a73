/** Bytes come over HTTP on the page's own origin, by GET unless said otherwise, with an ETag. Paths are made here only. */
import type { ImageQuery } from "./schemas.ts";

/** POST here as the owner: the answer is a ticket, which `/?ticket=` opens the page with, once and within a minute. */
export const ticketPath = "/ticket";

/** The WebSocket for messages and events. */
export const socketPath = "/socket";

/**
 * A thumbnail (WebP, longer side 256 pixels). `version` is from the list of images: with it the browser keeps the
 * thumbnail for good; 0 asks each time whether it has changed. 404 while there is none.
 */
export function thumbnailPath(imageId: number, version: number): string {
  return `/thumbnails/${imageId}${versionSuffix(version)}`;
}

/** The upright picture to look at: the file itself, or a JPEG copy of a format that browsers do not show. */
export function picturePath(imageId: number, version: number): string {
  return `/pictures/${imageId}${versionSuffix(version)}`;
}

/** The mask as a PNG of the upright picture's size: white where there is foreground, black and opaque elsewhere. */
export function maskPath(imageId: number): string {
  return `/masks/${imageId}.png`;
}

/**
 * The same mask as a small PNG, to lay over a thumbnail: longer side 256 pixels. In CSS: a coloured box with
 * `mask-image` and `mask-mode: luminance`.
 */
export function maskOverlayPath(imageId: number): string {
  return `/masks/${imageId}.png?overlay`;
}

/** Where a model looks. */
export interface PatchLook {
  readonly modelId: number;
  /** Pixels of a side of a square that has as many as the model looks at; the picture keeps its proportions. */
  readonly size: number;
}

/**
 * Attention from CLS to the patches in the last block, head by head; read it with `decodeGrid`. `size` 0 gives what is
 * stored with the embedding: at once, but of the square centre crop.
 */
export function attentionPath(imageId: number, { modelId, size }: PatchLook): string {
  return `/attention/${imageId}?model=${modelId}&size=${size}`;
}

/**
 * The features of every patch, each of length 1; read it with `decodeGrid`. The cosine of two patches, of one picture or
 * of two, is the sum of products: so "what else looks like this spot" needs no further call.
 */
export function patchesPath(imageId: number, { modelId, size }: PatchLook): string {
  return `/patches/${imageId}?model=${modelId}&size=${size}`;
}

/** The points of a model's map; read them with `decodeMap`. */
export function mapPath(modelId: number): string {
  return `/map/${modelId}`;
}

/**
 * How well a model knows each image, by the labels that there are now; read it with `decodeHealth`. Images that came after
 * the map or the clusters were last made are not in it; without either it is empty.
 */
export function healthPath(modelId: number): string {
  return `/health/${modelId}`;
}

/** The longest query that stands in an address; longer ones are posted. */
const longestAddress = 4000;

/** A list of images; read it with `decodeImages`. Give `body` (JSON) to fetch where there is one, with method POST. */
export function imagesRequest(query: ImageQuery): { readonly path: string; readonly body: string | null } {
  const text = JSON.stringify(query);
  const path = `/images?query=${encodeURIComponent(text)}`;
  return path.length <= longestAddress ? { path, body: null } : { path: "/images", body: text };
}

/**
 * POST a picture's bytes here to search by it: the answer is JSON, `{ queryId }`, for the sort `similarity`. The last
 * twenty are kept while the core runs. At most 64 MiB.
 */
export function queryPath(modelId: number): string {
  return `/queries?model=${modelId}`;
}

function versionSuffix(version: number): string {
  return version === 0 ? "" : `?v=${version.toString(16).padStart(8, "0")}`;
}
