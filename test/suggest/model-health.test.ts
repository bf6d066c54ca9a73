import { expect, test } from "vitest";
import { modelHealth } from "../../core/suggest/model-health.ts";
import { nearestRows } from "../../core/suggest/nearest.ts";
import { createRandom } from "../../core/util/random.ts";

const width = 6;
const random = createRandom(3);

/** A row near the axis of its kind. */
function rowOf(kind: number): number[] {
  return Array.from({ length: width }, (_, i) => (i === kind ? 1 : 0) + 0.03 * random.normal());
}

function tableOf(rows: readonly (readonly number[])[], count: number): ReturnType<typeof nearestRows> {
  const matrix = Float32Array.from(rows.flatMap((row) => row.map((value) => value / Math.hypot(...row))));
  return nearestRows(matrix, matrix, width, count, { exclude: Int32Array.from(rows, (_, i) => i) });
}

test("a labelled image is judged by its neighbours' labels, one without by whether they are of one mind", () => {
  // Twelve rows of each of four kinds: all of one label, all of one but one, every row of its own label, and none.
  const rows = Array.from({ length: 48 }, (_, at) => rowOf(Math.floor(at / 12)));
  const labels = rows.map((_, at) => [7, 8, 100 + at, 0][Math.floor(at / 12)] ?? 0);
  labels[3] = 0;
  labels[15] = 7;
  // What a row's own neighbours say cannot depend on the size of the kinds: ten are asked, all of its own kind.
  const health = modelHealth(tableOf(rows, 10), labels);
  expect(health.slice(0, 12)).toEqual(new Array(12).fill("agree"));
  expect(health[15]).toBe("against");
  expect(health.slice(16, 24)).toEqual(new Array(8).fill("agree"));
  expect(health.slice(24, 36)).toEqual(new Array(12).fill("divided"));
  expect(health.slice(36)).toEqual(new Array(12).fill("unknown"));
});

test("what lies far from everything is apart, whatever its neighbours' labels say", () => {
  const rows = Array.from({ length: 60 }, () => rowOf(0));
  rows[20] = [-1, 0, 0, 0, 0, 0];
  const health = modelHealth(
    tableOf(rows, 10),
    rows.map(() => 5),
  );
  expect(health[20]).toBe("apart");
  expect(health.filter((kind) => kind === "agree").length).toBeGreaterThan(50);
});

test("two labelled neighbours are too few to say anything", () => {
  const rows = Array.from({ length: 12 }, () => rowOf(0));
  const labels = rows.map((_, at) => (at < 2 ? 5 : 0));
  const health = modelHealth(tableOf(rows, 11), labels);
  expect(health[11]).toBe("unknown");
  expect(modelHealth(tableOf(rows, 11), labels.with(2, 5))[11]).toBe("agree");
});
