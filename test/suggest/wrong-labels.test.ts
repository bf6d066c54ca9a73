import { describe, expect, test } from "vitest";
import { nearestRows, type NeighbourTable } from "../../core/suggest/nearest.ts";
import { closestTwins } from "../../core/suggest/twins.ts";
import { voteLabels } from "../../core/suggest/vote.ts";
import { findWrongLabels } from "../../core/suggest/wrong-labels.ts";
import { neighboursOf } from "../../core/suggest/nearest.ts";
import { createRandom } from "../../core/util/random.ts";
import { errorOf } from "../library/support.ts";

const width = 16;

/** Unit vectors around one centre per label, with `noise` per coordinate against centres of length 1. */
function clusters(
  count: number,
  labelCount: number,
  noise: number,
  seed: number,
): { matrix: Float32Array; truth: Int32Array } {
  const random = createRandom(seed);
  const centres = Array.from({ length: labelCount }, () => unit(Array.from({ length: width }, () => random.normal())));
  const truth = Int32Array.from({ length: count }, () => random.integer(labelCount));
  const matrix = new Float32Array(count * width);
  truth.forEach((label, row) => {
    matrix.set(unit((centres[label] ?? []).map((value) => value + noise * random.normal())), row * width);
  });
  return { matrix, truth };
}

function unit(values: readonly number[]): number[] {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

function leaveOneOut(matrix: Float32Array, count: number): NeighbourTable {
  const exclude = Int32Array.from({ length: matrix.length / width }, (_, i) => i);
  return nearestRows(matrix, matrix, width, count, { exclude });
}

/** Labels of which a share is another one. */
function flip(
  truth: Int32Array,
  labelCount: number,
  share: number,
  seed: number,
): { labels: Int32Array; flipped: Set<number> } {
  const random = createRandom(seed);
  const labels = truth.slice();
  const flipped = new Set(random.shuffled([...truth.keys()]).slice(0, Math.round(share * truth.length)));
  for (const row of flipped) labels[row] = ((truth[row] ?? 0) + 1 + random.integer(labelCount - 1)) % labelCount;
  return { labels, flipped };
}

describe("wrong labels", () => {
  test.each([0.02, 0.05, 0.2])(
    "are found among well separated clusters when a share of %f is flipped, and about as many are expected",
    (share) => {
      const { matrix, truth } = clusters(600, 6, 0.1, 1);
      const { labels, flipped } = flip(truth, 6, share, 2);
      const { expected, list } = findWrongLabels(leaveOneOut(matrix, 20), labels);
      const hits = list.slice(0, flipped.size).filter(({ row }) => flipped.has(row)).length;
      expect(hits / flipped.size).toBeGreaterThan(0.95);
      // The estimate is a minimum of ratios; that of the smallest tail rests on a tenth of the flipped labels, 12 of 120 at
      // most, which come to 12 give or take 3.5, or 30 %.
      expect(Math.abs(expected - flipped.size)).toBeLessThanOrEqual(2 + 0.3 * flipped.size);
      expect(list.filter(({ likely }) => likely).length).toBe(Math.min(expected, list.length));
    },
  );

  test("are expected nowhere in labels that are right", () => {
    const { matrix, truth } = clusters(600, 6, 0.1, 3);
    expect(findWrongLabels(leaveOneOut(matrix, 20), truth)).toEqual({ expected: 0, list: [] });
  });

  test("may be most of the labels, for all that can be told, where the embedding knows nothing of them", () => {
    // Labels drawn by lot: nothing can tell a wrong one from a right one, so every score is that of a wrong label.
    const { matrix } = clusters(600, 1, 1, 4);
    const random = createRandom(5);
    const labels = Int32Array.from({ length: 600 }, () => random.integer(6));
    expect(findWrongLabels(leaveOneOut(matrix, 20), labels).expected).toBeGreaterThan(300);
  });

  test("show the shares that the vote gives, the neighbours that disagree, and fall in order", () => {
    const { matrix, truth } = clusters(200, 4, 0.4, 6);
    const { labels } = flip(truth, 4, 0.1, 7);
    const table = leaveOneOut(matrix, 10);
    const { list } = findWrongLabels(table, labels);
    expect(list.length).toBeGreaterThan(10);
    for (const { row, own, suggested, disagreeing } of list) {
      const shares = voteLabels(neighboursOf(table, row), labels)?.shares ?? [];
      expect(own.labelId).toBe(labels[row]);
      expect(own.share).toBeCloseTo(shares.find(({ labelId }) => labelId === own.labelId)?.share ?? 0, 12);
      expect(suggested.labelId).toBe(shares.find(({ labelId }) => labelId !== own.labelId)?.labelId);
      expect(suggested.share).toBeGreaterThan(own.share);
      expect(disagreeing).toEqual(neighboursOf(table, row).filter(({ index }) => labels[index] !== labels[row]));
    }
    const scores = list.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(findWrongLabels(table, labels, { limit: 3 }).list).toEqual(list.slice(0, 3));
  });

  test("are not seen in a label that one image has alone, as nobody could speak for it", () => {
    const { matrix, truth } = clusters(60, 2, 0.1, 10);
    truth[7] = 9;
    expect(findWrongLabels(leaveOneOut(matrix, 10), truth).list).toEqual([]);
    truth[8] = 9;
    const rows = findWrongLabels(leaveOneOut(matrix, 10), truth).list.map(({ row }) => row);
    expect(rows.sort()).toEqual([7, 8]);
  });

  test("need two labels and neighbours, and a table of all rows", () => {
    const { matrix } = clusters(10, 2, 0.1, 8);
    const table = leaveOneOut(matrix, 3);
    expect(findWrongLabels(table, new Int32Array(10).fill(4))).toEqual({ expected: 0, list: [] });
    expect(
      findWrongLabels({ count: 0, indices: new Int32Array(), similarities: new Float64Array() }, Int32Array.of(1, 2)),
    ).toEqual({ expected: 0, list: [] });
    expect(errorOf(() => findWrongLabels(table, Int32Array.of(1, 2))).code).toBe("check-shape");
    expect(errorOf(() => findWrongLabels(table, new Int32Array(10), { temperature: 0 })).code).toBe("option-invalid");
  });
});

describe("twins", () => {
  test("are the closest pairs with different labels, as comparing all pairs finds them", () => {
    const { matrix, truth } = clusters(80, 5, 0.5, 9);
    const similarity = (a: number, b: number): number => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += (matrix[a * width + i] ?? 0) * (matrix[b * width + i] ?? 0);
      return sum;
    };
    const expected: { first: number; second: number; similarity: number }[] = [];
    for (let first = 0; first < 80; first++) {
      for (let second = first + 1; second < 80; second++) {
        if (truth[first] !== truth[second]) expected.push({ first, second, similarity: similarity(first, second) });
      }
    }
    expected.sort((a, b) => b.similarity - a.similarity || a.first - b.first);
    const twins = closestTwins(leaveOneOut(matrix, 79), truth, 50);
    expect(twins.map(({ first, second }) => [first, second])).toEqual(
      expected.slice(0, 50).map(({ first, second }) => [first, second]),
    );
    expect(twins[0]?.similarity).toBeCloseTo(expected[0]?.similarity ?? 0, 12);
  });

  test("are listed once where only one of the two has the other among its neighbours", () => {
    // Row 2 has row 0 as its neighbour, row 0 has row 1.
    const table = { count: 1, indices: Int32Array.of(1, 0, 0), similarities: Float64Array.of(0.9, 0.9, 0.5) };
    expect(closestTwins(table, Int32Array.of(1, 1, 2), 9)).toEqual([{ first: 0, second: 2, similarity: 0.5 }]);
    expect(closestTwins(table, Int32Array.of(1, 2, 2), 9)).toEqual([
      { first: 0, second: 1, similarity: 0.9 },
      { first: 0, second: 2, similarity: 0.5 },
    ]);
  });
});
