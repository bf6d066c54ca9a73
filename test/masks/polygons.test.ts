import { describe, expect, test } from "vitest";
import { labelComponents } from "../../core/masks/components.ts";
import { bitmapOfPolygons, polygonsOf, signedArea } from "../../core/masks/polygons.ts";
import { refusalOf } from "../helpers/refusal.ts";
import { bitmapOfText, manyBitmaps, textOf } from "./support.ts";

describe("polygons", () => {
  test("follow the sides of pixels, corners only, holes by themselves", () => {
    const ring = bitmapOfText(
      "....", //
      ".###",
      ".#.#",
      ".###",
    );
    expect(polygonsOf(ring)).toEqual([{ outline: [1, 1, 4, 1, 4, 4, 1, 4], holes: [[2, 3, 3, 3, 3, 2, 2, 2]] }]);
  });

  test("give the mask back, pixel for pixel", () => {
    for (const mask of manyBitmaps()) {
      expect(bitmapOfPolygons(polygonsOf(mask), mask.width, mask.height)).toEqual(mask);
    }
  });

  test("are one for each part, with the part's area once holes are taken off", () => {
    for (const mask of manyBitmaps()) {
      const areas = polygonsOf(mask).map(({ outline, holes }) =>
        [outline, ...holes].reduce((sum, each) => sum + signedArea(each), 0),
      );
      expect(areas).toEqual(labelComponents(mask).areas.slice(1));
    }
  });

  test("with slanted sides take the pixels whose centre lies inside, also where they leave the picture", () => {
    const triangle = { outline: [0, 0, 4, 0, 0, 4], holes: [] };
    expect(textOf(bitmapOfPolygons([triangle], 4, 4))).toEqual(["###.", "##..", "#...", "...."]);
    const outside = { outline: [-5, -5, 2, -5, 2, 9, -5, 9], holes: [] };
    expect(textOf(bitmapOfPolygons([outside], 3, 2))).toEqual(["##.", "##."]);
  });

  test.each([[[0, 0, 1, 1]], [[0, 0, 1, 0, NaN, 1]], [[0, 0, 1, 0, 1]]])(
    "refuse a ring that is none: %j",
    (outline) => {
      expect(refusalOf(() => bitmapOfPolygons([{ outline, holes: [] }], 2, 2))).toContain("mask-invalid: ");
    },
  );
});
