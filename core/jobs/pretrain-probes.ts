/** The pictures that a run is probed with: chosen once, kept with the run, and chosen again where they are others now. */
import { createHash } from "node:crypto";
import { forEachAnnotation } from "../library/annotations.ts";
import type { Reader } from "../library/database.ts";
import type { ProbePart, ProbeSet } from "../library/probe-sets.ts";
import { createRandom } from "../util/random.ts";
import type { RunPictures } from "./pretrain-pictures.ts";

/** A probe as the engine takes it: pictures by their index in the run. */
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

/**
 * What a run is to be probed with from `iteration` on: what it was probed with before as long as those pictures and
 * their labels are the same, so that its figures can be compared. They give way where they are a small part of what could
 * be taken now, as after labelling.
 */
export function chooseProbes(db: Reader, pictures: RunPictures, kept: ProbeSet | null, iteration: number): ProbeSet {
  const labelOf = labelsByImage(db);
  // By a fixed seed: neighbouring files are often of one shelf, and would find each other.
  const order = createRandom(0).shuffled(pictures.imageIds);
  const choose = (before: ProbePart | undefined, imageIds: readonly number[], labels: typeof labelOf): ProbePart => {
    const isSame = before !== undefined && fingerprintOf(before.imageIds, pictures, labels) === before.fingerprint;
    if (isSame && imageIds.length <= 2 * before.imageIds.length) return before;
    return { imageIds, fingerprint: fingerprintOf(imageIds, pictures, labels) ?? "", since: iteration };
  };
  return {
    pictures: choose(kept?.pictures, order.slice(0, retrievalCount), new Map()),
    labelled: choose(kept?.labelled, labelledPictures(order, labelOf), labelOf),
  };
}

/** The pictures of a probe by their index. */
export function probePictures(db: Reader, { imageIds }: RunPictures, set: ProbeSet): ProbePictures {
  const indexOf = new Map(imageIds.map((id, index) => [id, index]));
  const indices = (ids: readonly number[]): number[] => ids.map((id) => indexOf.get(id) ?? 0);
  const labelOf = labelsByImage(db);
  const retrieval = indices(set.pictures.imageIds);
  const labelled = set.labelled.imageIds;
  return {
    retrieval,
    labelled: { indices: indices(labelled), labels: labelled.map((id) => labelOf.get(id) ?? -1) },
    attention: retrieval.slice(0, attentionCount),
  };
}

function labelsByImage(db: Reader): Map<number, number> {
  const labelOf = new Map<number, number>();
  forEachAnnotation(db, ({ imageId, labelId }) => labelOf.set(imageId, labelId));
  return labelOf;
}

/** Over contents and labels; null where a picture is gone. */
function fingerprintOf(
  ids: readonly number[],
  { imageIds, contentHashes }: RunPictures,
  labelOf: ReadonlyMap<number, number>,
): string | null {
  const hashOf = new Map(imageIds.map((id, index) => [id, contentHashes[index]]));
  const digest = createHash("sha256");
  for (const id of ids) {
    const hash = hashOf.get(id);
    if (hash === undefined) return null;
    digest.update(`${hash} ${labelOf.get(id) ?? ""}\n`);
  }
  return digest.digest("hex");
}

/** Labelled pictures, every label in turn, of labels that two pictures have at least. */
function labelledPictures(order: readonly number[], labelOf: ReadonlyMap<number, number>): number[] {
  const byLabel = new Map<number, number[]>();
  for (const id of order) {
    const label = labelOf.get(id);
    if (label === undefined) continue;
    const list = byLabel.get(label) ?? [];
    byLabel.set(label, list);
    list.push(id);
  }
  const groups = [...byLabel]
    .filter(([, list]) => list.length >= 2)
    .sort(([a], [b]) => a - b)
    .map(([, list]) => list);
  const rounds = Math.max(0, ...groups.map(({ length }) => length));
  const chosen = Array.from({ length: rounds }, (_, round) => groups.flatMap((list) => list.slice(round, round + 1)))
    .flat()
    .slice(0, labelledCount);
  return groups.length >= 2 && chosen.length >= fewestLabelled ? chosen : [];
}
