import { describe, expect, test } from "vitest";
import { findDuplicates, type Picture, type PictureFeatures } from "../../core/suggest/duplicates.ts";
import { nearestRows } from "../../core/suggest/nearest.ts";
import { createUnionFind } from "../../core/suggest/union-find.ts";
import { createRandom, type Random } from "../../core/util/random.ts";

const width = 32;

function randomHash(random: Random): string {
  return Array.from({ length: 16 }, () => random.integer(16).toString(16)).join("");
}

/** The hash with this many of its bits turned over. */
function turned(hash: string, bits: number, random: Random): string {
  let value = BigInt(`0x${hash}`);
  for (const bit of random.shuffled([...Array(64).keys()]).slice(0, bits)) value ^= 1n << BigInt(bit);
  return value.toString(16).padStart(16, "0");
}

function picture(changes: Partial<Picture> = {}): Picture {
  return { contentHash: null, perceptualHash: null, labelId: null, pixels: 100, ...changes };
}

function unit(values: readonly number[]): number[] {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** Features of every picture: `vectors` in their order. */
function featuresOf(vectors: readonly (readonly number[])[], count = 20): PictureFeatures {
  const matrix = Float32Array.from(vectors.flatMap((vector) => unit(vector)));
  const exclude = Int32Array.from(vectors, (_, i) => i);
  return {
    rows: exclude,
    table: nearestRows(matrix, matrix, width, count, { exclude }),
    similarity: (a, b) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (matrix[a * width + i] ?? 0) * (matrix[b * width + i] ?? 0);
      return sum;
    },
  };
}

const membersOf = (groups: ReturnType<typeof findDuplicates>): number[][] =>
  groups.map(({ members }) => members.map(({ picture: index }) => index).sort((a, b) => a - b));

describe("duplicates", () => {
  test("are found by hash alone: planted copies within 8 bits and no others", () => {
    const random = createRandom(1);
    const pictures = Array.from({ length: 300 }, () => picture({ perceptualHash: randomHash(random) }));
    for (let i = 0; i < 30; i++) {
      pictures.push(picture({ perceptualHash: turned(pictures[i]?.perceptualHash ?? "", i % 9, random) }));
    }
    expect(membersOf(findDuplicates(pictures, null)).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual(
      Array.from({ length: 30 }, (_, i) => [i, 300 + i]),
    );
  });

  test("are found by embedding where a crop moved the hash, and a close hash alone does not make other pictures copies", () => {
    const random = createRandom(2);
    const vectors = Array.from({ length: 120 }, () => Array.from({ length: width }, () => random.normal()));
    const pictures = vectors.map(() => picture({ perceptualHash: randomHash(random) }));
    const add = (hashBits: number, vector: readonly number[]): void => {
      pictures.push(picture({ perceptualHash: turned(pictures[0]?.perceptualHash ?? "", hashBits, random) }));
      vectors.push([...vector]);
    };
    const near = (noise: number): number[] => (vectors[0] ?? []).map((value) => value + noise * random.normal());
    add(16, near(0.05)); // 120: a crop
    add(
      7,
      Array.from({ length: width }, () => random.normal()),
    ); // 121: another picture with a similar layout
    add(40, near(0.3)); // 122: the same scene, another moment
    expect(membersOf(findDuplicates(pictures, featuresOf(vectors)))).toEqual([[0, 120]]);
    // Without embeddings the layout is all there is.
    expect(membersOf(findDuplicates(pictures, null))).toEqual([[0, 121]]);
  });

  test("of the same bytes are one group, whatever hash and embedding say", () => {
    const pictures = [picture({ contentHash: "a" }), picture({ contentHash: "b" }), picture({ contentHash: "a" })];
    expect(findDuplicates(pictures, null)).toEqual([
      {
        members: [
          { picture: 0, similarity: null, hashBits: null },
          { picture: 2, similarity: null, hashBits: null },
        ],
        conflict: false,
        closeness: 1,
      },
    ]);
  });

  test("are not made of plain pictures, whose hashes are nearly all zeros", () => {
    const pictures = [
      "0000000000000000",
      "0000000000000001",
      "8000000000000001",
      "ffffffffffffffff",
      "fffffffffffffffe",
    ].map((perceptualHash) => picture({ perceptualHash }));
    expect(findDuplicates(pictures, null)).toEqual([]);
  });

  test("come with two labels first, the best picture ahead: labelled, then largest", () => {
    const random = createRandom(3);
    const [first, second] = [randomHash(random), randomHash(random)];
    const groups = findDuplicates(
      [
        picture({ perceptualHash: first, pixels: 900 }),
        picture({ perceptualHash: first, pixels: 100, labelId: 7 }),
        picture({ perceptualHash: first, pixels: 400, labelId: 7 }),
        picture({ perceptualHash: second, labelId: 1 }),
        picture({ perceptualHash: turned(second, 3, random), labelId: 2 }),
      ],
      null,
    );
    expect(groups.map(({ conflict, members }) => [conflict, members.map(({ picture: index }) => index)])).toEqual([
      [true, [3, 4]],
      [false, [2, 1, 0]],
    ]);
    expect(groups[0]?.members.map(({ hashBits }) => hashBits)).toEqual([0, 3]);
    expect(groups[0]?.closeness).toBeCloseTo(1 - 3 / 64, 12);
  });

  test("hang together over several steps, and ten thousand equal hashes take no time", () => {
    const random = createRandom(4);
    const hash = randomHash(random);
    const step = turned(hash, 5, random);
    // Ten bits away from the first, five from the step between.
    let far = step;
    while (bitsBetween(hash, far) !== 10) far = turned(step, 5, random);
    const pictures = [hash, step, far].map((perceptualHash) => picture({ perceptualHash }));
    expect(membersOf(findDuplicates(pictures, null))).toEqual([[0, 1, 2]]);
    const many = Array.from({ length: 10_000 }, () => picture({ perceptualHash: hash }));
    expect(findDuplicates(many, null)[0]?.members).toHaveLength(10_000);
  });

  test("none come out of nothing", () => {
    expect(findDuplicates([], null)).toEqual([]);
    expect(findDuplicates([picture()], null)).toEqual([]);
  });
});

function bitsBetween(a: string, b: string): number {
  return (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2).replaceAll("0", "").length;
}

describe("union-find", () => {
  test("gives the connected parts of a random graph, as walking through it does", () => {
    const random = createRandom(5);
    const sets = createUnionFind(200);
    const neighbours = Array.from({ length: 200 }, (): number[] => []);
    for (let edge = 0; edge < 120; edge++) {
      const [a, b] = [random.integer(200), random.integer(200)];
      sets.join(a, b);
      neighbours[a]?.push(b);
      neighbours[b]?.push(a);
    }
    const seen = new Set<number>();
    const parts: number[][] = [];
    for (let start = 0; start < 200; start++) {
      if (seen.has(start)) continue;
      const part = [start];
      seen.add(start);
      for (const at of part) {
        for (const next of neighbours[at] ?? []) {
          if (!seen.has(next)) part.push(next);
          seen.add(next);
        }
      }
      part.forEach((member) => expect(sets.find(member)).toBe(start));
      if (part.length > 1) parts.push(part.sort((a, b) => a - b));
    }
    expect(sets.groups()).toEqual(parts);
  });
});
