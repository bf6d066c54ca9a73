import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NeighbourTable } from "../../core/suggest/nearest.ts";
import { neighboursOf } from "../../core/suggest/nearest.ts";
import { voteLabels, voteWinners } from "../../core/suggest/vote.ts";

describe("voteLabels", () => {
  test("weights are exp(similarity / 0.07), divided by their sum", () => {
    // exp(0.9/0.07), exp(0.8/0.07) and exp(0.5/0.07), worked out by hand.
    const [first, second, third] = [383518.4, 91910.6, 1265.0] as const;
    const total = first + second + third;
    const neighbours = [
      { index: 0, similarity: 0.9 },
      { index: 1, similarity: 0.8 },
      { index: 2, similarity: 0.5 },
    ];
    const vote = voteLabels(neighbours, [7, 4, 4]);
    expect(vote?.winner.labelId).toBe(7);
    // The weights above are known to seven digits.
    expect(vote?.shares.map(({ share }) => share)[0]).toBeCloseTo(first / total, 6);
    expect(vote?.shares[1]?.share).toBeCloseTo((second + third) / total, 6);
    expect(vote?.voters).toEqual([{ index: 0, similarity: 0.9 }]);
    expect(voteLabels(neighbours, [7, 4, 4], 10)?.winner.labelId).toBe(4);
  });

  test("equal shares go by the lower label id", () => {
    const neighbours = [0, 1, 2].map((index) => ({ index, similarity: 0.5 }));
    const vote = voteLabels(neighbours, [9, 2, 5]);
    expect(vote?.shares.map(({ labelId }) => labelId)).toEqual([2, 5, 9]);
    expect(vote?.voters).toEqual([{ index: 1, similarity: 0.5 }]);
  });

  test("no temperature makes it overflow", () => {
    const neighbours = [1, 0.999, -1].map((similarity, index) => ({ index, similarity }));
    expect(voteLabels(neighbours, [1, 2, 3], 1e-9)?.shares).toEqual([
      { labelId: 1, share: 1 },
      { labelId: 2, share: 0 },
      { labelId: 3, share: 0 },
    ]);
  });

  test("nobody votes without neighbours", () => {
    expect(voteLabels([], [])).toBeNull();
  });

  test("refuses what cannot be counted", () => {
    expect(() => voteLabels([{ index: 0, similarity: NaN }], [1])).toThrow("not a finite number");
    expect(() => voteLabels([{ index: 3, similarity: 1 }], [1])).toThrow("Row 3 of the bank has no label");
    expect(() => voteLabels([], [], 0)).toThrow("temperature");
  });
});

describe("voteWinners", () => {
  test("is the winner of voteLabels for each query, bit for bit", () => {
    const similarity = fc.constantFrom(-1, 0, 0.25, 0.5, 0.75, 1);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(3, 1, 400_000_000, 12), { minLength: 1, maxLength: 12 }),
        fc.array(fc.array(fc.tuple(fc.nat(), similarity), { maxLength: 6 }), { maxLength: 8 }),
        (labelList, lists) => {
          const labels = Int32Array.from(labelList);
          const count = 6;
          const table: NeighbourTable = {
            count,
            indices: new Int32Array(lists.length * count).fill(-1),
            similarities: new Float32Array(lists.length * count),
          };
          lists.forEach((list, query) => {
            list.forEach(([index, value], slot) => {
              table.indices[query * count + slot] = index % labels.length;
              table.similarities[query * count + slot] = value;
            });
          });
          const winners = voteWinners(table, labels);
          lists.forEach((_, query) => {
            const vote = voteLabels(neighboursOf(table, query), labels);
            expect(winners.labelIds[query]).toBe(vote?.winner.labelId ?? -1);
            expect(winners.shares[query]).toBe(vote?.winner.share ?? 0);
          });
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });

  test("refuses what cannot be counted", () => {
    const table = { count: 1, indices: Int32Array.of(2), similarities: Float32Array.of(1) };
    expect(() => voteWinners(table, Int32Array.of(1))).toThrow("Row 2 of the bank has no label");
    expect(() => voteWinners({ ...table, similarities: Float32Array.of(NaN) }, Int32Array.of(1, 1, 1))).toThrow(
      "not a finite number",
    );
  });
});
