import { expect, test } from "vitest";
import type { PatchGrid } from "../../core/rpc/columns.ts";
import { differingPatches } from "../../renderer/lib/patches-differ.ts";

/** A picture whose patches are of a few kinds, each a direction of its own. */
function picture(rows: number, columns: number, kinds: readonly number[], depth = 8): PatchGrid {
  const values = new Float32Array(rows * columns * depth);
  kinds.forEach((kind, patch) => (values[patch * depth + kind] = 1));
  return { rows, columns, depth, whole: true, values };
}

test("patches that the other picture has nothing like are lit, wherever the others lie", () => {
  const first = picture(2, 3, [0, 1, 2, 0, 1, 5]);
  const second = picture(3, 2, [2, 2, 1, 0, 1, 0]);
  const [here, there] = differingPatches(first, second);
  expect([...here.values]).toEqual([0, 0, 0, 0, 0, 1]);
  expect([...there.values].every((value) => value === 0)).toBe(true);
  expect([here.rows, here.columns, there.rows, there.columns]).toEqual([2, 3, 3, 2]);
});

test("nothing is lit between a picture and itself", () => {
  const one = picture(2, 2, [0, 1, 2, 3]);
  for (const { values } of differingPatches(one, one)) expect([...values]).toEqual([0, 0, 0, 0]);
});

test("pictures seen by two models are refused", () => {
  expect(() => differingPatches(picture(1, 1, [0], 8), picture(1, 1, [0], 4))).toThrow(RangeError);
});
