import { CoreError } from "../util/errors.ts";
import { packHashes, packedDistance, visitHashPairs } from "./hash-pairs.ts";
import { queryCountOf, type NeighbourTable } from "./nearest.ts";
import { createUnionFind } from "./union-find.ts";

/** What is known of one picture. */
export interface Picture {
  /** Of the file's bytes; null where unknown. */
  readonly contentHash: string | null;
  /** 64-bit difference hash, 16 hex digits; null where unknown. */
  readonly perceptualHash: string | null;
  readonly labelId: number | null;
  /** Width times height. */
  readonly pixels: number;
}

/** What a model saw in some of the pictures. */
export interface PictureFeatures {
  /** Row of the table for each picture, -1 for one without an embedding. */
  readonly rows: Int32Array;
  /** Nearest rows of every row, itself left out. */
  readonly table: NeighbourTable;
  /** Cosine of two rows. */
  readonly similarity: (first: number, second: number) => number;
}

/** A picture of a group, and how close it is to the group's first. Null where a hash or an embedding is missing. */
export interface DuplicateMember {
  readonly picture: number;
  readonly similarity: number | null;
  /** Bits in which the perceptual hashes differ. */
  readonly hashBits: number | null;
}

/** Pictures that show the same. */
export interface DuplicateGroup {
  /** The best first: labelled before unlabelled, then the largest. */
  readonly members: readonly DuplicateMember[];
  /** Whether they have two labels or more between them: one at least is wrong. */
  readonly conflict: boolean;
  /** How close the furthest member is to the best, 0 to 1: cosine, or the share of equal bits. */
  readonly closeness: number;
}

/**
 * When two pictures count as the same. Distances of embeddings are relative: 1 - cosine over the mean (geometric) of the
 * two pictures' own scales, which are the distance to the last neighbour of the table (of 20). So they fit every model, and a
 * crowd of similar pictures has to be closer than a lonely pair. All were set on 1,000 photos of groceries with 400 copies
 * (bench/label-checks.ts draws others).
 */
export interface DuplicateThresholds {
  /** Hashes this close need no second opinion. */
  readonly sureBits: number;
  /** Hashes this close do where embeddings are no further than `roughDistance`, or missing. */
  readonly nearBits: number;
  readonly roughDistance: number;
  /** Embeddings this close do where hashes are no further than `farBits`: a crop moves many bits. */
  readonly closeDistance: number;
  readonly farBits: number;
  /** Embeddings this close do where a hash is missing, or says nothing by itself. */
  readonly sureDistance: number;
}

export const duplicateThresholds: DuplicateThresholds = {
  sureBits: 4,
  nearBits: 8,
  roughDistance: 1,
  closeDistance: 0.15,
  farBits: 20,
  sureDistance: 0.05,
};

/** Neighbours of the table that a search for duplicates should ask for. */
export const duplicateNeighbours = 20;

/**
 * Bits that must be set, and unset, in a hash that says something by itself: hashes of plain pictures (a small thing on a
 * white ground) are nearly all zeros, and so always close to each other.
 */
const tellingBits = 12;

/** A scale below this part of the library's median is raised to it: among many copies the last neighbour is a copy too. */
const leastScale = 0.25;

/** Pictures of one hash that are compared with those of another: the rest hang together with these already. */
const comparedCopies = 16;

/**
 * Groups of pictures that show the same, from equal files, close perceptual hashes (found without comparing all pairs) and
 * close embeddings, joined transitively: if a is a copy of b and b of c, all three are a group. Groups with two labels come
 * first, then the closest. Throws `hash-invalid`, `check-shape`.
 */
export function findDuplicates(
  pictures: readonly Picture[],
  features: PictureFeatures | null,
  thresholds: DuplicateThresholds = duplicateThresholds,
): DuplicateGroup[] {
  const measure = createMeasure(pictures, features);
  const sets = createUnionFind(pictures.length);
  joinEqual(pictures, ({ contentHash }) => contentHash, sets.join);
  joinByHash(pictures, measure, thresholds, sets.join);
  if (features !== null) joinByEmbedding(features, measure, thresholds, sets.join);
  return sets
    .groups()
    .map((group) => describe(group, pictures, measure))
    .sort(
      (a, b) =>
        Number(b.conflict) - Number(a.conflict) ||
        b.closeness - a.closeness ||
        (a.members[0]?.picture ?? 0) - (b.members[0]?.picture ?? 0),
    );
}

type Join = (first: number, second: number) => void;

/** How far two pictures are from each other, where it is known. */
interface Measure {
  hashBits(first: number, second: number): number | null;
  similarity(first: number, second: number): number | null;
  /** Relative distance of the embeddings. */
  distance(first: number, second: number): number | null;
  /** Whether the hash of a picture says something by itself. */
  telling(picture: number): boolean;
}

function createMeasure(pictures: readonly Picture[], features: PictureFeatures | null): Measure {
  const none = "0000000000000000";
  const words = packHashes([...pictures.map(({ perceptualHash }) => perceptualHash ?? none), none]);
  const setBits = pictures.map((_, picture) => packedDistance(words, picture, pictures.length));
  const scales = features === null ? new Float64Array(0) : scalesOf(features.table);
  const known = (picture: number): boolean => (pictures[picture]?.perceptualHash ?? null) !== null;
  const rowOf = (picture: number): number => features?.rows[picture] ?? -1;
  const similarity = (first: number, second: number): number | null =>
    features === null || rowOf(first) < 0 || rowOf(second) < 0
      ? null
      : features.similarity(rowOf(first), rowOf(second));
  return {
    similarity,
    hashBits: (first, second) => (known(first) && known(second) ? packedDistance(words, first, second) : null),
    distance: (first, second) => {
      const cosine = similarity(first, second);
      if (cosine === null) return null;
      const scale = Math.sqrt((scales[rowOf(first)] ?? 0) * (scales[rowOf(second)] ?? 0));
      // Rounding leaves up to some 1e-7 between equal vectors; where all are equal there is no scale to divide by.
      const apart = Math.max(0, 1 - cosine);
      return apart < 1e-6 ? 0 : apart / Math.max(scale, 1e-12);
    },
    telling: (picture) => {
      const bits = setBits[picture] ?? 0;
      return known(picture) && bits >= tellingBits && bits <= 64 - tellingBits;
    },
  };
}

/**
 * Distance of each row to its last neighbour, 1 - cosine, not below `leastScale` of the median. In a library of few rows
 * the last neighbour is about the furthest of all pictures and no measure of closeness, so one of the first quarter serves.
 */
function scalesOf({ count, similarities }: NeighbourTable): Float64Array {
  const rows = count === 0 ? 0 : similarities.length / count;
  const rank = Math.min(count, Math.max(1, Math.floor(rows / 4)));
  const scales = Float64Array.from({ length: rows }, (_, row) => {
    return Math.max(0, 1 - (similarities[row * count + rank - 1] ?? 0));
  });
  const floor = leastScale * (scales.toSorted()[Math.floor(rows / 2)] ?? 0);
  return scales.map((scale) => Math.max(scale, floor));
}

/** Joins pictures for which `keyOf` gives the same text, each with the one before. */
function joinEqual(pictures: readonly Picture[], keyOf: (picture: Picture) => string | null, join: Join): void {
  const last = new Map<string, number>();
  pictures.forEach((picture, i) => {
    const key = keyOf(picture);
    if (key === null) return;
    const before = last.get(key);
    if (before !== undefined) join(before, i);
    last.set(key, i);
  });
}

function joinByHash(
  pictures: readonly Picture[],
  measure: Measure,
  { sureBits, nearBits, roughDistance }: DuplicateThresholds,
  join: Join,
): void {
  const joinIfSame = (first: number, second: number, bits: number): void => {
    if (bits <= sureBits || (measure.distance(first, second) ?? 0) <= roughDistance) join(first, second);
  };
  // Equal hashes are taken together, so that ten thousand copies of one picture are not fifty million pairs.
  const byHash = new Map<string, number[]>();
  pictures.forEach(({ perceptualHash }, i) => {
    if (perceptualHash === null || !measure.telling(i)) return;
    const same = byHash.get(perceptualHash);
    if (same === undefined) byHash.set(perceptualHash, [i]);
    else same.push(i);
  });
  const hashes = [...byHash.keys()];
  const members = [...byHash.values()];
  for (const same of members) same.forEach((picture, i) => joinIfSame(same[Math.max(0, i - 1)] ?? picture, picture, 0));
  visitHashPairs(packHashes(hashes), nearBits, (first, second, bits) => {
    for (const a of (members[first] ?? []).slice(0, comparedCopies)) {
      for (const b of (members[second] ?? []).slice(0, comparedCopies)) joinIfSame(a, b, bits);
    }
  });
}

function joinByEmbedding(
  { rows, table }: PictureFeatures,
  measure: Measure,
  { nearBits, roughDistance, closeDistance, farBits, sureDistance }: DuplicateThresholds,
  join: Join,
): void {
  const pictureOf = new Int32Array(queryCountOf(table)).fill(-1);
  rows.forEach((row, picture) => {
    if (row >= pictureOf.length)
      throw new CoreError("check-shape", `No neighbours came for the embedding in row ${row}.`);
    if (row >= 0) pictureOf[row] = picture;
  });
  for (let slot = 0; slot < table.indices.length; slot++) {
    const other = table.indices[slot] ?? -1;
    if (other < 0) continue;
    const first = pictureOf[Math.floor(slot / table.count)] ?? -1;
    const second = pictureOf[other] ?? -1;
    // Embedded, but no longer there.
    if (first < 0 || second < 0) continue;
    const distance = measure.distance(first, second) ?? Infinity;
    const bits = measure.hashBits(first, second);
    const same =
      bits === null || !measure.telling(first) || !measure.telling(second)
        ? distance <= sureDistance
        : (bits <= farBits && distance <= closeDistance) || (bits <= nearBits && distance <= roughDistance);
    if (same) join(first, second);
  }
}

function describe(group: readonly number[], pictures: readonly Picture[], measure: Measure): DuplicateGroup {
  const labelOf = (picture: number): number | null => pictures[picture]?.labelId ?? null;
  const sizeOf = (picture: number): number => pictures[picture]?.pixels ?? 0;
  const sorted = group.toSorted(
    (a, b) => Number(labelOf(a) === null) - Number(labelOf(b) === null) || sizeOf(b) - sizeOf(a) || a - b,
  );
  const best = sorted[0] ?? 0;
  const members = sorted.map((picture) => ({
    picture,
    similarity: measure.similarity(best, picture),
    hashBits: measure.hashBits(best, picture),
  }));
  const labels = new Set(group.map(labelOf).filter((label) => label !== null));
  const closeness = members.map(
    ({ similarity, hashBits }) => similarity ?? (hashBits === null ? 1 : 1 - hashBits / 64),
  );
  return { members, conflict: labels.size > 1, closeness: Math.max(0, Math.min(1, ...closeness)) };
}
