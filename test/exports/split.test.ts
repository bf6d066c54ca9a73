import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitImages, type SplitImage } from "../../core/exports/split.ts";
import { refusalOf } from "../helpers/refusal.ts";

const images = (groupOf: (id: number) => number) =>
  fc
    .array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 150 })
    .map((labels) => labels.map((labelId, id): SplitImage => ({ id, labelId, groupId: groupOf(id) })));
const shares = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }));
const seed = fc.integer({ min: 0, max: 1000 });

describe("splits", () => {
  test("without groups, no label is off its share by an image or more", () => {
    fc.assert(
      fc.property(
        images((id) => id),
        shares,
        seed,
        (list, parts, number) => {
          const split = splitImages(list, { shares: parts, seed: number });
          const total = parts[0] + parts[1] + parts[2];
          for (const label of new Set(list.map(({ labelId }) => labelId))) {
            const own = list.filter(({ labelId }) => labelId === label);
            (["train", "val", "test"] as const).forEach((part, i) => {
              const found = own.filter(({ id }) => split.get(id) === part).length;
              expect(Math.abs(found - (own.length * (parts[i] ?? 0)) / total)).toBeLessThan(1 + 1e-9);
            });
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test("groups never straddle, and every image has a part", () => {
    fc.assert(
      fc.property(
        images((id) => id % 17),
        shares,
        seed,
        (list, parts, number) => {
          const split = splitImages(list, { shares: parts, seed: number });
          for (const group of Map.groupBy(list, ({ groupId }) => groupId).values()) {
            expect(new Set(group.map(({ id }) => split.get(id))).size).toBe(1);
          }
          expect(split.size).toBe(list.length);
          expect([...split.values()].every((part) => (parts[["train", "val", "test"].indexOf(part)] ?? 0) > 0)).toBe(
            true,
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  test("labels with one image each still fill all parts by their shares", () => {
    const list = Array.from({ length: 100 }, (_, id) => ({ id, labelId: id, groupId: id }));
    const split = [...splitImages(list, { shares: [80, 10, 10], seed: 4 }).values()];
    expect(["train", "val", "test"].map((part) => split.filter((other) => other === part).length)).toEqual([
      80, 10, 10,
    ]);
  });

  test("the same seed gives the same split whatever the order of images, another seed another", () => {
    const list = Array.from({ length: 60 }, (_, id) => ({ id, labelId: id % 4, groupId: id }));
    const options = { shares: [60, 20, 20], seed: 1 };
    const sorted = (map: ReadonlyMap<number, string>): unknown => [...map].sort(([a], [b]) => a - b);
    expect(sorted(splitImages(list.toReversed(), options))).toEqual(sorted(splitImages(list, options)));
    expect(sorted(splitImages(list, { ...options, seed: 2 }))).not.toEqual(sorted(splitImages(list, options)));
  });

  test("shares that make no sense are refused", () => {
    for (const wrong of [
      [1, 1],
      [-1, 1, 1],
      [0, 0, 0],
      [NaN, 1, 1],
    ]) {
      expect(refusalOf(() => splitImages([], { shares: wrong, seed: 0 }))).toContain("option-invalid");
    }
  });
});
