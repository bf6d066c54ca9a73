/**
 * Spherical k-means through the engine against scikit-learn's KMeans, side by side on the same unit vectors with the same
 * number of clusters and restarts:
 *
 *     node bench/kmeans.ts [--rows 20000] [--clusters 50] [--restarts 10] [--python python3]
 *
 * Both partitions are judged by the same sums, added up here: the cosines to the best centres (what spherical k-means
 * makes large), and the squared distances to the means (inertia, what scikit-learn makes small). Needs scikit-learn.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createEngine } from "../core/engine/supervisor.ts";
import { kMeansRows } from "../core/jobs/kmeans-rows.ts";
import { loadBank } from "../core/jobs/neighbours.ts";
import { sphericalKMeans } from "../core/suggest/kmeans.ts";
import { mixture } from "./mixture.ts";

const width = 384;
const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "20000" },
    clusters: { type: "string", default: "50" },
    restarts: { type: "string", default: "10" },
    python: { type: "string", default: "python3" },
  },
});
const [rows, count, restarts] = [Number(values.rows), Number(values.clusters), Number(values.restarts)];
const matrix = mixture(rows, width, { seed: 1 });

const folder = mkdtempSync(join(tmpdir(), "dinoscope-kmeans-"));
const engine = createEngine();
try {
  await engine.call("chooseDevice", { device: "cpu" });
  const started = performance.now();
  const bank = await loadBank(engine, { matrix, width }, "cpu");
  let steps = 0;
  const ours = await sphericalKMeans(
    kMeansRows(bank, { matrix, width }),
    { count, restarts, seed: 1 },
    { onStep: () => steps++ },
  );
  const oursMs = performance.now() - started;
  const again = performance.now();
  await bank.nearestCentres(ours.centres, 1);
  const stepMs = performance.now() - again;
  report("dinoscope", oursMs, ours.nearest);
  console.log(`  ${steps} steps; one step ${stepMs.toFixed(0)} ms`);

  const data = join(folder, "rows.f32");
  writeFileSync(data, new Uint8Array(matrix.buffer));
  const script = fileURLToPath(new URL("./kmeans.py", import.meta.url));
  const out = join(folder, "labels.i32");
  const text = execFileSync(values.python, [script, data, width, count, restarts, out].map(String), {
    encoding: "utf8",
  });
  const { seconds, version } = JSON.parse(text) as { seconds: number; version: string };
  const bytes = readFileSync(out);
  const theirs = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  report(`scikit-learn ${version}`, seconds * 1000, theirs);
  console.log(`ratio of times: ${((seconds * 1000) / oursMs).toFixed(2)} (above 1: dinoscope is faster)`);
} finally {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
}

function report(name: string, milliseconds: number, labels: Int32Array): void {
  const sums = new Float64Array(count * width);
  const sizes = new Int32Array(count);
  labels.forEach((label, row) => {
    sizes[label] = (sizes[label] ?? 0) + 1;
    for (let i = 0; i < width; i++)
      sums[label * width + i] = (sums[label * width + i] ?? 0) + (matrix[row * width + i] ?? 0);
  });
  let cosines = 0;
  let inertia = rows;
  for (let label = 0; label < count; label++) {
    const length = Math.hypot(...sums.subarray(label * width, (label + 1) * width));
    cosines += length;
    inertia -= length ** 2 / Math.max(1, sizes[label] ?? 0);
  }
  console.log(
    `${name}: ${rows} x ${width}, k = ${count}, ${restarts} restarts: ${(milliseconds / 1000).toFixed(2)} s, ` +
      `cosines ${cosines.toFixed(2)}, inertia ${inertia.toFixed(2)}`,
  );
}
