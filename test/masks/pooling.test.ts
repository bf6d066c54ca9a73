import { describe, expect, test } from "vitest";
import { blendVectors, patchCoverage, poolTokens, usableWeights } from "../../core/masks/pooling.ts";
import { decodeRuns, encodeRuns, pickRuns } from "../../core/masks/rle.ts";
import type { Bitmap } from "../../core/masks/bitmap.ts";
import { createRandom, type Random } from "../../core/util/random.ts";
import { errorOf } from "../library/support.ts";

function randomMask(random: Random, width: number, height: number, share = 0.5): Bitmap {
  return { width, height, data: Uint8Array.from({ length: width * height }, () => (random.next() < share ? 1 : 0)) };
}

function numbers(random: Random, length: number): Float32Array {
  return Float32Array.from({ length }, () => random.next() - 0.5);
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? NaN, b[i] ?? NaN];
    [ab, aa, bb] = [ab + x * y, aa + x * x, bb + y * y];
  }
  return ab / Math.sqrt(aa * bb);
}

describe("columns and rows of run lengths", () => {
  test("are those of the whole mask, named once, twice or not at all", () => {
    const random = createRandom(1);
    for (let round = 0; round < 40; round++) {
      const [width, height] = [1 + random.integer(30), 1 + random.integer(30)];
      const mask = randomMask(random, width, height, [0, 0.1, 0.5, 0.9, 1][round % 5]);
      const rising = (below: number, count: number): Uint32Array =>
        Uint32Array.from({ length: count }, () => random.integer(below)).sort();
      const columns = rising(width, random.integer(40));
      const rows = rising(height, random.integer(40));
      const picked = pickRuns(encodeRuns(mask), columns, rows);
      const expected = [...rows].flatMap((y) => [...columns].map((x) => mask.data[y * width + x]));
      expect([...picked.data]).toEqual(expected);
    }
  });

  test("of lengths that do not fill the mask are refused", () => {
    const runs = { width: 2, height: 2, counts: Uint32Array.of(1, 2) };
    expect(errorOf(() => pickRuns(runs, Uint32Array.of(1), Uint32Array.of(1))).code).toBe("mask-invalid");
    expect(errorOf(() => decodeRuns(runs)).code).toBe("mask-invalid");
  });
});

describe("the coverage of patches", () => {
  test("is the share of the model's pixels whose centre falls on foreground", () => {
    const random = createRandom(2);
    const mask = randomMask(random, 90, 61);
    const area = { left: 13.4, top: 2.5, width: 57.2, height: 55.5 };
    const [side, patch] = [32, 8];
    const found = patchCoverage(encodeRuns(mask), area, side, { rows: 4, columns: 4 });
    const expected = Array.from({ length: 16 }, (_, at) => {
      let inside = 0;
      for (let y = 0; y < patch; y++) {
        for (let x = 0; x < patch; x++) {
          const pixelX = Math.floor(area.left + (((at % 4) * patch + x + 0.5) / side) * area.width);
          const pixelY = Math.floor(area.top + ((Math.floor(at / 4) * patch + y + 0.5) / side) * area.height);
          inside += mask.data[pixelY * mask.width + pixelX] ?? NaN;
        }
      }
      return inside / patch ** 2;
    });
    expect([...found]).toEqual(expected);
  });
});

describe("pooling", () => {
  test("is the weighted mean of the tokens, at length 1", () => {
    const random = createRandom(3);
    const [patches, width] = [9, 7];
    const tokens = numbers(random, patches * width);
    const weights = Float32Array.from({ length: patches }, (_, i) => (i % 3 === 0 ? 0 : random.next()));
    const mean = Array.from({ length: width }, (_, feature) => {
      let [sum, total] = [0, 0];
      for (let patch = 0; patch < patches; patch++) {
        sum += (weights[patch] ?? NaN) * (tokens[patch * width + feature] ?? NaN);
        total += weights[patch] ?? NaN;
      }
      return sum / total;
    });
    const length = Math.hypot(...mean);
    poolTokens(tokens, weights).forEach((value, i) => expect(value).toBeCloseTo((mean[i] ?? NaN) / length, 12));
  });

  test("does not see patches outside the mask", () => {
    const random = createRandom(4);
    const tokens = numbers(random, 5 * 3);
    const weights = Float32Array.of(0, 1, 0, 0.5, 0);
    const before = poolTokens(tokens, weights);
    const changed = tokens.map((value, i) => ([1, 3].includes(Math.floor(i / 3)) ? value : 1000 * random.next()));
    expect(poolTokens(changed, weights)).toEqual(before);
  });

  test("takes the whole picture where there is no foreground to speak of, or nothing but", () => {
    const of = (foreground: number[]): unknown => {
      const { weights, usable } = usableWeights(Float32Array.from(foreground));
      return usable ? [...weights] : `all ${weights.join("")}`;
    };
    expect(of([0, 0, 0, 0])).toBe("all 1111");
    expect(of([0.4, 0, 0, 0])).toBe("all 1111");
    expect(of([0.5, 0, 0, 0])).toEqual([0.5, 0, 0, 0]);
    expect(of([1, 1, 1, 0.75])).toEqual([1, 1, 1, 0.75]);
    expect(of([1, 1, 1, 1])).toBe("all 1111");
  });
});

describe("a blend", () => {
  test("of two directions is at length 1, at the angle that its share says, whatever lengths they came with", () => {
    // At right angles: the tangent of the angle to the first is blend / (1 - blend).
    for (const blend of [0.1, 0.5, 0.75]) {
      const blended = blendVectors([30, 0, 0], [0, 0.02, 0], blend) ?? new Float32Array(0);
      expect(Math.hypot(...blended)).toBeCloseTo(1, 6);
      expect((blended[1] ?? NaN) / (blended[0] ?? NaN)).toBeCloseTo(blend / (1 - blend), 5);
    }
  });

  test("comes nearer to the foreground as its share grows, and is the foreground alone at 1", () => {
    const random = createRandom(5);
    const [whole, pooled] = [numbers(random, 20), numbers(random, 20)];
    const cosines = [0.01, 0.25, 0.5, 0.75, 1].map((blend) => cosine(blendVectors(whole, pooled, blend) ?? [], pooled));
    expect(cosines).toEqual(cosines.toSorted((a, b) => a - b));
    // Float32 keeps 6e-8 of each value.
    expect(cosines.at(-1)).toBeCloseTo(1, 6);
  });

  test("of directions that cancel out, or of what is not finite, is none", () => {
    expect(blendVectors([1, 0], [-1, 0], 0.5)).toBeNull();
    expect(blendVectors([1, NaN], [1, 0], 0.5)).toBeNull();
    expect(blendVectors([0, 0], [0, 0], 0.5)).toBeNull();
  });
});
