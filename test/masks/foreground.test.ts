import { describe, expect, test } from "vitest";
import { applyForegroundHead, coarseForeground, trainForegroundHead } from "../../core/masks/foreground-head.ts";
import { bestHead } from "../../core/masks/heads.ts";
import { centreBox, coverage, intersectionOverUnion, meanMask } from "../../core/masks/score.ts";
import { areaOf } from "../../core/masks/bitmap.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOf } from "../helpers/refusal.ts";
import { bitmapOfText } from "./support.ts";

describe("the foreground head", () => {
  const width = 12;
  const random = createRandom(11);
  const normal = Array.from({ length: width }, () => random.normal());
  const tokens = Float32Array.from({ length: 4000 * width }, () => 2 + 3 * random.normal());
  const truth = Uint8Array.from({ length: 4000 }, (_, row) => {
    const sum = normal.reduce((total, weight, i) => total + weight * ((tokens[row * width + i] ?? 0) - 2), 0);
    return sum > 1 ? 1 : 0;
  });

  test("finds what rough masks have in common, though a fifth of each is wrong", () => {
    const rough = truth.map((value) => (random.next() < 0.2 ? 1 - value : value));
    const head = trainForegroundHead(tokens, rough, 1);
    const found = applyForegroundHead(head, tokens);
    const right = found.filter((score, row) => score >= 0.5 === (truth[row] === 1)).length;
    expect(right / truth.length).toBeGreaterThan(0.95);
  });

  test("is the same for the same seed", () => {
    expect(trainForegroundHead(tokens, truth, 4)).toEqual(trainForegroundHead(tokens, truth, 4));
  });

  test("is at a minimum of its loss: no small change of it agrees better with its targets", () => {
    // Noise in the targets keeps the minimum finite.
    const noisy = truth.map((value) => (random.next() < 0.2 ? 1 - value : value));
    const head = trainForegroundHead(tokens, noisy, 1);
    const loss = (weights: Float32Array, bias: number): number =>
      applyForegroundHead({ weights, bias }, tokens).reduce(
        (sum, score, row) => sum - Math.log(noisy[row] === 1 ? score : 1 - score) / noisy.length,
        0,
      );
    const here = loss(head.weights, head.bias);
    for (let i = 0; i < width; i++) {
      for (const change of [-0.1, 0.1]) {
        expect(loss(head.weights.with(i, (head.weights[i] ?? 0) + change), head.bias)).toBeGreaterThan(here);
      }
    }
  });

  test("needs foreground and background", () => {
    expect(refusalOf(() => trainForegroundHead(tokens, new Uint8Array(4000), 1))).toContain("masks-missing: ");
  });

  test("rough masks are what is unlike the patch with the least attention", () => {
    const keys = Float32Array.of(1, 0, 1, 0, /**/ 0, 1, 0, 1, /**/ 1, 0.1, 1, 0, /**/ 0.1, 1, 0, 1);
    const attention = Float32Array.of(0.1, 0.4, 0.2, 0.3, /**/ 0.1, 0.5, 0.2, 0.2);
    expect([...coarseForeground(attention, keys, 2)]).toEqual([0, 1, 0, 1]);
  });
});

describe("the best head", () => {
  const truth = Float32Array.of(0, 0, 1, 1);
  const example = { heads: 2, rows: 2, columns: 2, truth, attention: Float32Array.of(3, 3, 1, 1, 1, 1, 3, 3) };

  test("is the one whose attention lies on the true masks", () => {
    const { head, overlaps } = bestHead([example, { ...example, truth: Float32Array.of(0, 0, 0.5, 1) }], 0.6);
    expect(head).toBe(1);
    expect(overlaps).toEqual([0, (1 + 1.5 / 2) / 2]);
  });

  test("needs a mask that somebody corrected", () => {
    expect(refusalOf(() => bestHead([], 0.6))).toContain("masks-missing: ");
  });
});

describe("scores", () => {
  const mask = bitmapOfText("##..", "##..", "....", "....");

  test("overlap is intersection over union, and 1 for two empty masks", () => {
    expect(intersectionOverUnion(mask, bitmapOfText("####", "....", "....", "...."))).toBeCloseTo(2 / 6, 12);
    expect(intersectionOverUnion(bitmapOfText(".."), bitmapOfText(".."))).toBe(1);
    expect(refusalOf(() => intersectionOverUnion(mask, bitmapOfText("..")))).toContain("mask-size: ");
  });

  test("coverage is the share of each cell, also of cells smaller than pixels", () => {
    expect([...coverage(mask, 2, 2)]).toEqual([1, 0, 0, 0]);
    expect([...coverage(mask, 1, 1)]).toEqual([0.25]);
    expect([...coverage(bitmapOfText("#."), 2, 4)]).toEqual([1, 1, 0, 0, 1, 1, 0, 0]);
  });

  test("the box in the middle has half of the area", () => {
    expect(areaOf(centreBox(200, 100)) / 20_000).toBeCloseTo(0.5, 1);
  });

  test("the mean mask is foreground where half of the masks are", () => {
    const mean = meanMask([Float32Array.of(1, 0.4, 0), Float32Array.of(1, 0.6, 0.8)], 1, 3);
    expect([...mean.data]).toEqual([1, 1, 0]);
  });
});
