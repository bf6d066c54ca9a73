import { describe, expect, test } from "vitest";
import { scaleBitmap } from "../../core/masks/bitmap.ts";
import {
  areaOfRuns,
  compressRuns,
  decodeRuns,
  decompressRuns,
  encodeRuns,
  overlapOfRuns,
} from "../../core/masks/rle.ts";
import { intersectionOverUnion } from "../../core/masks/score.ts";
import { refusalOf } from "../helpers/refusal.ts";
import { bitmapOfText, manyBitmaps } from "./support.ts";

describe("run lengths", () => {
  test("count down the columns and start with background", () => {
    const mask = bitmapOfText("#..", "##.");
    expect([...encodeRuns(mask).counts]).toEqual([0, 2, 1, 1, 2]);
    expect([...encodeRuns(bitmapOfText("..", ".#")).counts]).toEqual([3, 1]);
  });

  test("lose nothing, as counts and as compressed text", () => {
    for (const mask of manyBitmaps()) {
      const runs = encodeRuns(mask);
      expect(decodeRuns(runs)).toEqual(mask);
      expect(decompressRuns(compressRuns(runs), mask.width, mask.height)).toEqual(runs);
    }
  });

  test("compress to the text that COCO's own tools write", () => {
    // Encoded by hand after rleToString of the COCO API: 6 1 40 4 5 4 5 4 21 is the mask of its documentation's kind.
    const runs = { width: 9, height: 10, counts: Uint32Array.of(6, 1, 40, 4, 5, 4, 5, 4, 21) };
    expect(compressRuns(runs)).toBe(byHand([6, 1, 40, 4, 5, 4, 5, 4, 21]));
    expect(compressRuns(runs)).toBe("61X13mN000`0");
  });

  test("of a scaled mask are those of the mask that was scaled", () => {
    for (const mask of manyBitmaps()) {
      expect(encodeRuns(mask, 45, 23)).toEqual(encodeRuns(scaleBitmap(mask, 45, 23)));
    }
  });

  test("say area and overlap as bitmaps do", () => {
    const [a, b] = manyBitmaps().slice(2, 4);
    if (a === undefined || b === undefined) throw new Error("Two bitmaps are wanted.");
    expect(areaOfRuns(encodeRuns(a))).toBe(a.data.filter((value) => value === 1).length);
    expect(overlapOfRuns(encodeRuns(a), encodeRuns(b))).toBe(intersectionOverUnion(a, b));
    const empty = { ...a, data: new Uint8Array(a.data.length) };
    expect(overlapOfRuns(encodeRuns(empty), encodeRuns(empty))).toBe(1);
    expect(overlapOfRuns(encodeRuns(empty), encodeRuns(a))).toBe(0);
  });

  test.each([
    ["a length too many", "61X13mN000`01", 9, 10],
    ["another size", "61X13mN000`0", 9, 11],
    ["a character of no mask", "61X13 N000`0", 9, 10],
    ["an end in the middle", "61X13mN000`", 9, 10],
    ["a number without end", "oooooooooo", 9, 10],
    ["a size beyond all pictures", "0", 2 ** 20, 2 ** 20],
    ["no size", "0", 0, 0],
  ])("refuse %s", (_, text, width, height) => {
    expect(refusalOf(() => decompressRuns(text, width, height))).toContain("mask-invalid: ");
  });
});

/** COCO's rleToString said another way: each number in two's complement, lowest five bits first, as few as keep its sign. */
function byHand(counts: readonly number[]): string {
  return counts
    .map((count, i) => (i > 2 ? count - (counts[i - 2] ?? 0) : count))
    .map((value) => {
      let groups = 1;
      while (value < -(2 ** (5 * groups - 1)) || value >= 2 ** (5 * groups - 1)) groups++;
      const bits = (value < 0 ? value + 2 ** (5 * groups) : value).toString(2).padStart(5 * groups, "0");
      return Array.from({ length: groups }, (_, k) => {
        const five = Number.parseInt(bits.slice(bits.length - 5 * (k + 1), bits.length - 5 * k), 2);
        return String.fromCharCode(48 + five + (k < groups - 1 ? 32 : 0));
      }).join("");
    })
    .join("");
}
