import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Neighbour } from "../../core/suggest/nearest.ts";
import {
  dotProductErrorBound,
  nearestRows,
  neighboursOf,
  queryCountOf,
  refineCandidates,
} from "../../core/suggest/nearest.ts";
import type { Random } from "../../core/util/random.ts";
import { createRandom } from "../../core/util/random.ts";

const dimensions = 24;

/** Rows of unit length, row-major. */
function randomRows(random: Random, rows: number, width = dimensions): Float32Array {
  const matrix = Float32Array.from({ length: rows * width }, () => random.normal());
  for (let start = 0; start < matrix.length; start += width) {
    const row = matrix.subarray(start, start + width);
    const length = Math.hypot(...row);
    row.forEach((value, i) => (row[i] = value / length));
  }
  return matrix;
}

/** The plainest search there is: all similarities, sorted. */
function sortedRows(bank: Float32Array, query: Float32Array, exclude = -1): Neighbour[] {
  const width = query.length;
  return Array.from({ length: bank.length / width }, (_, index) => ({
    index,
    similarity: query.reduce((sum, value, i) => sum + value * (bank[index * width + i] ?? NaN), 0),
  }))
    .filter(({ index }) => index !== exclude)
    .sort((a, b) => b.similarity - a.similarity || a.index - b.index);
}

/** What a device answers: the best rows by float32 products, summed in an order of its own (from the end). */
function deviceCandidates(bank: Float32Array, query: Float32Array, count: number): Neighbour[] {
  const width = query.length;
  return Array.from({ length: bank.length / width }, (_, index) => {
    let similarity = 0;
    for (let i = width - 1; i >= 0; i--) {
      const product = Math.fround((bank[index * width + i] ?? NaN) * (query[i] ?? NaN));
      similarity = Math.fround(similarity + product);
    }
    return { index, similarity };
  })
    .sort((a, b) => b.similarity - a.similarity || b.index - a.index)
    .slice(0, count);
}

/** A copy of a unit vector with every feature moved by about one float32 step: cosines differ by some 1e-8. */
function almost(random: Random, row: Float32Array): Float32Array {
  return row.map((value) => value * (1 + (random.next() - 0.5) * 2 ** -22));
}

describe("nearestRows", () => {
  test("agrees with sorting all rows, duplicates and exclusions included", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 45 }),
        (seed, rows, count) => {
          const random = createRandom(seed);
          const bank = randomRows(random, rows);
          // Every third row repeats an earlier one, so equal similarities must go by index.
          for (let row = 2; row < rows; row += 3) bank.copyWithin(row * dimensions, 0, dimensions);
          const exclude = Array.from({ length: 4 }, () => random.integer(rows + 1) - 1);
          const queries = randomRows(random, 4);
          const table = nearestRows(bank, queries, dimensions, count, { exclude });
          expect(table.count).toBe(Math.min(count, rows));
          exclude.forEach((excluded, query) => {
            const vector = queries.subarray(query * dimensions, (query + 1) * dimensions);
            expect(neighboursOf(table, query)).toEqual(sortedRows(bank, vector, excluded).slice(0, count));
          });
        },
      ),
      { seed: 2, numRuns: 100 },
    );
  });

  test("finds each row as its own nearest, and never when it is excluded", () => {
    const bank = randomRows(createRandom(3), 50);
    const own = Array.from({ length: 50 }, (_, row) => row);
    expect(Array.from(nearestRows(bank, bank, dimensions, 1).indices)).toEqual(own);
    const leftOut = nearestRows(bank, bank, dimensions, 50, { exclude: own });
    expect(queryCountOf(leftOut)).toBe(50);
    for (const row of own) {
      const neighbours = neighboursOf(leftOut, row).map(({ index }) => index);
      expect(neighbours).toHaveLength(49);
      expect(neighbours).not.toContain(row);
    }
  });

  test("refuses matrices that are not whole rows, counts that are not whole, and numbers that are not finite", () => {
    const row = randomRows(createRandom(4), 1);
    expect(() => nearestRows(new Float32Array(25), row, dimensions, 1)).toThrow("not rows of 24");
    expect(() => nearestRows(row, row, 0, 1)).toThrow("not rows of 0");
    expect(() => nearestRows(row, row, dimensions, 1.5)).toThrow("whole number");
    expect(() => nearestRows(Float32Array.of(1, NaN), Float32Array.of(1, 0), 2, 1)).toThrow("not finite");
    expect(() => nearestRows(Float32Array.of(1, 0), Float32Array.of(Infinity, 0), 2, 1)).toThrow("not finite");
  });
});

describe("dotProductErrorBound", () => {
  test("holds for float32 sums whose rounding all goes one way", () => {
    // 1 + 2^-25 rounds down to 1 each time, so the sum of the small products is lost as a whole.
    const width = 768;
    const x = new Float32Array(width).fill(2 ** -13);
    const y = new Float32Array(width).fill(2 ** -12);
    x[0] = 1;
    y[0] = 1;
    let single = 0;
    let exact = 0;
    x.forEach((value, i) => {
      single = Math.fround(single + Math.fround(value * (y[i] ?? 0)));
      exact += value * (y[i] ?? 0);
    });
    const scale = Math.hypot(...x) * Math.hypot(...y);
    const bound = dotProductErrorBound(width, 2 ** -24);
    expect(single).toBe(1);
    expect(exact - single).toBeGreaterThan(0.4 * bound * scale);
    expect(exact - single).toBeLessThanOrEqual(bound * scale);
  });

  test("proves nothing where roundoff outweighs the sum", () => {
    expect(dotProductErrorBound(4096, 2 ** -11)).toBe(Infinity);
  });
});

describe("refineCandidates", () => {
  test("whatever it calls exact is exact, among near-ties and duplicates", () => {
    let proven = 0;
    let refused = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = createRandom(seed);
      const bank = randomRows(random, 60);
      const query = randomRows(random, 1);
      const [best] = sortedRows(bank, query);
      const nearest = bank.slice((best?.index ?? 0) * dimensions, ((best?.index ?? 0) + 1) * dimensions);
      // A cluster of rows around the nearest that float32 cannot rank, some of them equal.
      const cluster = random.integer(14);
      for (let i = 0; i < cluster; i++) {
        bank.set(i % 3 === 0 ? nearest : almost(random, nearest), random.integer(60) * dimensions);
      }
      const exclude = random.integer(2) === 0 ? -1 : (best?.index ?? 0);
      const { neighbours, exact } = refineCandidates(bank, query, deviceCandidates(bank, query, 9), 5, { exclude });
      const truth = sortedRows(bank, query, exclude).slice(0, 5);
      if (exact) expect(neighbours).toEqual(truth);
      if (exact) proven++;
      else refused++;
    }
    // Both outcomes must occur often, or this shows nothing.
    expect(proven).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(30);
  });

  test("corrects the device's order without a full scan", () => {
    const random = createRandom(6);
    const bank = randomRows(random, 500);
    const query = randomRows(random, 1);
    const nearest = bank.slice(0, dimensions);
    query.set(nearest);
    for (let row = 1; row < 8; row++) bank.set(almost(random, nearest), row * dimensions);
    const candidates = deviceCandidates(bank, query, 12);
    const truth = sortedRows(bank, query).slice(0, 8);
    expect(candidates.slice(0, 8).map(({ index }) => index)).not.toEqual(truth.map(({ index }) => index));
    expect(refineCandidates(bank, query, candidates, 8)).toEqual({ neighbours: truth, exact: true });
  });

  test("does not claim a cut that goes through a tie", () => {
    const row = randomRows(createRandom(7), 1);
    const bank = new Float32Array(30 * dimensions);
    for (let i = 0; i < 30; i++) bank.set(row, i * dimensions);
    // Thirty equal rows: the lowest indices are right, but the device offered others.
    const candidates = deviceCandidates(bank, row, 10);
    expect(candidates.map(({ index }) => index)).not.toContain(0);
    expect(refineCandidates(bank, row, candidates, 5).exact).toBe(false);
  });

  test("a gap of more than the error bound is proof, one of less is none", () => {
    const bank = Float32Array.of(1, 0, 0.5, Math.sqrt(0.75), 0, 1);
    const query = Float32Array.of(1, 0);
    const bound = dotProductErrorBound(2, 2 ** -24);
    const refine = (worst: number): boolean =>
      refineCandidates(
        bank,
        query,
        [
          { index: 0, similarity: 1 },
          { index: 1, similarity: worst },
        ],
        1,
      ).exact;
    expect(refine(1 - 2 * bound)).toBe(true);
    expect(refine(1 - 0.5 * bound)).toBe(false);
    expect(refine(NaN)).toBe(false);
  });

  test("all rows as candidates are proof by themselves; too few are none", () => {
    const bank = Float32Array.of(1, 0, 1, 0, 1, 0);
    const query = Float32Array.of(1, 0);
    const candidates = [2, 1, 0, -1].map((index) => ({ index, similarity: 1 }));
    const { neighbours, exact } = refineCandidates(bank, query, candidates, 2);
    expect(exact).toBe(true);
    expect(neighbours.map(({ index }) => index)).toEqual([0, 1]);
    expect(refineCandidates(bank, query, candidates.slice(1), 2, { exclude: 2 }).exact).toBe(true);
    expect(refineCandidates(bank, query, candidates.slice(0, 1), 2).exact).toBe(false);
    expect(refineCandidates(bank, query, [...candidates, ...candidates], 3).neighbours).toHaveLength(3);
    expect(() => refineCandidates(bank, query, [{ index: 3, similarity: 1 }], 2)).toThrow("not one of the 3 rows");
  });

  test("coarser products of the device need a wider gap", () => {
    const bank = Float32Array.of(1, 0, 0.99, Math.sqrt(1 - 0.99 ** 2), 0, 1);
    const query = Float32Array.of(1, 0);
    const candidates = [
      { index: 0, similarity: 1 },
      { index: 1, similarity: 0.9995 },
    ];
    expect(refineCandidates(bank, query, candidates, 1).exact).toBe(true);
    expect(refineCandidates(bank, query, candidates, 1, { unitRoundoff: 2 ** -11 }).exact).toBe(false);
  });
});
