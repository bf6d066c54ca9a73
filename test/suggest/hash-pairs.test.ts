import { describe, expect, test } from "vitest";
import { hashDistance } from "../../core/image/perceptual-hash.ts";
import { packHashes, packedDistance, visitHashPairs } from "../../core/suggest/hash-pairs.ts";
import { createRandom, type Random } from "../../core/util/random.ts";
import { errorOf } from "../library/support.ts";

/** Hashes around a few centres, so that pairs at every small distance turn up. */
function someHashes(random: Random, count: number): string[] {
  const centres = Array.from(
    { length: 8 },
    () => BigInt(random.integer(2 ** 32)) * 2n ** 32n + BigInt(random.integer(2 ** 32)),
  );
  return Array.from({ length: count }, () => {
    let hash = centres[random.integer(centres.length)] ?? 0n;
    for (let flips = random.integer(12); flips > 0; flips--) hash ^= 1n << BigInt(random.integer(64));
    return hash.toString(16).padStart(16, "0");
  });
}

function found(hashes: readonly string[], radius: number): string[] {
  const pairs: string[] = [];
  visitHashPairs(packHashes(hashes), radius, (first, second, distance) => pairs.push(`${first} ${second} ${distance}`));
  return pairs.sort();
}

describe("pairs of hashes", () => {
  test.each([0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 15])(
    "within %i bits are those that comparing all pairs finds, once each",
    (radius) => {
      const hashes = someHashes(createRandom(radius), 120);
      const expected: string[] = [];
      hashes.forEach((first, i) =>
        hashes.forEach((second, j) => {
          const distance = hashDistance(first, second);
          if (i < j && distance <= radius) expected.push(`${i} ${j} ${distance}`);
        }),
      );
      expect(expected.length).toBeGreaterThan(0);
      expect(found(hashes, radius)).toEqual(expected.sort());
    },
  );

  test("differ by as many bits as the hashes that were packed", () => {
    const hashes = someHashes(createRandom(3), 40);
    const packed = packHashes(hashes);
    for (let i = 1; i < hashes.length; i++) {
      expect(packedDistance(packed, i - 1, i)).toBe(hashDistance(hashes[i - 1] ?? "", hashes[i] ?? ""));
    }
    expect(packedDistance(packHashes(["0000000000000000", "FFFFFFFFFFFFFFFF"]), 0, 1)).toBe(64);
  });

  test("are refused for a hash of another form and for a radius that would compare everything", () => {
    for (const hash of ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0"]) {
      expect(errorOf(() => packHashes([hash])).code).toBe("hash-invalid");
    }
    for (const radius of [-1, 1.5, 16, NaN]) {
      expect(errorOf(() => visitHashPairs(new Uint32Array(4), radius, () => {})).code).toBe("option-invalid");
    }
  });

  test("none come out of no hashes or one", () => {
    expect(found([], 8)).toEqual([]);
    expect(found(["0123456789abcdef"], 8)).toEqual([]);
  });
});
