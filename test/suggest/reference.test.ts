import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { evaluateSplit } from "../../core/suggest/evaluate.ts";
import { dotProductErrorBound, nearestRows, neighboursOf } from "../../core/suggest/nearest.ts";
import { voteLabels, voteWinners } from "../../core/suggest/vote.ts";
import { readSafetensors } from "../helpers/safetensors.ts";

const folder = process.env["DINO_REFERENCE"] ?? join(import.meta.dirname, "../fixtures/dino-reference");
const file = readSafetensors(join(folder, "knn.safetensors"));
const [rows = 0, dimensions = 0] = file.tensor("features").shape;
const bank = Float32Array.from(file.tensor("features").data);
const queries = Float32Array.from(file.tensor("queries").data);
const labels = Int32Array.from(file.tensor("labels").data);
const truths = Int32Array.from(file.tensor("query_labels").data);
const temperature = Number(file.metadata["temperature"]);
const counts = file.names.flatMap((name) => /^k(\d+)\.indices$/.exec(name)?.[1] ?? []).map(Number);

test("the official features are already of unit length, so a dot product is their cosine", () => {
  for (const matrix of [bank, queries]) {
    for (let start = 0; start < matrix.length; start += dimensions) {
      const length = Math.hypot(...matrix.subarray(start, start + dimensions));
      // The code normalises in float32: each feature, and the sum of squares, is rounded to 6e-8 of itself.
      expect(Math.abs(length - 1)).toBeLessThan(1e-6);
    }
  }
});

test("the file holds several numbers of neighbours", () => {
  expect(counts.length).toBeGreaterThan(0);
});

describe.each(counts)("with %i neighbours", (count) => {
  const indices = file.tensor(`k${count}.indices`).data;
  const scores = file.tensor(`k${count}.scores`).data;
  const { data: votes, shape: voteShape } = file.tensor(`k${count}.votes`);
  const classes = voteShape[1] ?? 0;
  const table = nearestRows(bank, queries, dimensions, count);

  test("neighbours and their order are those of the official code", () => {
    expect(table.count).toBe(Math.min(count, rows));
    expect(table.indices.length).toBe(indices.length);
    // The official products are float32: two rows nearer to each other than twice its error may change places there.
    const tie = 2 * dotProductErrorBound(dimensions, 2 ** -24);
    const swapped = Array.from(indices).filter(
      (index, i) =>
        table.indices[i] !== index &&
        Math.abs((table.similarities[i] ?? NaN) - cosine(Math.floor(i / count), index)) > tie,
    );
    expect(swapped).toEqual([]);
    // And such ties are the exception: without them the order is the same, row by row.
    const identical = Array.from(indices).filter((index, i) => table.indices[i] === index).length;
    expect(identical / indices.length).toBeGreaterThan(0.999);
  });

  test("similarities are those of the official code", () => {
    expect(largestDifference(table.similarities, scores)).toBeLessThan(1e-5);
  });

  test("votes are those of the official code", () => {
    const shares = new Float64Array(votes.length);
    for (let query = 0; query < truths.length; query++) {
      for (const { labelId, share } of voteLabels(neighboursOf(table, query), labels, temperature)?.shares ?? []) {
        shares[query * classes + labelId] = share;
      }
    }
    expect(largestDifference(shares, votes)).toBeLessThan(1e-5);
  });

  test("top-1 accuracy is that of the official code", () => {
    const { top1 } = evaluateSplit(table, labels, truths, { temperature }).fine;
    // The official figure may be rounded to two digits.
    expect(Math.abs(100 * top1.rate - Number(file.metadata[`top1_k${count}`]))).toBeLessThan(0.006);
    const winners = voteWinners(table, labels, temperature).labelIds;
    expect(winners.filter((labelId, query) => labelId === truths[query]).length).toBe(top1.correct);
  });
});

function cosine(query: number, row: number): number {
  let sum = 0;
  for (let i = 0; i < dimensions; i++) {
    sum += (bank[row * dimensions + i] ?? NaN) * (queries[query * dimensions + i] ?? NaN);
  }
  return sum;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? NaN))), 0);
}
