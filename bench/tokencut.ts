/**
 * TokenCut's normalised cut against a dense eigensolver:
 *
 *     node bench/tokencut.ts [--python python3]
 *
 * Twenty random graphs of patches go through both: the cut of core/masks/tokencut.ts, and scipy.linalg.eigh on
 * (D - W) y = lambda D y, as the authors' code does it. Prints in how many graphs every patch falls on the same side and
 * the seed is one of the largest, and the time of both at 900 patches. Needs numpy and scipy.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cutGraph, similarityGraph } from "../core/masks/tokencut.ts";
import { createRandom } from "../core/util/random.ts";

const { values } = parseArgs({ options: { python: { type: "string", default: "python3" } } });
const width = 64;
const timedRuns = 7;

/** Keys of patches that belong to a few groups of random size and direction, with noise that blurs them. */
function randomKeys(count: number, seed: number): Float32Array {
  const random = createRandom(seed);
  const groups = 2 + random.integer(4);
  const noise = random.uniform(0.5, 2);
  const directions = Array.from({ length: groups }, () => Array.from({ length: width }, () => random.normal()));
  const bounds = Array.from({ length: groups - 1 }, () => random.next()).sort();
  return Float32Array.from(
    Array.from({ length: count }, () => {
      const place = random.next();
      const group = bounds.filter((bound) => bound < place).length;
      return Array.from({ length: width }, (_, i) => (directions[group]?.[i] ?? 0) + noise * random.normal());
    }).flat(),
  );
}

const folder = mkdtempSync(join(tmpdir(), "dinoscope-tokencut-"));
try {
  const sizes = Array.from({ length: 20 }, (_, i) => [64, 196, 400, 784, 900][i % 5] ?? 900);
  const cases = sizes.map((count, i) => ({ count, file: join(folder, `${i}.bin`), keys: randomKeys(count, i + 1) }));
  for (const { file, keys } of cases) writeFileSync(file, new Uint8Array(keys.buffer));
  const ours = cases.map(({ count, keys }) => {
    const graphStart = performance.now();
    const graph = similarityGraph(keys, count);
    const graphMs = performance.now() - graphStart;
    const times = Array.from({ length: timedRuns }, () => {
      const start = performance.now();
      cutGraph(graph);
      return performance.now() - start;
    });
    return { ...cutGraph(graph), graphMs, cutMs: Math.min(...times) };
  });
  const script = join(import.meta.dirname, "tokencut.py");
  const list = join(folder, "list.json");
  writeFileSync(
    list,
    JSON.stringify({ width, runs: timedRuns, files: cases.map(({ file, count }) => ({ file, count })) }),
  );
  execFileSync(values.python, [script, list], { stdio: "inherit" });
  const theirs = cases.map(
    ({ file }) =>
      JSON.parse(readFileSync(`${file}.json`, "utf8")) as {
        partition: number[];
        height: number[];
        fullMs: number;
        subsetMs: number;
        gap: number;
      },
  );
  let equal = 0;
  let seeds = 0;
  cases.forEach(({ count }, i) => {
    const [mine, dense] = [ours[i], theirs[i]];
    if (mine === undefined || dense === undefined) return;
    const differing = dense.partition.filter((side, patch) => side !== mine.partition[patch]).length;
    equal += differing === 0 ? 1 : 0;
    // Patches that are joined to the same others have the same value, so several may be the largest.
    seeds += (dense.height[mine.seed] ?? 0) > 1 - 1e-9 ? 1 : 0;
    if (differing > 0)
      console.log(`graph ${i + 1}, ${count} patches: ${differing} differ (gap ${dense.gap.toExponential(1)})`);
  });
  console.log(`equal partitions: ${equal} of ${cases.length}; seeds among the largest: ${seeds}`);
  const at900 = cases.flatMap(({ count }, i) => (count === 900 ? [i] : []));
  const mean = (pick: (i: number) => number): number => at900.reduce((sum, i) => sum + pick(i), 0) / at900.length;
  const cut = mean((i) => ours[i]?.cutMs ?? NaN);
  const subset = mean((i) => theirs[i]?.subsetMs ?? NaN);
  const full = mean((i) => theirs[i]?.fullMs ?? NaN);
  const slowest = Math.max(...at900.map((i) => ours[i]?.cutMs ?? NaN));
  console.log(`cut at 900 patches: ours ${cut.toFixed(1)} ms (slowest ${slowest.toFixed(1)}), best of ${timedRuns}`);
  console.log(`  eigh, two eigenvectors ${subset.toFixed(1)} ms: ${(subset / cut).toFixed(1)} times ours`);
  console.log(`  eigh, all eigenvectors ${full.toFixed(1)} ms: ${(full / cut).toFixed(1)} times ours`);
  console.log(`graph of 900 patches, width ${width}: ${mean((i) => ours[i]?.graphMs ?? NaN).toFixed(1)} ms`);
} finally {
  rmSync(folder, { recursive: true });
}
