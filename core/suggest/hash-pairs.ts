import { CoreError } from "../util/errors.ts";

/** The hash is cut into this many parts of 16 bits. */
const parts = 4;
const partBits = 16;

/** Beyond this a part would have to be looked up at so many places that comparing all pairs is as fast. */
const largestRadius = 15;

/** 64-bit hashes as pairs of 32-bit words, high word first. Throws `hash-invalid` for anything but 16 hex digits. */
export function packHashes(hashes: readonly string[]): Uint32Array {
  const words = new Uint32Array(2 * hashes.length);
  hashes.forEach((hash, i) => {
    if (!/^[0-9a-f]{16}$/i.test(hash)) {
      throw new CoreError("hash-invalid", `A perceptual hash has 16 hex digits, found ${JSON.stringify(hash)}.`);
    }
    words[2 * i] = Number.parseInt(hash.slice(0, 8), 16);
    words[2 * i + 1] = Number.parseInt(hash.slice(8), 16);
  });
  return words;
}

/** Number of bits, 0 to 64, in which two packed hashes differ. */
export function packedDistance(words: Uint32Array, first: number, second: number): number {
  const high = (words[2 * first] ?? 0) ^ (words[2 * second] ?? 0);
  const low = (words[2 * first + 1] ?? 0) ^ (words[2 * second + 1] ?? 0);
  return bitCount(high) + bitCount(low);
}

/**
 * Calls `visit` once for every pair of packed hashes that differ in at most `radius` bits (0 to 15), `first` below
 * `second`. Multi-index hashing (Norouzi, Punjani and Fleet 2012, sections 3 and 3.1): of four parts of a hash, with
 * radius = 4 s + a, either one of the first a + 1 differs in at most s bits or one of the others in at most s - 1; so
 * tables of the parts find every pair without comparing all. Equal hashes make a pair each: n of them n (n - 1) / 2.
 * Throws `option-invalid`.
 */
export function visitHashPairs(
  words: Uint32Array,
  radius: number,
  visit: (first: number, second: number, distance: number) => void,
): void {
  if (!(Number.isInteger(radius) && radius >= 0 && radius <= largestRadius)) {
    throw new CoreError("option-invalid", `Hashes are compared within 0 to ${largestRadius} bits, not ${radius}.`);
  }
  const count = words.length / 2;
  const keys = partKeys(words);
  const partRadii = Array.from({ length: parts }, (_, part) =>
    part <= radius % parts ? Math.floor(radius / parts) : Math.floor(radius / parts) - 1,
  );
  for (let part = 0; part < parts; part++) {
    const masks = masksWithin(partRadii[part] ?? -1);
    if (masks.length === 0) continue;
    const { starts, members } = bucketsOf(keys, part, count);
    for (let first = 0; first < count; first++) {
      const key = keys[first * parts + part] ?? 0;
      for (const mask of masks) {
        const bucket = key ^ mask;
        const end = starts[bucket + 1] ?? 0;
        for (let slot = starts[bucket] ?? 0; slot < end; slot++) {
          const second = members[slot] ?? 0;
          if (second <= first) continue;
          const distance = packedDistance(words, first, second);
          if (distance <= radius && !foundBefore(first, second, part)) visit(first, second, distance);
        }
      }
    }
  }

  /** Whether an earlier part has shown this pair already. */
  function foundBefore(first: number, second: number, part: number): boolean {
    for (let earlier = 0; earlier < part; earlier++) {
      const difference = (keys[first * parts + earlier] ?? 0) ^ (keys[second * parts + earlier] ?? 0);
      if (bitCount(difference) <= (partRadii[earlier] ?? -1)) return true;
    }
    return false;
  }
}

/**
 * Four 16-bit parts of each hash. Bit i goes to part i mod 4, so that an area that is flat in many pictures, such as a
 * white margin at the top, does not fill one part with the same value.
 */
function partKeys(words: Uint32Array): Uint16Array {
  const keys = new Uint16Array((words.length / 2) * parts);
  for (let word = 0; word < words.length; word++) {
    const bits = words[word] ?? 0;
    const at = Math.floor(word / 2) * parts;
    for (let bit = 0; bit < 32; bit++) {
      const part = at + (bit % parts);
      keys[part] = ((keys[part] ?? 0) << 1) | ((bits >>> bit) & 1);
    }
  }
  return keys;
}

/** All 16-bit masks with at most `radius` bits set; none below 0. */
function masksWithin(radius: number): number[] {
  const masks: number[] = [];
  for (let mask = 0; mask < 2 ** partBits; mask++) if (bitCount(mask) <= radius) masks.push(mask);
  return masks;
}

/** The hashes with each value of a part, by counting sort: those of value v are `members[starts[v] .. starts[v + 1]]`. */
function bucketsOf(keys: Uint16Array, part: number, count: number): { starts: Uint32Array; members: Uint32Array } {
  const starts = new Uint32Array(2 ** partBits + 1);
  for (let i = 0; i < count; i++) {
    const next = (keys[i * parts + part] ?? 0) + 1;
    starts[next] = (starts[next] ?? 0) + 1;
  }
  for (let value = 1; value < starts.length; value++) starts[value] = (starts[value] ?? 0) + (starts[value - 1] ?? 0);
  const filled = starts.slice();
  const members = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const value = keys[i * parts + part] ?? 0;
    members[filled[value] ?? 0] = i;
    filled[value] = (filled[value] ?? 0) + 1;
  }
  return { starts, members };
}

/** Bits set in a 32-bit word (the usual parallel sum). */
function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
