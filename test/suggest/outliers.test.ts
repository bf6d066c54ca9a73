import { describe, expect, test } from "vitest";
import { nearestRows } from "../../core/suggest/nearest.ts";
import { findOutliers } from "../../core/suggest/outliers.ts";
import { findRareLabels } from "../../core/suggest/rare-labels.ts";
import { createRandom } from "../../core/util/random.ts";

const width = 8;

function tableOf(rows: readonly (readonly number[])[], count: number): ReturnType<typeof nearestRows> {
  const matrix = Float32Array.from(rows.flatMap((row) => row.map((value) => value / Math.hypot(...row))));
  return nearestRows(matrix, matrix, width, count, { exclude: Int32Array.from(rows, (_, i) => i) });
}

describe("outliers", () => {
  test("are the rows that were planted far from everything, a pair of odd copies among them", () => {
    const random = createRandom(1);
    const near = (): number[] => Array.from({ length: width }, (_, i) => (i === 0 ? 1 : 0.05 * random.normal()));
    const rows = Array.from({ length: 200 }, near);
    const odd = [0, -1, 0, 0, 0, 0, 0, 0];
    rows[17] = [-1, 0, 0, 0, 0, 0, 0, 0];
    rows[40] = odd;
    rows[90] = odd;
    const outliers = findOutliers(tableOf(rows, 10), 200);
    expect(new Set(outliers.slice(0, 3).map(({ row }) => row))).toEqual(new Set([17, 40, 90]));
    expect(outliers.slice(0, 3).every(({ likely }) => likely)).toBe(true);
    // Distances of ordinary rows are skewed a little, so a few may pass the bound of 3.5 for normal data.
    expect(outliers.filter(({ likely }) => likely).length).toBeLessThan(3 + 0.05 * rows.length);
    expect(outliers.map(({ distance }) => distance)).toEqual(
      outliers.map(({ distance }) => distance).sort((a, b) => b - a),
    );
  });

  test("are measured in robust deviations above the median", () => {
    // One neighbour each, at cosines whose chords are 1, 1, 1.2, 1.4 and 2: median 1.2, absolute deviations .2 .2 0 .2 .8.
    const chords = [1, 1, 1.2, 1.4, 2];
    const table = {
      count: 1,
      indices: Int32Array.of(1, 0, 0, 0, 0),
      similarities: Float64Array.from(chords, (chord) => 1 - chord ** 2 / 2),
    };
    const [first] = findOutliers(table, 1);
    expect(first?.row).toBe(4);
    expect(first?.deviation).toBeCloseTo(0.8 / (1.4826 * 0.2), 9);
    expect(first?.likely).toBe(false);
  });

  test("have finite deviations where most distances are equal, and there are none where all are", () => {
    const equal = { count: 1, indices: Int32Array.of(1, 0, 1, 0), similarities: Float64Array.of(1, 1, 1, 1) };
    expect(findOutliers(equal, 9).filter(({ likely }) => likely)).toEqual([]);
    const one = { ...equal, similarities: Float64Array.of(1, 1, 1, 0) };
    expect(findOutliers(one, 1)).toEqual([{ row: 3, distance: Math.SQRT2, deviation: 4 / 1.2533, likely: false }]);
    expect(findOutliers({ count: 0, indices: new Int32Array(), similarities: new Float64Array() }, 5)).toEqual([]);
  });
});

describe("rare labels", () => {
  test("have fewer images than wanted, fewest first; headings without images of their own are not labels to fill", () => {
    const counts = [
      { labelId: 1, imageCount: 0, hasChildren: true },
      { labelId: 2, imageCount: 9, hasChildren: false },
      { labelId: 3, imageCount: 0, hasChildren: false },
      { labelId: 4, imageCount: 3, hasChildren: true },
      { labelId: 5, imageCount: 10, hasChildren: false },
    ];
    expect(findRareLabels(counts)).toEqual([
      { labelId: 3, imageCount: 0, missing: 10 },
      { labelId: 4, imageCount: 3, missing: 7 },
      { labelId: 2, imageCount: 9, missing: 1 },
    ]);
    expect(findRareLabels(counts, 1).map(({ labelId }) => labelId)).toEqual([3]);
  });
});
