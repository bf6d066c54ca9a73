import { describe, expect, test } from "vitest";
import { componentOf, fillHoles, keepComponents, labelComponents } from "../../core/masks/components.ts";
import { bitmapOfText, manyBitmaps, textOf } from "./support.ts";

const mask = bitmapOfText(
  "##..#", //
  "##..#",
  "..#..",
  ".###.",
  "..#..",
);

describe("connected parts", () => {
  test("touch by a side, not by a corner", () => {
    expect(labelComponents(mask).areas).toEqual([0, 4, 2, 5]);
  });

  test("the largest is kept, or those that are no specks", () => {
    expect(textOf(keepComponents(mask, "largest"))).toEqual([".....", ".....", "..#..", ".###.", "..#.."]);
    expect(textOf(keepComponents(mask, "all", 0.3))).toEqual(["##...", "##...", "..#..", ".###.", "..#.."]);
    expect(keepComponents(mask, "all")).toEqual(mask);
    expect(textOf(keepComponents(bitmapOfText("..", ".."), "largest"))).toEqual(["..", ".."]);
  });

  test("the part of a pixel is its own", () => {
    expect(textOf(componentOf(mask, 4))).toEqual(["....#", "....#", ".....", ".....", "....."]);
    expect(componentOf(mask, 2).data.some(Boolean)).toBe(false);
  });

  test("are found whole in large noise: areas add up", () => {
    for (const noise of manyBitmaps()) {
      const { areas, labels } = labelComponents(noise);
      expect(areas.reduce((sum, area) => sum + area, 0)).toBe(noise.data.filter(Boolean).length);
      expect(Array.from(labels, (label) => Number(label > 0))).toEqual([...noise.data]);
    }
  });
});

test("holes are filled where the background does not reach the border", () => {
  const rings = bitmapOfText(
    "#####.", //
    "#...#.",
    "#.#.#.",
    "#...#.",
    "####..",
  );
  // The corner at the lower right is no way out: background connects by sides.
  expect(textOf(fillHoles(rings))).toEqual(["#####.", "#####.", "#####.", "#####.", "####.."]);
  const open = bitmapOfText("###", "#..", "###");
  expect(fillHoles(open)).toEqual(open);
});
