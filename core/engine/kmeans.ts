import { assignmentGraph, productGraph } from "../nn/cluster-graph.ts";
import { floatOutput, floats, type Runtime } from "../runtime/runtime.ts";
import { CoreError } from "../util/errors.ts";
import { createRandom, type Random } from "../util/random.ts";
import type { Devices } from "./devices.ts";
import type { LoadedBank } from "./neighbours.ts";
import { createProgramCache, type ProgramCache } from "./program-cache.ts";
import type { EngineMethods } from "./protocol.ts";

/** Scores in one run: 8 Mi of them are 32 MiB, whatever the number of centres. */
const maxScores = 2 ** 23;

/** Rows in one run at most: what is added up after a product is still in the cache then. */
const maxBlock = 8192;

/** Rows that a start is chosen among: beyond this many more of them make no better start, only a slower one. */
const maxSeedRows = 8192;

type Call<Method extends "nearestCentres" | "seedCentres"> = (
  request: EngineMethods[Method]["request"],
) => Promise<EngineMethods[Method]["result"]>;

/** The steps of k-means over banks of embeddings. */
export function createCentres(
  devices: Devices,
  bankOf: (name: string) => LoadedBank,
): { nearestCentres: Call<"nearestCentres">; seedCentres: Call<"seedCentres"> } {
  const caches = new Map<Runtime, ProgramCache>();
  // Calls take turns: a program that one of them is about to use must not be dropped for another's.
  let turn: Promise<unknown> = Promise.resolve();
  return {
    nearestCentres: ({ bank: name, centres, count, device }) => {
      const found = turn.then(async () => {
        const { values, width } = bankOf(name);
        const runtime = await devices.runtime(device);
        const programs = caches.get(runtime) ?? createAssignmentPrograms(runtime);
        caches.set(runtime, programs);
        return nearestCentres(programs, values, width, centres, count);
      });
      turn = found.catch(() => {});
      return found;
    },
    seedCentres: async ({ bank: name, count, seed, device }) => {
      const { values, width } = bankOf(name);
      return seedCentres(await devices.runtime(device), values, width, count, seed);
    },
  };
}

/** Shapes kept: whole and last block of the rows, for one and for two centres a row. */
const keptPrograms = 4;

/** A cache of assignment programs on one device. Shapes are rows, centres, width, count. */
export function createAssignmentPrograms(runtime: Runtime): ProgramCache {
  return createProgramCache(runtime, assignmentGraph, keptPrograms);
}

/**
 * The `count` nearest centres of each row, best first, and the sum of the rows that have a centre as their first. The
 * products run as a graph. The sums are plain additions in float64: for 8,192 rows of 384 they take 3 ms, as a second
 * product with a matrix of ones and zeros would with 50 centres, and a quarter of its time with 300; and they do not
 * depend on the device's order of addition.
 */
export async function nearestCentres(
  programs: ProgramCache,
  bank: Float32Array,
  width: number,
  centres: Float32Array,
  count: number,
): Promise<EngineMethods["nearestCentres"]["result"]> {
  const total = centres.length / width;
  if (!Number.isInteger(total) || total < 1 || count < 1 || count > total) {
    throw new CoreError("option-invalid", `${count} of ${total} centres of ${width} features cannot be found.`);
  }
  const rows = bank.length / width;
  const block = Math.max(1, Math.min(maxBlock, rows, Math.floor(maxScores / total)));
  const nearest = new Int32Array(rows * count);
  const similarities = new Float32Array(rows * count);
  const sums = new Float64Array(total * width);
  for (let start = 0; start < rows; start += block) {
    const size = Math.min(block, rows - start);
    const program = await programs(size, total, width, count);
    const points = bank.subarray(start * width, (start + size) * width);
    const outputs = await program.run({
      points: floats(points, [size, width]),
      centres: floats(centres, [total, width]),
    });
    similarities.set(floatOutput(outputs, "similarities").data, start * count);
    const found = outputs["nearest"]?.data ?? [];
    for (let i = 0; i < size * count; i++) nearest[start * count + i] = Number(found[i]);
    addRows(sums, points, width, nearest, start, count);
  }
  return { nearest, similarities, sums };
}

/** Adds each row of a block to the sum of its first centre. */
function addRows(
  sums: Float64Array,
  points: Float32Array,
  width: number,
  nearest: Int32Array,
  start: number,
  count: number,
): void {
  for (let row = 0; row * width < points.length; row++) {
    const from = row * width;
    const to = (nearest[(start + row) * count] as number) * width;
    // Inside by construction; a fallback value would cost a third of the time.
    for (let i = 0; i < width; i++) sums[to + i] = (sums[to + i] as number) + (points[from + i] as number);
  }
}

/**
 * k-means++ (Arthur and Vassilvitskii 2007) with the greedy choice that they mention in section 5: of several rows drawn
 * with the odds of their distance to the centres so far, the one that leaves the smallest sum of distances. The distance
 * of unit vectors is 1 - cosine, half the squared Euclidean one. Chooses among 8,192 rows at most (or as many as it takes), drawn at random.
 */
export async function seedCentres(
  runtime: Runtime,
  bank: Float32Array,
  width: number,
  count: number,
  seed: number,
): Promise<Int32Array> {
  const random = createRandom(seed);
  const all = bank.length / width;
  const chosen = sampleRows(all, Math.min(all, Math.max(maxSeedRows, 20 * count)), random);
  const rows = chosen.length;
  const points = rows === all ? bank : gather(bank, width, chosen);
  const trials = 2 + Math.floor(Math.log(count));
  const program = await runtime.load(productGraph(rows, trials, width));
  const distances = new Float64Array(rows).fill(1);
  const seeds: number[] = [];
  try {
    let total = rows;
    while (seeds.length < count && total > 0) {
      const tried = draw(distances, total, seeds.length === 0 ? 1 : trials, random);
      while (tried.length < trials) tried.push(tried[0] ?? 0);
      const outputs = await program.run({
        points: floats(points, [rows, width]),
        centres: floats(gather(points, width, Int32Array.from(tried)), [trials, width]),
      });
      const scores = floatOutput(outputs, "scores").data;
      let best = { trial: 0, total: Infinity };
      for (let trial = 0; trial < trials; trial++) {
        let left = 0;
        for (let row = 0; row < rows; row++) {
          left += Math.min(seeds.length === 0 ? 2 : (distances[row] as number), distanceOf(scores[trial * rows + row]));
        }
        if (left < best.total) best = { trial, total: left };
      }
      const row = tried[best.trial] ?? 0;
      for (let other = 0; other < rows; other++) {
        const distance = distanceOf(scores[best.trial * rows + other]);
        if (seeds.length === 0 || distance < (distances[other] as number)) distances[other] = distance;
      }
      distances[row] = 0;
      total = distances.reduce((sum, distance) => sum + distance, 0);
      seeds.push(row);
    }
  } finally {
    await program.release();
  }
  // Fewer different rows than centres: any rows will do for the rest, and k-means moves what stays empty.
  const used = new Set(seeds);
  for (let row = 0; row < rows && seeds.length < count; row++) if (!used.has(row)) seeds.push(row);
  return Int32Array.from(seeds, (row) => chosen[row] ?? 0);
}

/** Rows that are equal up to rounding are at no distance: they must not be drawn as two centres. */
const rounding = 1e-6;

function distanceOf(similarity: number | undefined): number {
  const distance = 1 - (similarity ?? 1);
  return distance > rounding ? distance : 0;
}

/** `count` rows of `all` in increasing order, without repeats (Knuth's selection sampling, volume 2, algorithm S). */
function sampleRows(all: number, count: number, random: Random): Int32Array {
  const rows = new Int32Array(count);
  for (let row = 0, taken = 0; taken < count; row++) {
    if (random.next() * (all - row) < count - taken) rows[taken++] = row;
  }
  return rows;
}

function gather(matrix: Float32Array, width: number, rows: Int32Array): Float32Array {
  const picked = new Float32Array(rows.length * width);
  rows.forEach((row, i) => picked.set(matrix.subarray(row * width, (row + 1) * width), i * width));
  return picked;
}

/** Rows drawn with the odds of their distances, which sum to `total`. */
function draw(distances: Float64Array, total: number, count: number, random: Random): number[] {
  const marks = Array.from({ length: count }, () => random.next() * total);
  const drawn = new Array<number>(count).fill(-1);
  let sum = 0;
  let last = 0;
  for (let row = 0; row < distances.length; row++) {
    const distance = distances[row] as number;
    if (distance === 0) continue;
    sum += distance;
    last = row;
    for (let i = 0; i < count; i++) if (drawn[i] === -1 && (marks[i] ?? 0) < sum) drawn[i] = row;
  }
  // Rounding of the sum may leave a mark behind the last row.
  return drawn.map((row) => (row < 0 ? last : row));
}
