import { createHash } from "node:crypto";
import { forEachAnnotation } from "../library/annotations.ts";
import type { Reader } from "../library/database.ts";
import { listImages } from "../library/images.ts";
import type { Image } from "../rpc/records.ts";
import { createRandom } from "../util/random.ts";
import { filePaths } from "./mask-files.ts";

/** The pictures of a run, in the order that its generators count them in. */
export interface RunPictures {
  readonly imageIds: readonly number[];
  readonly paths: readonly string[];
  /** SHA-256 over the content hashes in order. */
  readonly fingerprint: string;
}

/** All images that can be read, in id order. */
export function runPictures(db: Reader): RunPictures {
  const pathOf = filePaths(db);
  const digest = createHash("sha256");
  const imageIds: number[] = [];
  const paths: string[] = [];
  for (const image of everyImage(db)) {
    if (image.problem !== null || image.missingSince !== null) continue;
    imageIds.push(image.id);
    paths.push(pathOf(image));
    digest.update(image.contentHash ?? "");
  }
  return { imageIds, paths, fingerprint: digest.digest("hex") };
}

function* everyImage(db: Reader): Generator<Image> {
  for (let after = 0; ;) {
    const page = listImages(db, { after });
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}

/** Which pictures a run is probed with, by their index; the same at every probe, and in every run on these pictures. */
export interface ProbePictures {
  readonly retrieval: readonly number[];
  readonly labelled: { readonly indices: readonly number[]; readonly labels: readonly number[] };
  readonly attention: readonly number[];
}

/** Pictures whose other crop is searched for: below some hundred the share jumps by whole percents. */
const retrievalCount = 256;

/** Labelled pictures that are embedded at each probe: a few seconds of work for the smallest networks. */
const labelledCount = 600;

/** Pictures whose attention is kept. */
const attentionCount = 6;

/** Fewest labelled pictures that an accuracy is worth taking of. */
const fewestLabelled = 10;

/** Chooses them by a fixed seed: neighbouring files are often of one shelf, and would find each other. */
export function probePictures(db: Reader, { imageIds }: RunPictures): ProbePictures {
  const order = createRandom(0).shuffled(imageIds.map((_, index) => index));
  return {
    retrieval: order.slice(0, retrievalCount),
    labelled: labelledPictures(db, imageIds, order),
    attention: order.slice(0, attentionCount),
  };
}

/** Labelled pictures, every label in turn, of labels that two pictures have at least. */
function labelledPictures(
  db: Reader,
  imageIds: readonly number[],
  order: readonly number[],
): ProbePictures["labelled"] {
  const labelOf = new Map<number, number>();
  forEachAnnotation(db, ({ imageId, labelId }) => labelOf.set(imageId, labelId));
  const byLabel = new Map<number, number[]>();
  for (const index of order) {
    const label = labelOf.get(imageIds[index] ?? -1);
    if (label === undefined) continue;
    const list = byLabel.get(label) ?? [];
    byLabel.set(label, list);
    list.push(index);
  }
  const groups = [...byLabel].filter(([, list]) => list.length >= 2).sort(([a], [b]) => a - b);
  const indices: number[] = [];
  const labels: number[] = [];
  for (let round = 0; indices.length < labelledCount; round++) {
    const before = indices.length;
    for (const [label, list] of groups) {
      const index = list[round];
      if (index === undefined || indices.length === labelledCount) continue;
      indices.push(index);
      labels.push(label);
    }
    if (indices.length === before) break;
  }
  const enough = groups.length >= 2 && indices.length >= fewestLabelled;
  return enough ? { indices, labels } : { indices: [], labels: [] };
}
