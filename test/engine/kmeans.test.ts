import { describe, expect, test } from "vitest";
import { createAssignmentPrograms, nearestCentres, seedCentres } from "../../core/engine/kmeans.ts";
import { createOrtRuntime } from "../../core/runtime/ort.ts";
import { createRandom } from "../../core/util/random.ts";

const width = 16;
const runtime = createOrtRuntime("cpu", { threads: 1 });

function unitVectors(count: number, seed: number): Float32Array {
  const random = createRandom(seed);
  const matrix = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    const values = Array.from({ length: width }, () => random.normal());
    const length = Math.hypot(...values);
    matrix.set(
      values.map((value) => value / length),
      row * width,
    );
  }
  return matrix;
}

describe("the steps of k-means in the engine", () => {
  test("give the centres and sums of a plain loop, across blocks of rows", async () => {
    const [rows, centres] = [unitVectors(9000, 1), unitVectors(7, 2)];
    const found = await nearestCentres(createAssignmentPrograms(runtime), rows, width, centres, 2);
    const sums = new Float64Array(7 * width);
    for (let row = 0; row < 9000; row++) {
      const scores = Array.from({ length: 7 }, (_, centre) => {
        let sum = 0;
        for (let i = 0; i < width; i++) sum += (rows[row * width + i] ?? 0) * (centres[centre * width + i] ?? 0);
        return { centre, sum };
      }).sort((a, b) => b.sum - a.sum);
      const first = found.nearest[2 * row] ?? -1;
      // Two centres may be equal in float32.
      expect(scores.find(({ centre }) => centre === first)?.sum ?? 0).toBeGreaterThan((scores[0]?.sum ?? 0) - 1e-6);
      expect(found.similarities[2 * row + 1]).toBeCloseTo(scores[1]?.sum ?? 0, 5);
      for (let i = 0; i < width; i++)
        sums[first * width + i] = (sums[first * width + i] ?? 0) + (rows[row * width + i] ?? 0);
    }
    expect(found.sums).toEqual(sums);
  });

  test("start from different rows, the same for the same seed, one in each of the groups that lie apart", async () => {
    const centres = unitVectors(8, 3);
    const random = createRandom(4);
    const rows = new Float32Array(400 * width);
    for (let row = 0; row < 400; row++) {
      const centre = centres.subarray((row % 8) * width, ((row % 8) + 1) * width);
      const values = [...centre].map((value) => value + 0.02 * random.normal());
      const length = Math.hypot(...values);
      rows.set(
        values.map((value) => value / length),
        row * width,
      );
    }
    const chosen = await seedCentres(runtime, rows, width, 8, 5);
    expect(new Set([...chosen].map((row) => row % 8)).size).toBe(8);
    expect(await seedCentres(runtime, rows, width, 8, 5)).toEqual(chosen);
    expect(await seedCentres(runtime, rows, width, 8, 6)).not.toEqual(chosen);
  });

  test("start even where fewer rows differ than there are centres", async () => {
    const one = unitVectors(1, 7);
    const rows = new Float32Array(5 * width);
    for (let row = 0; row < 5; row++) rows.set(one, row * width);
    expect(new Set(await seedCentres(runtime, rows, width, 3, 1)).size).toBe(3);
  });
});
