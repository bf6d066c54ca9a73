import fc from "fast-check";
import { expect, test } from "vitest";
import { wilsonInterval } from "../../core/suggest/interval.ts";

test.each([
  // Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3, which gives four digits.
  { successes: 81, trials: 263, low: 0.2553, high: 0.3662 },
  { successes: 15, trials: 148, low: 0.0624, high: 0.1605 },
  { successes: 0, trials: 20, low: 0, high: 0.1611 },
  { successes: 1, trials: 29, low: 0.0061, high: 0.1718 },
])("the interval of $successes in $trials is the published one", ({ successes, trials, low, high }) => {
  const interval = wilsonInterval(successes, trials);
  expect(interval.low).toBeCloseTo(low, 4);
  expect(interval.high).toBeCloseTo(high, 4);
});

test("the limits are where the score test just rejects", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0, max: 1, noNaN: true }), (trials, part) => {
      const successes = Math.round(part * trials);
      const { low, high } = wilsonInterval(successes, trials);
      expect(0 <= low && low <= successes / trials && successes / trials <= high && high <= 1).toBe(true);
      for (const limit of [low, high]) {
        if (limit === 0 || limit === 1) continue;
        const score = Math.abs(successes / trials - limit) / Math.sqrt((limit * (1 - limit)) / trials);
        expect(score).toBeCloseTo(1.959963984540054, 6);
      }
    }),
    { seed: 1 },
  );
});

test("nothing counted says nothing, and impossible counts are refused", () => {
  expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
  expect(() => wilsonInterval(3, 2)).toThrow("0 <= successes <= trials");
  expect(() => wilsonInterval(NaN, 2)).toThrow("0 <= successes <= trials");
});
