import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { densityClusters, type DistanceTable } from "../../core/suggest/hdbscan.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOf } from "../helpers/refusal.ts";

interface Case {
  readonly name: string;
  readonly minimum: number;
  readonly samples: number;
  readonly width: number;
  readonly points: readonly number[];
  readonly labels: readonly number[];
}

/** Made by `python3 bench/hdbscan_reference.py`: the method by its definition, over the full matrix of distances. */
const cases = JSON.parse(readFileSync(new URL("../fixtures/hdbscan.json", import.meta.url), "utf8")) as readonly Case[];

/** The `count` nearest of each point by plain distance. */
function neighbourTable(points: readonly number[], width: number, count: number): DistanceTable {
  const rows = points.length / width;
  const indices = new Int32Array(rows * count);
  const distances = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) {
    const others = Array.from({ length: rows }, (_, other) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += ((points[row * width + i] ?? 0) - (points[other * width + i] ?? 0)) ** 2;
      return { other, distance: Math.sqrt(sum) };
    })
      .filter(({ other }) => other !== row)
      .sort((a, b) => a.distance - b.distance || a.other - b.other);
    others.slice(0, count).forEach(({ other, distance }, slot) => {
      indices[row * count + slot] = other;
      distances[row * count + slot] = distance;
    });
  }
  return { count, indices, distances };
}

describe("HDBSCAN", () => {
  test.each(cases)("finds the reference's partition of $name", ({ points, width, minimum, samples, labels }) => {
    const table = neighbourTable(points, width, points.length / width - 1);
    expect([...densityClusters(table, { minimum, samples }).labels]).toEqual(labels);
  });

  test("needs only some of the neighbours where clusters lie apart", () => {
    const random = createRandom(3);
    const centres = [0, 10, 25];
    const points = Array.from({ length: 150 }, (_, i) => [
      (centres[i % 3] ?? 0) + random.normal(),
      random.normal(),
    ]).flat();
    const found = densityClusters(neighbourTable(points, 2, 20), { minimum: 15, samples: 5 });
    expect(found.count).toBe(3);
    const groups = [0, 1, 2].map((group) => [...found.labels].filter((_, i) => i % 3 === group));
    for (const [group, labels] of groups.entries()) {
      expect(new Set(labels.filter((label) => label >= 0))).toEqual(new Set([group]));
      expect(labels.filter((label) => label >= 0).length).toBeGreaterThan(40);
    }
  });

  test("takes copies of one picture for a cluster, without a sum that is not finite", () => {
    const copies = Array.from({ length: 12 }, () => [5, 5]);
    const random = createRandom(4);
    const others = Array.from({ length: 30 }, () => [random.normal(), random.normal()]);
    const table = neighbourTable([...copies, ...others].flat(), 2, 41);
    const { labels } = densityClusters(table, { minimum: 6 });
    expect(new Set(labels.subarray(0, 12))).toEqual(new Set([0]));
    expect(labels.subarray(12)).not.toContain(0);
  });

  test("knows nothing of one point or none, and asks for enough neighbours", () => {
    expect(
      densityClusters(
        { count: 0, indices: new Int32Array(), distances: new Float64Array() },
        { minimum: 2, samples: 1 },
      ).count,
    ).toBe(0);
    const table = neighbourTable([0, 1, 2, 3], 1, 2);
    expect(refusalOf(() => densityClusters(table, { minimum: 5 }))).toContain("option-invalid");
  });
});
