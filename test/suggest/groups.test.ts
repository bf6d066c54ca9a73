import fc from "fast-check";
import { expect, test } from "vitest";
import { groupNearDuplicates } from "../../core/suggest/groups.ts";

const bits = (a: string, b: string): number =>
  [...(BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2)].filter((bit) => bit === "1").length;

test("groups are what comparing all pairs gives: equal files, hashes within 8 bits, and chains of them", () => {
  // Few bits of many, so that hashes are often close.
  const hash = fc.array(fc.nat(23), { maxLength: 14 }).map((set) =>
    set
      .reduce((value, bit) => value ^ (1n << BigInt(bit * 2)), 0n)
      .toString(16)
      .padStart(16, "0"),
  );
  const picture = fc.record({
    perceptualHash: fc.option(hash),
    contentHash: fc.option(fc.constantFrom("a", "b", "c")),
  });
  fc.assert(
    fc.property(fc.array(picture, { maxLength: 40 }), (list) => {
      const images = list.map((facts, i) => ({ id: 100 - i, ...facts }));
      const same = (a: (typeof images)[number], b: (typeof images)[number]): boolean =>
        (a.contentHash !== null && a.contentHash === b.contentHash) ||
        (a.perceptualHash !== null && b.perceptualHash !== null && bits(a.perceptualHash, b.perceptualHash) <= 8);
      const expected = new Map(images.map(({ id }) => [id, id]));
      for (let changed = true; changed;) {
        changed = false;
        for (const a of images) {
          for (const b of images) {
            const [first = 0, second = 0] = [expected.get(a.id), expected.get(b.id)];
            if (!same(a, b) || first >= second) continue;
            expected.set(b.id, first);
            changed = true;
          }
        }
      }
      const found = groupNearDuplicates(images);
      expect(new Map([...found].sort())).toEqual(new Map([...expected].sort()));
    }),
    { numRuns: 150 },
  );
});

test("groups that a check knows are joined with those of the hashes; ids that are not asked about are passed over", () => {
  const images = [1, 2, 3, 4].map((id) => ({
    id,
    contentHash: null,
    perceptualHash: id > 2 ? "00000000000000ff" : null,
  }));
  expect([...groupNearDuplicates(images, { known: [[99, 3, 2], [7]] })]).toEqual([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 2],
  ]);
});
