import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { farthestFirst, interleave, typicalFirst, uncertainFirst, type Candidate } from "../../core/suggest/queues.ts";

function candidate(imageId: number, changes: Partial<Candidate> = {}): Candidate {
  return { imageId, confidence: null, clusterId: null, similarity: 0, ...changes };
}

const idsOf = (list: readonly Candidate[]): number[] => list.map(({ imageId }) => imageId);

describe("queues", () => {
  test("begin with the least certain suggestion, and leave out images without one", () => {
    const list = [
      candidate(1, { confidence: 0.9 }),
      candidate(2),
      candidate(3, { confidence: 0.2 }),
      candidate(4, { confidence: 0.2 }),
    ];
    expect(idsOf(uncertainFirst(list, 9))).toEqual([3, 4, 1]);
    expect(idsOf(uncertainFirst(list, 1))).toEqual([3]);
  });

  test("take the most typical image of each cluster before the second of any, large clusters first", () => {
    const list = [
      candidate(1, { clusterId: 7, similarity: 0.5 }),
      candidate(2, { clusterId: 8, similarity: 0.4 }),
      candidate(3, { clusterId: 8, similarity: 0.9 }),
      candidate(4, { clusterId: 8, similarity: 0.6 }),
      candidate(5),
    ];
    expect(idsOf(typicalFirst(list, 9))).toEqual([3, 1, 4, 2]);
    expect(idsOf(typicalFirst(list, 2))).toEqual([3, 1]);
  });

  test("go to the farthest from everything labelled and chosen", () => {
    const at = (degrees: number): number[] => [
      Math.cos((degrees * Math.PI) / 180),
      Math.sin((degrees * Math.PI) / 180),
    ];
    const degrees = [0, 10, 90, 95, 180];
    const matrix = Float32Array.from(degrees.flatMap(at));
    const near = degrees.map((d) => Math.cos((d * Math.PI) / 180));
    // A labelled image at 0 degrees: 180 is farthest, then 90 from both, then 10.
    expect(farthestFirst(matrix, 2, 3, near)).toEqual([4, 2, 1]);
    expect(new Set(farthestFirst(matrix, 2, 99, null))).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(farthestFirst(new Float32Array(0), 2, 3, null)).toEqual([]);
  });

  test("mixed hold every image once, as many as there are, in turns", () => {
    expect(
      interleave(
        [
          [1, 2, 3],
          [2, 4],
          [1, 5, 6, 7],
        ],
        99,
        (x) => x,
      ),
    ).toEqual([1, 2, 5, 3, 4, 6, 7]);
    const lists = fc.array(fc.array(fc.nat(20)), { maxLength: 5 });
    fc.assert(
      fc.property(lists, fc.nat(30), (queues, count) => {
        const mixed = interleave(queues, count, (x) => x);
        const all = new Set(queues.flat());
        expect(new Set(mixed).size).toBe(mixed.length);
        expect(mixed.length).toBe(Math.min(count, all.size));
      }),
    );
  });
});
