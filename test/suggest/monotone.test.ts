import fc from "fast-check";
import { expect, test } from "vitest";
import { isotonicRegression, valueAt } from "../../core/suggest/monotone.ts";

const points = fc.array(
  fc.record({
    value: fc.double({ min: -5, max: 5, noNaN: true }),
    weight: fc.double({ min: 0.1, max: 9, noNaN: true }),
  }),
  { minLength: 1, maxLength: 12 },
);

test("the fit is the max-min of weighted means, the closed form of isotonic regression", () => {
  // Robertson, Wright and Dykstra 1988, theorem 1.4.4: an O(n^3) formula with no pooling in it.
  fc.assert(
    fc.property(points, (list) => {
      const mean = (from: number, to: number): number => {
        const part = list.slice(from, to + 1);
        const weight = part.reduce((sum, point) => sum + point.weight, 0);
        return part.reduce((sum, point) => sum + point.value * point.weight, 0) / weight;
      };
      const expected = list.map((_, i) =>
        Math.max(
          ...list.slice(0, i + 1).map((_, from) => Math.min(...list.slice(i).map((_, to) => mean(from, i + to)))),
        ),
      );
      const fitted = isotonicRegression(list);
      // Both are sums of a dozen float64 products of order 10.
      expected.forEach((value, i) => expect(fitted[i]).toBeCloseTo(value, 9));
    }),
    { seed: 4 },
  );
});

test("a curve is straight between its points and flat outside", () => {
  const curve = [
    { share: 0.2, value: 1 },
    { share: 0.4, value: 3 },
    { share: 0.8, value: 4 },
  ];
  const at = (share: number): number => valueAt(curve, share);
  expect([0, 0.2, 0.3, 0.4, 0.6, 0.8, 1].map(at)).toEqual([1, 1, expect.closeTo(2), 3, expect.closeTo(3.5), 4, 4]);
  expect(valueAt(curve.slice(0, 1), 0.9)).toBe(1);
});
