import { describe, expect, test } from "vitest";
import {
  applyLocalModels,
  boxMean,
  fitLocalModels,
  refineEdges,
  workingPixels,
  workingSize,
} from "../../core/masks/guided-filter.ts";
import { resizeGrid, shrinkPicture, type Picture } from "../../core/masks/resample.ts";
import { intersectionOverUnion } from "../../core/masks/score.ts";
import { createRandom } from "../../core/util/random.ts";

const random = createRandom(5);

/** A disc of one colour on another, both with noise. */
function discPicture(width: number, height: number): Picture & { truth: Uint8Array } {
  const data = new Uint8Array(3 * width * height);
  const truth = new Uint8Array(width * height);
  for (let i = 0; i < truth.length; i++) {
    const inside = Math.hypot((i % width) - width * 0.45, Math.floor(i / width) - height * 0.55) < height * 0.3;
    truth[i] = inside ? 1 : 0;
    (inside ? [180, 60, 40] : [60, 110, 160]).forEach((value, k) => (data[3 * i + k] = value + 12 * random.normal()));
  }
  return { width, height, data, truth };
}

describe("the guided filter", () => {
  test("box means are those of a plain loop, with windows cut at the border", () => {
    const [width, height] = [13, 9];
    const values = Float32Array.from({ length: width * height }, () => random.normal());
    for (const radius of [0, 1, 3, 20]) {
      const found = boxMean(values, width, height, radius);
      found.forEach((mean, i) => {
        let [sum, count] = [0, 0];
        values.forEach((value, j) => {
          const near =
            Math.abs((i % width) - (j % width)) <= radius &&
            Math.abs(Math.floor(i / width) - Math.floor(j / width)) <= radius;
          if (near) [sum, count] = [sum + value, count + 1];
        });
        // Sums run along in float64 and are kept in float32 (6e-8) twice.
        expect(Math.abs(mean - sum / count)).toBeLessThan(1e-6);
      });
    }
  });

  test("models are the ridge regression of the mask on the colours of each window, solved another way", () => {
    const [width, height, radius, epsilon] = [8, 6, 2, 1e-2] as const;
    const guide = [0, 1, 2].map(() => Float32Array.from({ length: width * height }, () => random.next()));
    const mask = Float32Array.from({ length: width * height }, () => random.next());
    // Windows of all radii are the whole picture where the radius is large: one model, and the mean of equal ones.
    const { planes } = fitLocalModels(guide, mask, width, height, { radius: 100, epsilon });
    const parts = planes.map((plane) => plane[0] ?? 0);
    const residual = (a: readonly number[]): number =>
      mask.reduce((sum, value, i) => {
        const fitted = guide.reduce((total, plane, k) => total + (a[k] ?? 0) * (plane[i] ?? 0), a[3] ?? 0);
        return sum + (fitted - value) ** 2;
      }, 0) +
      mask.length * epsilon * guide.reduce((sum, _, k) => sum + (a[k] ?? 0) ** 2, 0);
    const least = residual(parts);
    for (let k = 0; k < 4; k++) {
      for (const change of [-0.01, 0.01]) {
        expect(residual(parts.map((value, j) => (j === k ? value + change : value)))).toBeGreaterThan(least);
      }
    }
    const [first] = planes;
    expect(first?.every((value) => Math.abs(value - (first[0] ?? 0)) < 1e-5)).toBe(true);
    expect(fitLocalModels(guide, mask, width, height, { radius, epsilon }).planes).toHaveLength(4);
  });

  test("turns blocks of patches into the edge of the picture", () => {
    const picture = discPicture(160, 120);
    const truth = { width: 160, height: 120, data: picture.truth };
    const grid = { rows: 12, columns: 16, values: new Float32Array(192) };
    for (let i = 0; i < 192; i++) {
      const [x, y] = [(i % 16) * 10 + 5, Math.floor(i / 16) * 10 + 5];
      grid.values[i] = picture.truth[y * 160 + x] ?? 0;
    }
    const raw = { ...truth, data: resizeGrid(grid, 160, 120).map((value) => Number(value >= 0.5)) };
    const before = intersectionOverUnion({ ...raw, data: Uint8Array.from(raw.data) }, truth);
    const refined = refineEdges(picture, (width, height) => resizeGrid(grid, width, height), {
      radius: 10,
      epsilon: 1e-3,
    });
    expect(intersectionOverUnion(refined, truth)).toBeGreaterThan(Math.max(0.97, before));
  });

  test("a mask that is the same everywhere stays so, whatever the picture", () => {
    const picture = discPicture(40, 30);
    for (const value of [0, 1]) {
      const models = fitLocalModels(shrinkPicture(picture, 40, 30), new Float32Array(1200).fill(value), 40, 30, {
        radius: 4,
        epsilon: 1e-4,
      });
      expect(applyLocalModels(models, picture).data.every((pixel) => pixel === value)).toBe(true);
    }
  });

  test("works on a bounded number of pixels, however large the picture", () => {
    const { width, height } = workingSize(12_000, 9000);
    expect(width * height).toBeLessThanOrEqual(workingPixels * 1.01);
    expect(width / height).toBeCloseTo(4 / 3, 2);
    expect(workingSize(300, 200)).toEqual({ width: 300, height: 200 });
  });
});

describe("resampling", () => {
  test("a grid keeps its values at the centres of its patches and runs straight between them", () => {
    const grid = { rows: 1, columns: 2, values: Float32Array.of(0, 1) };
    expect([...resizeGrid(grid, 4, 1)]).toEqual([0, 0.25, 0.75, 1]);
    expect([...resizeGrid({ rows: 1, columns: 1, values: Float32Array.of(0.5) }, 3, 2)]).toEqual(
      new Array(6).fill(0.5),
    );
    const tall = resizeGrid({ rows: 2, columns: 1, values: Float32Array.of(0, 1) }, 1, 4);
    expect([...tall]).toEqual([0, 0.25, 0.75, 1]);
  });

  test("a smaller picture has the means of what its pixels cover", () => {
    const picture = { width: 4, height: 2, data: Uint8Array.from({ length: 24 }, (_, i) => (i < 6 ? 255 : 0)) };
    const [red] = shrinkPicture(picture, 2, 1);
    expect([...(red ?? [])]).toEqual([0.5, 0]);
  });
});
