/**
 * Clusters and the map of a large library of synthetic embeddings, with time and memory of both processes:
 *
 *     node bench/scale.ts [--rows 100000] [--clusters 300]
 *
 * Each job is first stopped halfway, then run to its end, as a user would who needs the machine for something else.
 */
import { parseArgs } from "node:util";
import { clusterImages } from "../core/jobs/cluster.ts";
import { mapImages } from "../core/jobs/map.ts";
import type { ProgressListener } from "../core/jobs/progress.ts";
import { nextToLabel } from "../core/jobs/queue.ts";
import type { Watch } from "../core/jobs/run.ts";
import { mixture } from "./mixture.ts";
import { peakMemory, syntheticLibrary } from "./synthetic-library.ts";

const width = 384;
const { values } = parseArgs({
  options: { rows: { type: "string", default: "100000" }, clusters: { type: "string", default: "300" } },
});
const rows = Number(values.rows);
const place = syntheticLibrary(mixture(rows, width, { seed: 1, groups: 300 }), width);
const { model, engine } = place;
const device = "cpu";
const shared = { restarts: 2, seed: 1, minimum: 20, device } as const;
try {
  console.log(`${rows} x ${width}; before: core ${memory(undefined)}`);
  await measure("k-means", "k-means restarts", 0.3, (watch) =>
    clusterImages(place, model, { ...shared, count: Number(values.clusters) }, watch),
  );
  await measure("hdbscan", "searching neighbours", 0.5, (watch) =>
    clusterImages(place, model, { ...shared, count: null }, watch),
  );
  await measure("map", "laying out the map", 0.5, (watch) =>
    mapImages(place, model, { refit: true, seed: 1, device }, watch),
  );
  const started = performance.now();
  await nextToLabel(place, model, { queue: "diverse", count: 50, device });
  console.log(`next, diverse: ${((performance.now() - started) / 1000).toFixed(1)} s; core ${memory(undefined)}`);
} finally {
  await place.close();
}

/** Runs a job, stopped once when `share` of a phase is done, and goes on with it. */
async function measure(
  name: string,
  phase: string,
  share: number,
  work: (watch: Watch) => Promise<{ readonly durationMs: number }>,
): Promise<void> {
  const stop = new AbortController();
  let asked = 0;
  const onProgress: ProgressListener = (progress) => {
    if (asked > 0 || progress.phase !== phase || progress.done < share * progress.total) return;
    asked = performance.now();
    stop.abort(new Error("stopped for the bench"));
  };
  const started = performance.now();
  await work({ signal: stop.signal, onProgress }).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  const stopped = performance.now();
  const { durationMs, ...rest } = await work({});
  const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
  const counts = Object.entries(rest).filter(([, value]) => typeof value === "number");
  console.log(
    `${name}: ${seconds(asked - started)} until stopped (took ${seconds(stopped - asked)} to stop), then ` +
      `${seconds(durationMs)} to the end; ${counts.map(([key, value]) => `${key} ${String(value)}`).join(", ")}; ` +
      `peak memory: core ${memory(undefined)}, engine ${memory(engine.pid)}`,
  );
}

function memory(pid: number | undefined): string {
  return `${peakMemory(pid).toFixed(0)} MiB`;
}
