import { describe, expect, test } from "vitest";
import { bicubicMatrix } from "../../core/nn/position.ts";

/** Row `row` of a matrix with `columns` columns. */
const rowOf = (matrix: Float32Array, columns: number, row: number): number[] => [
  ...matrix.subarray(row * columns, (row + 1) * columns),
];

function expectRows(matrix: Float32Array, wanted: readonly (readonly number[])[], digits: number): void {
  const columns = wanted[0]?.length ?? 0;
  expect(matrix).toHaveLength(wanted.length * columns);
  wanted.forEach((row, i) => {
    rowOf(matrix, columns, i).forEach((value, j) => {
      expect(Math.abs(value - (row[j] ?? NaN)), `row ${i}, column ${j}`).toBeLessThan(10 ** -digits);
    });
  });
}

/** A row of 14 from its non-zero values and the column of the first. */
const row14 = (start: number, ...values: number[]): number[] =>
  Array.from({ length: 14 }, (_, i) => values[i - start] ?? 0);

test("14 to 6 cells with the offset 0.1 is what the official code's interpolation does", () => {
  // torch.nn.functional.interpolate(..., scale_factor=6.1 / 14, mode="bicubic"), given to 5 digits.
  expectRows(
    bicubicMatrix(14, 6, 0.1, false),
    [
      row14(0, 0.33562, 0.77522, -0.11084),
      row14(1, -0.00233, 0.04773, 0.99283, -0.03824),
      row14(4, -0.1036, 0.88966, 0.24625, -0.0323),
      row14(6, -0.08723, 0.55036, 0.63634, -0.09947),
      row14(8, -0.0184, 0.16717, 0.93971, -0.08848),
      row14(11, -0.07093, 0.96831, 0.10262),
    ],
    5,
  );
});

// The figures below are PyTorch 1.13's in float64, from
//   x = torch.eye(n, dtype=torch.float64).reshape(1, n, n, 1)
//   torch.nn.functional.interpolate(x, mode="bicubic", **options)[0, :, :, 0].T
// to 7 digits, which float32 matrices keep to 6.
test("4 to 6 cells with the offset 0.1 is PyTorch's scale_factor=(6.1 / 4, 1)", () => {
  expectRows(
    bicubicMatrix(4, 6, 0.1, false),
    [
      [1.0884797, -0.0884797, 0, 0],
      [0.5184404, 0.5721383, -0.0905788, 0],
      [-0.0774122, 0.9596942, 0.1302514, -0.0125334],
      [-0.02504, 0.2059196, 0.9162753, -0.097155],
      [0, -0.1019751, 0.6572435, 0.4447316],
      [0, 0, -0.0637937, 1.0637937],
    ],
    6,
  );
});

test("7 to 4 cells with a wider kernel is PyTorch's size=(4, 1), antialias=True", () => {
  expectRows(
    bicubicMatrix(7, 4, 0, true),
    [
      [0.5513507, 0.4591427, 0.0277964, -0.0382898, 0, 0, 0],
      [-0.0372079, 0.2055146, 0.5556581, 0.3164207, -0.0173227, -0.0230627, 0],
      [0, -0.0230627, -0.0173227, 0.3164207, 0.5556581, 0.2055146, -0.0372079],
      [0, 0, 0, -0.0382898, 0.0277964, 0.4591427, 0.5513507],
    ],
    6,
  );
});

test("3 to 5 cells with antialias, which has nothing to widen, is PyTorch's size=(5, 1), antialias=True", () => {
  expectRows(
    bicubicMatrix(3, 5, 0, true),
    [
      [1.0754717, -0.0754717, 0],
      [0.6492537, 0.3955224, -0.0447761],
      [0, 1, 0],
      [-0.0447761, 0.3955224, 0.6492537],
      [0, -0.0754717, 1.0754717],
    ],
    6,
  );
});

describe.each([
  [14, 6, 0.1, false],
  [14, 30, 0.1, false],
  [28, 60, 0, false],
  [37, 16, 0, true],
  [37, 16, 0.1, false],
  [16, 37, 0, true],
  [14, 1, 0.1, false],
  [1, 5, 0.1, false],
  [1, 5, 0, true],
])("from %i to %i cells with offset %f, antialias %s", (from, to, offset, antialias) => {
  const matrix = bicubicMatrix(from, to, offset, antialias);

  test("every row sums to 1, so that equal positions stay equal", () => {
    expect(matrix).toHaveLength(from * to);
    for (let row = 0; row < to; row++) {
      // Up to 37 float32 numbers below 1.2 add up within a few 1e-7.
      expect(Math.abs(rowOf(matrix, from, row).reduce((sum, value) => sum + value, 0) - 1)).toBeLessThan(1e-6);
    }
  });

  if (offset === 0) {
    test("it looks the same from both ends", () => {
      for (let row = 0; row < to; row++) {
        const mirrored = rowOf(matrix, from, to - 1 - row).reverse();
        rowOf(matrix, from, row).forEach((value, i) => expect(value).toBeCloseTo(mirrored[i] ?? NaN, 6));
      }
    });
  }
});

test("as many cells as there were, without an offset, leaves all as it is", () => {
  for (const antialias of [false, true]) {
    const matrix = bicubicMatrix(5, 5, 0, antialias);
    expect(matrix).toEqual(Float32Array.from({ length: 25 }, (_, i) => (i % 6 === 0 ? 1 : 0)));
  }
});
