import { describe, expect, test } from "vitest";
import {
  accuracyOf,
  evaluateLeaveOneOut,
  evaluateRankings,
  evaluateSplit,
  leaveOneOutRecords,
} from "../../core/suggest/evaluate.ts";
import { nearestRows } from "../../core/suggest/nearest.ts";

const ranked = (...labelIds: number[]): { labelId: number; share: number }[] =>
  labelIds.map((labelId) => ({ labelId, share: 1 / labelIds.length }));

/** Unit vectors in the plane at these angles in degrees. */
const atAngles = (...angles: number[]): Float32Array =>
  Float32Array.from(angles.flatMap((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]));

describe("evaluateRankings", () => {
  const evaluation = evaluateRankings(
    [
      { truth: 1, shares: ranked(1, 2) },
      { truth: 1, shares: ranked(2, 3, 4, 5, 1) },
      { truth: 2, shares: ranked(1, 3, 4, 5, 6, 2) },
      { truth: 3, shares: [] },
    ],
    1,
  );

  test("top-1 and top-5 count the first and the first five places", () => {
    expect(evaluation.top1).toMatchObject({ correct: 1, count: 4, rate: 0.25 });
    expect(evaluation.top5).toMatchObject({ correct: 2, count: 4, rate: 0.5 });
  });

  test("each label has an accuracy of its own", () => {
    expect(evaluation.byLabel.map(({ labelId, correct, count }) => [labelId, correct, count])).toEqual([
      [1, 1, 2],
      [2, 0, 1],
      [3, 0, 1],
    ]);
  });

  test("the baseline always answers with one label", () => {
    expect(evaluation.majority).toMatchObject({ labelId: 1, correct: 2, count: 4 });
    expect(evaluateRankings([], null)).toMatchObject({ top1: { rate: 0, low: 0, high: 1 }, majority: null });
  });

  test("an accuracy carries its Wilson interval", () => {
    // Newcombe 1998, table I, method 3.
    expect(accuracyOf(81, 263).low).toBeCloseTo(0.2553, 4);
    expect(accuracyOf(81, 263).high).toBeCloseTo(0.3662, 4);
  });
});

describe("evaluateSplit", () => {
  // Labels 11 and 12 are both of the coarse label 1; 20 has no parent.
  const bank = atAngles(0, 1, 10, 90, 91);
  const bankLabels = Int32Array.of(11, 12, 12, 20, 20);
  const coarseOf = new Map([
    [11, 1],
    [12, 1],
  ]);
  const queries = atAngles(0, 92, 45);
  const truths = Int32Array.of(12, 20, 20);

  test("fine votes and votes for the parents are counted apart", () => {
    const { fine, coarse } = evaluateSplit(nearestRows(bank, queries, 2, 1), bankLabels, truths, { coarseOf });
    // One neighbour each: 11 (wrong, but of the right parent), 20 (right), 12 (wrong both ways).
    expect(fine.top1.correct).toBe(1);
    expect(coarse?.top1.correct).toBe(2);
    expect(coarse?.byLabel.map(({ labelId, correct, count }) => [labelId, correct, count])).toEqual([
      [1, 1, 1],
      [20, 1, 2],
    ]);
  });

  test("the baseline is the commonest label of the bank, not of the test images", () => {
    const { fine, coarse } = evaluateSplit(nearestRows(bank, queries, 2, 1), bankLabels, truths, { coarseOf });
    expect(fine.majority).toMatchObject({ labelId: 12, correct: 1, count: 3 });
    expect(coarse?.majority).toMatchObject({ labelId: 1, correct: 1, count: 3 });
    expect(evaluateSplit(nearestRows(bank, queries, 2, 1), bankLabels, truths).coarse).toBeNull();
  });

  test("an empty bank misses everything, and a table of other images is refused", () => {
    const empty = nearestRows(new Float32Array(0), queries, 2, 5);
    expect(evaluateSplit(empty, new Int32Array(0), truths).fine).toMatchObject({
      top1: { correct: 0, count: 3 },
      majority: null,
    });
    expect(() => evaluateSplit(nearestRows(bank, bank, 2, 1), bankLabels, truths)).toThrow("those of 5 images");
  });
});

describe("leave-one-out", () => {
  const bank = atAngles(0, 1, 90, 91, 50);
  const labels = Int32Array.of(1, 1, 2, 2, 3);
  const exclude = [0, 1, 2, 3, 4];

  test("every image is judged by the others", () => {
    const { fine } = evaluateLeaveOneOut(nearestRows(bank, bank, 2, 1, { exclude }), labels);
    // The only image of label 3 cannot be right when it is left out.
    expect(fine.top1).toMatchObject({ correct: 4, count: 5 });
    expect(fine.byLabel.find(({ labelId }) => labelId === 3)).toMatchObject({ correct: 0, count: 1 });
  });

  test("its records say the winner, its share and the truth", () => {
    const records = leaveOneOutRecords(nearestRows(bank, bank, 2, 1, { exclude }), labels);
    expect(records).toEqual([
      { share: 1, winner: 1, truth: 1 },
      { share: 1, winner: 1, truth: 1 },
      { share: 1, winner: 2, truth: 2 },
      { share: 1, winner: 2, truth: 2 },
      { share: 1, winner: 2, truth: 3 },
    ]);
    const single = nearestRows(bank.subarray(0, 2), bank.subarray(0, 2), 2, 1, { exclude: [0] });
    expect(leaveOneOutRecords(single, Int32Array.of(1))).toEqual([]);
  });

  test("an image among its own neighbours is refused", () => {
    const leaky = nearestRows(bank, bank, 2, 1);
    expect(() => evaluateLeaveOneOut(leaky, labels)).toThrow("Image 0 is its own neighbour");
    expect(() => leaveOneOutRecords(leaky, labels)).toThrow("Image 0 is its own neighbour");
  });
});
