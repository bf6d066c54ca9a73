/**
 * Embedding photos, from files on disk to rows in SQLite, beside the model alone and beside transformers.js:
 *
 *     node bench/embed.ts FOLDER [--arch vit-small] [--count 256] [--rounds 3]
 *
 * The folder's first pictures are taken in and not timed. Then, in turn: `embed` through core, engine and library; the
 * same graph on made-up pixels with nothing around it; and, after `npm ci --prefix bench/peers`, the image feature
 * extraction pipeline of @huggingface/transformers on the same files, with an ONNX file of the same weights.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, copyFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openModel } from "../core/engine/models.ts";
import { createEngine } from "../core/engine/supervisor.ts";
import { embedImages } from "../core/jobs/embed.ts";
import { modelFile } from "../core/jobs/model-file.ts";
import { ingestFolder } from "../core/jobs/ingest.ts";
import { createModel } from "../core/jobs/models.ts";
import { insertModel } from "../core/library/models.ts";
import { openLibrary } from "../core/library/open.ts";
import type { Model } from "../core/rpc/records.ts";
import { createOrtRuntime } from "../core/runtime/ort.ts";
import { floats } from "../core/runtime/runtime.ts";

const { values, positionals } = parseArgs({
  options: {
    arch: { type: "string", default: "vit-small" },
    count: { type: "string", default: "256" },
    rounds: { type: "string", default: "3" },
  },
  allowPositionals: true,
});
const arch = values.arch === "vit-tiny" ? "vit-tiny" : "vit-small";
const count = Number(values.count);
const rounds = Number(values.rounds);
const folder = resolve(positionals[0] ?? ".");

/** The official evaluation: shorter side to 256, centre crop 224, ImageNet statistics. */
const preprocessing = {
  image_processor_type: "ViTImageProcessor",
  feature_extractor_type: "ViTFeatureExtractor",
  do_resize: true,
  size: { shortest_edge: 256 },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
  do_normalize: true,
  do_rescale: true,
  rescale_factor: 1 / 255,
  image_mean: [0.485, 0.456, 0.406],
  image_std: [0.229, 0.224, 0.225],
};

const work = mkdtempSync(join(tmpdir(), "dinoscope-bench-"));
const library = openLibrary(join(work, "library"), { mode: "write" });
const engine = createEngine();
const workplace = { library, engine };
try {
  const files = copyPictures(join(work, "pictures"));
  await ingestFolder(workplace, join(work, "pictures"));
  const model = await createModel(workplace, "bench", { arch, patch: 16, size: 224, seed: 1 });

  const contenders: Record<string, (round: number) => Promise<number>> = {
    "model alone": await modelAlone(model),
    dinoscope: (round) => embedOnce(model, round),
    ...(await transformers(model, files)),
  };
  const speeds = Object.fromEntries(Object.keys(contenders).map((name) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, contender] of Object.entries(contenders)) {
      const ms = await contender(round);
      // The first round warms up: sessions load, files come into memory.
      if (round >= 0) speeds[name]?.push((1000 * files.length) / ms);
    }
  }
  console.log(`${arch}/16, 224 px, ${files.length} photos, images a second by round:`);
  for (const [name, list] of Object.entries(speeds)) console.log(`  ${name.padEnd(26)} ${list.map(show).join("  ")}`);
  for (const [name, list] of Object.entries(speeds)) {
    if (name === "dinoscope") continue;
    const ratios = list.map((speed, round) => (speeds["dinoscope"]?.[round] ?? NaN) / speed).toSorted((a, b) => a - b);
    console.log(`  dinoscope / ${name.padEnd(14)} median ${ratios[Math.floor(rounds / 2)]?.toFixed(2)}`);
  }
} finally {
  await engine.close();
  library.close();
  rmSync(work, { recursive: true, force: true });
}

function show(speed: number): string {
  return speed.toFixed(1).padStart(6);
}

/** The first pictures of the folder, in a folder of their own. */
function copyPictures(target: string): string[] {
  mkdirSync(target);
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(jpe?g|png|webp)$/i.test(name))
    .sort()
    .slice(0, count);
  return names.map((name, i) => {
    const file = join(target, `${i}-${name.replaceAll("/", "-")}`);
    copyFileSync(join(folder, name), file);
    return file;
  });
}

/** The whole path. A model row of its own each time, on the same file, so that the engine keeps its session. */
async function embedOnce(model: Model, round: number): Promise<number> {
  const { id: _, ...row } = model;
  const fresh = insertModel(library.db, { ...row, name: `round ${round}` });
  const { durationMs, embedded } = await embedImages(workplace, fresh, { device: "cpu" });
  if (embedded !== count) throw new Error(`Only ${embedded} of ${count} pictures were embedded.`);
  return durationMs;
}

/** The same graph with nothing around it, at the batch size that embed uses on the CPU. */
async function modelAlone(model: Model): Promise<() => Promise<number>> {
  const { program, input } = await openModel(modelFile(library.folder, model), createOrtRuntime("cpu"));
  const batch = 4;
  const pixels = floats(
    Float32Array.from({ length: batch * 3 * 224 * 224 }, (_, i) => Math.sin(i * 0.7)),
    [batch, 3, 224, 224],
  );
  return async () => {
    const start = performance.now();
    for (let done = 0; done < count; done += batch) await program.run({ [input]: pixels });
    return performance.now() - start;
  };
}

/** What is used of @huggingface/transformers. */
interface Transformers {
  readonly env: { localModelPath: string; allowRemoteModels: boolean };
  readonly pipeline: (
    task: string,
    model: string,
    options: object,
  ) => Promise<(pictures: string[]) => Promise<unknown>>;
}

/** The peer's pipeline, one picture at a time as its documentation shows it, and eight at a time. */
async function transformers(model: Model, files: readonly string[]): Promise<Record<string, () => Promise<number>>> {
  const entry = resolve(import.meta.dirname, "peers/node_modules/@huggingface/transformers/dist/transformers.node.mjs");
  if (!existsSync(entry)) {
    console.log("(npm ci --prefix bench/peers brings the comparison with transformers.js)");
    return {};
  }
  const place = join(work, "peers", "vit");
  mkdirSync(join(place, "onnx"), { recursive: true });
  await engine.call("exportModel", {
    model: modelFile(library.folder, model),
    format: "huggingface",
    destination: place,
  });
  const onnx = join(place, "onnx", "model.onnx");
  await engine.call("exportModel", { model: modelFile(library.folder, model), format: "onnx", destination: onnx });
  writeFileSync(join(place, "preprocessor_config.json"), JSON.stringify(preprocessing));

  const { env, pipeline } = (await import(entry)) as Transformers;
  env.localModelPath = join(work, "peers");
  env.allowRemoteModels = false;
  const extract = await pipeline("image-feature-extraction", "vit", { dtype: "fp32", device: "cpu" });
  const timed = (batch: number) => async (): Promise<number> => {
    const start = performance.now();
    for (let at = 0; at < files.length; at += batch) await extract(files.slice(at, at + batch));
    return performance.now() - start;
  };
  return { "transformers.js": timed(1), "transformers.js, batch 8": timed(8) };
}
