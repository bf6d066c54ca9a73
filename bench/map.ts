/**
 * The map of 20,000 synthetic embeddings: time, and trustworthiness at 15 neighbours, beside umap-learn on the same
 * vectors:
 *
 *     node bench/map.ts [--rows 20000] [--python python3] [--alone]
 *
 * Trustworthiness (scikit-learn's) is taken over 4,000 of the rows, since it needs all distances. `--alone` leaves
 * umap-learn out and only judges our map.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { mapImages } from "../core/jobs/map.ts";
import { mapPoints } from "../core/library/maps.ts";
import { mixture } from "./mixture.ts";
import { syntheticLibrary } from "./synthetic-library.ts";

const width = 384;
const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "20000" },
    python: { type: "string", default: "python3" },
    alone: { type: "boolean", default: false },
  },
});
const rows = Number(values.rows);
const matrix = mixture(rows, width, { seed: 1 });
const place = syntheticLibrary(matrix, width);
const { library, engine, model } = place;
const folder = mkdtempSync(join(tmpdir(), "dinoscope-map-"));
try {
  let phase = { name: "loading", at: performance.now() };
  const phases: string[] = [];
  const summary = await mapImages(
    { library, engine },
    model,
    { refit: true, seed: 1, device: "cpu" },
    {
      onProgress: (progress) => {
        if (progress.phase === phase.name) return;
        phases.push(`${phase.name} ${((performance.now() - phase.at) / 1000).toFixed(1)} s`);
        phase = { name: progress.phase, at: performance.now() };
      },
    },
  );
  phases.push(`${phase.name} ${((performance.now() - phase.at) / 1000).toFixed(1)} s`);
  console.log(`dinoscope: ${rows} x ${width} in ${(summary.durationMs / 1000).toFixed(1)} s (${phases.join(", ")})`);
  const [data, map] = [join(folder, "rows.f32"), join(folder, "map.f32")];
  writeFileSync(data, new Uint8Array(matrix.buffer));
  const points = Float32Array.from(mapPoints(library.db, model.id).flatMap(({ x, y }) => [x, y]));
  writeFileSync(map, new Uint8Array(points.buffer));
  const script = fileURLToPath(new URL("./map.py", import.meta.url));
  const options = [script, data, String(width), map, ...(values.alone ? ["--alone"] : [])];
  console.log(execFileSync(values.python, options, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim());
} finally {
  await place.close();
  rmSync(folder, { recursive: true, force: true });
}
