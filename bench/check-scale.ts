/**
 * Time and memory of every check on a library of made-up embeddings, hashes and labels:
 *
 *     node bench/check-scale.ts [ROWS] [--half]        100000 unless given; with --half only every second is labelled
 *
 * Embeddings of 384 features lie around 300 centres, which are the labels; 5 % of the labels are another one, 2 % of the
 * pictures are copies within 6 bits, 0.1 % lie apart. Everything goes through the library and the job, as in the app.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createEngine, type Engine } from "../core/engine/supervisor.ts";
import { checkLibrary } from "../core/jobs/check.ts";
import { currentFindings } from "../core/jobs/check-actions.ts";
import { assignLabels } from "../core/library/annotations.ts";
import { insertEmbeddings } from "../core/library/embeddings.ts";
import { upsertImages } from "../core/library/image-changes.ts";
import { createLabels } from "../core/library/label-changes.ts";
import { insertModel } from "../core/library/models.ts";
import { openLibrary, type Library } from "../core/library/open.ts";
import { ensureSource } from "../core/library/sources.ts";
import type { CheckKind, Model } from "../core/rpc/records.ts";
import { createRandom } from "../core/util/random.ts";

const width = 384;
const centreCount = 300;

const { values, positionals } = parseArgs({ options: { half: { type: "boolean" } }, allowPositionals: true });
const rows = Number(positionals[0] ?? 100_000);
const folder = mkdtempSync(join(tmpdir(), "dinoscope-check-scale-"));
const library = openLibrary(folder, { mode: "write", holder: "bench" });
const engine = createEngine();
try {
  const started = performance.now();
  const model = fill(library);
  console.log(
    `${rows} x ${width}${values.half === true ? ", half of them labelled" : ""}, made in ${seconds(started)}`,
  );
  const every: readonly CheckKind[] = ["wrong-labels", "twins", "duplicates", "outliers"];
  for (const kinds of [...every.map((kind) => [kind]), every]) await measure(model, kinds);
  const stop = new AbortController();
  const running = checkLibrary({ library, engine }, model, options(every), { signal: stop.signal });
  const asked = new Promise<number>((resolve) => setTimeout(() => resolve(performance.now()), 5000));
  void asked.then(() => stop.abort());
  await running.catch(() => {});
  console.log(`stopped ${seconds(await asked)} after it was asked to, five seconds into the check`);
} finally {
  await engine.close();
  library.close();
  rmSync(folder, { recursive: true });
}

function options(kinds: readonly CheckKind[]): Parameters<typeof checkLibrary>[2] {
  return { kinds, temperature: 0.07, device: "auto" };
}

async function measure(model: Model, kinds: readonly CheckKind[]): Promise<void> {
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss() + engineMemory(engine))), 100);
  const started = performance.now();
  const { checks } = await checkLibrary({ library, engine }, model, options(kinds));
  const took = seconds(started);
  clearInterval(timer);
  const listing = performance.now();
  for (const kind of kinds) currentFindings(library.db, kind);
  const found = checks.map(({ kind, found: all, likely }) => `${kind} ${likely} likely of ${all}`).join(", ");
  console.log(
    `${kinds.length > 1 ? "all" : kinds.join()}: ${took}, at most ${(peak / 2 ** 30).toFixed(2)} GiB in core and engine ` +
      `together; reading the findings ${seconds(listing)} (${found})`,
  );
}

/** Resident memory of the engine process, where the system tells (Linux). */
function engineMemory({ pid }: Engine): number {
  try {
    return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function fill({ db }: Library): Model {
  const random = createRandom(rows);
  const word = (): number => random.integer(2 ** 32);
  const model = insertModel(db, {
    name: "made-up",
    kind: "vit",
    file: "models/none",
    hash: "0".repeat(64),
    architecture: null,
    imageSize: 224,
    width,
    trained: false,
    provenance: { source: "random", format: "random", sourceHash: null, notes: {} },
    createdAt: 0,
  });
  const source = ensureSource(db, "/made-up");
  const centres = Float32Array.from({ length: centreCount * width }, () => random.normal());
  const labels = createLabels(
    db,
    Array.from({ length: centreCount }, (_, i) => [`label ${i}`]),
  ).result.map(({ id }) => id);
  const step = 5000;
  let last: { centre: number; vector: Float32Array; words: [number, number] } | undefined;
  for (let start = 0; start < rows; start += step) {
    const made = Array.from({ length: Math.min(step, rows - start) }, () => {
      const copied = last !== undefined && random.next() < 0.02 ? last : undefined;
      const centre = copied?.centre ?? random.integer(centreCount);
      const apart = random.next() < 0.001;
      const words: [number, number] = copied === undefined ? [word(), word()] : [...copied.words];
      if (copied !== undefined)
        for (let i = 0; i < 6; i++) words[i % 2] = (words[i % 2] ?? 0) ^ (1 << random.integer(32));
      const vector = new Float32Array(width);
      for (let i = 0; i < width; i++) {
        const near = (centres[centre * width + i] ?? 0) + 0.8 * random.normal();
        vector[i] =
          copied === undefined ? (apart ? random.normal() : near) : (copied.vector[i] ?? 0) + 0.002 * random.normal();
      }
      const length = Math.hypot(...vector);
      last = { centre, vector: vector.map((value) => value / length), words };
      return last;
    });
    const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
    const ids = upsertImages(
      db,
      made.map(({ words }, i) => ({
        sourceId: source.id,
        path: `${start + i}.jpg`,
        byteSize: 1,
        modifiedAt: 1,
        contentHash: (start + i).toString(16).padStart(64, "0"),
        format: "jpeg",
        width: 640,
        height: 480,
        perceptualHash: words.map(hex).join(""),
        problem: null,
      })),
    );
    insertEmbeddings(
      db,
      model.id,
      made.map(({ vector }, i) => ({ imageId: ids[i] ?? 0, vector })),
    );
    const assignments = made.flatMap(({ centre }, i) => {
      if (values.half === true && i % 2 === 1) return [];
      const labelId = labels[random.next() < 0.05 ? random.integer(centreCount) : centre] ?? 0;
      return [{ imageId: ids[i] ?? 0, labelId, provenance: "import" as const, confidence: null }];
    });
    assignLabels(db, assignments, { kind: "import-labels", summary: "Labelled" });
  }
  return model;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
