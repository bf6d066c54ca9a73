/**
 * Exact nearest neighbours through the engine against a plain typed-array loop, side by side:
 *
 *     node bench/knn.ts [rows …]            all rows against all rows, k = 20, width 384 (default 10000 30000 100000)
 *     node bench/knn.ts --one 1000000       one query against that many rows, after loading
 *
 * The plain loop is timed on a sample of the queries, since all of them would take most of an hour at 100,000 rows; its
 * neighbours and similarities must equal the engine's to the last bit.
 */
import { parseArgs } from "node:util";
import { createEngine } from "../core/engine/supervisor.ts";
import { everyRow, loadBank } from "../core/jobs/neighbours.ts";
import { nearestRows } from "../core/suggest/nearest.ts";
import { createRandom } from "../core/util/random.ts";

const width = 384;
const count = 20;
const sampled = 100;

const { values, positionals } = parseArgs({ options: { one: { type: "string" } }, allowPositionals: true });
const engine = createEngine();
try {
  if (values.one !== undefined) await oneQuery(Number(values.one));
  else
    for (const rows of positionals.length > 0 ? positionals : ["10000", "30000", "100000"]) await allRows(Number(rows));
} finally {
  await engine.close();
}

/** Unit vectors around a few hundred centres, as embeddings of pictures lie. */
function embeddings(rows: number): Float32Array {
  const random = createRandom(rows);
  const centres = Float32Array.from({ length: 300 * width }, () => random.normal());
  const matrix = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const centre = random.integer(300) * width;
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const value = (centres[centre + i] ?? 0) + 0.8 * random.normal();
      matrix[row * width + i] = value;
      sum += value * value;
    }
    for (let i = 0; i < width; i++) matrix[row * width + i] = (matrix[row * width + i] ?? 0) / Math.sqrt(sum);
  }
  return matrix;
}

async function allRows(rows: number): Promise<void> {
  const matrix = embeddings(rows);
  const loading = performance.now();
  const bank = await loadBank(engine, { matrix, width }, "auto");
  const searching = performance.now();
  const exclude = everyRow(rows);
  const found = await bank.nearest(matrix, count, exclude);
  const engineMs = performance.now() - searching;

  const step = Math.floor(rows / sampled);
  const chosen = Int32Array.from({ length: sampled }, (_, i) => i * step);
  const queries = new Float32Array(sampled * width);
  chosen.forEach((row, i) => queries.set(matrix.subarray(row * width, (row + 1) * width), i * width));
  const plainStart = performance.now();
  const plain = nearestRows(matrix, queries, width, count, { exclude: chosen });
  const plainMs = ((performance.now() - plainStart) / sampled) * rows;
  let different = 0;
  chosen.forEach((row, i) => {
    for (let slot = 0; slot < count; slot++) {
      const same =
        found.indices[row * count + slot] === plain.indices[i * count + slot] &&
        found.similarities[row * count + slot] === plain.similarities[i * count + slot];
      if (!same) different++;
    }
  });
  await bank.drop();
  console.log(
    `${rows} x ${width}, k = ${count}, all rows: engine ${seconds(engineMs)} (loading ${seconds(searching - loading)}), ` +
      `plain loop ${seconds(plainMs)} (from ${sampled} queries), ratio ${(plainMs / engineMs).toFixed(1)}, ` +
      `${different} of ${sampled * count} neighbours differ`,
  );
}

async function oneQuery(rows: number): Promise<void> {
  const matrix = embeddings(rows);
  const loading = performance.now();
  const bank = await loadBank(engine, { matrix, width }, "auto");
  const loaded = performance.now() - loading;
  const times: number[] = [];
  for (let i = 0; i < 11; i++) {
    const query = matrix.slice(i * width, (i + 1) * width);
    const start = performance.now();
    await bank.nearest(query, count);
    times.push(performance.now() - start);
  }
  const [first = 0, ...rest] = times;
  const sorted = rest.toSorted((a, b) => a - b);
  console.log(
    `one query against ${rows} x ${width}: loading ${seconds(loaded)}, first ${first.toFixed(0)} ms, ` +
      `then ${sorted[5]?.toFixed(0)} ms (${sorted[0]?.toFixed(0)} to ${sorted.at(-1)?.toFixed(0)})`,
  );
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
