/**
 * Embeddings of real photos through the whole path against PyTorch with PIL on the same weights:
 *
 *     node bench/torch.ts FOLDER [--arch vit-small] [--count 100]
 *
 * Prints the cosine of the two vectors of each photo, smallest and mean. Random embeddings of one untrained network are
 * alike to begin with, so the cosine about their mean is printed too: it is the harder test. Needs Debian's python3-torch
 * and python3-pil.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createEngine } from "../core/engine/supervisor.ts";
import { embedImages } from "../core/jobs/embed.ts";
import { modelFile } from "../core/jobs/model-file.ts";
import { ingestFolder } from "../core/jobs/ingest.ts";
import { createModel } from "../core/jobs/models.ts";
import { readEmbeddings } from "../core/library/embeddings.ts";
import { imagesByIds } from "../core/library/images.ts";
import { openLibrary } from "../core/library/open.ts";

const { values, positionals } = parseArgs({
  options: { arch: { type: "string", default: "vit-small" }, count: { type: "string", default: "100" } },
  allowPositionals: true,
});
const folder = resolve(positionals[0] ?? ".");
const work = mkdtempSync(join(tmpdir(), "dinoscope-bench-"));
const pictures = join(work, "pictures");
const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.jpe?g$/i.test(name))
  .sort();
const step = Math.max(1, Math.floor(names.length / Number(values.count)));
names
  .filter((_, i) => i % step === 0)
  .slice(0, Number(values.count))
  .forEach((name, i) => cpSync(join(folder, name), join(pictures, `${i}.jpg`)));

const library = openLibrary(join(work, "library"), { mode: "write" });
const engine = createEngine();
try {
  await ingestFolder({ library, engine }, pictures);
  const arch = values.arch === "vit-tiny" ? "vit-tiny" : "vit-small";
  const model = await createModel({ library, engine }, "bench", { arch, patch: 16, size: 224, seed: 1 });
  await embedImages({ library, engine }, model, { device: "cpu" });
  const { imageIds, matrix, width } = readEmbeddings(library.db, model.id);

  const [weights, list, out] = ["weights.safetensors", "list.txt", "vectors.bin"].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  await engine.call("exportModel", { model: modelFile(library.folder, model), format: "timm", destination: weights });
  writeFileSync(
    list,
    imagesByIds(library.db, imageIds)
      .map(({ path }) => join(pictures, path))
      .join("\n"),
  );
  const script = join(import.meta.dirname, "torch_embed.py");
  execFileSync("/usr/bin/python3", [script, weights, String(model.architecture?.["heads"]), list, out], {
    stdio: "inherit",
  });
  const expected = new Float32Array(new Uint8Array(readFileSync(out)).buffer);

  const plain = cosines(matrix, expected, width);
  const centred = cosines(centre(matrix, width), centre(expected, width), width);
  console.log(`${arch}/16, ${imageIds.length} photos of ${folder}`);
  console.log(
    `  cosine with PyTorch and PIL: smallest ${Math.min(...plain).toFixed(6)}, mean ${mean(plain).toFixed(6)}`,
  );
  console.log(
    `  about the mean:              smallest ${Math.min(...centred).toFixed(6)}, mean ${mean(centred).toFixed(6)}`,
  );
} finally {
  await engine.close();
  library.close();
  rmSync(work, { recursive: true, force: true });
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

function centre(matrix: Float32Array, width: number): Float32Array {
  const rows = matrix.length / width;
  const sums = new Float64Array(width);
  matrix.forEach((value, i) => (sums[i % width] = (sums[i % width] ?? 0) + value));
  return matrix.map((value, i) => value - (sums[i % width] ?? 0) / rows);
}

function cosines(a: Float32Array, b: Float32Array, width: number): number[] {
  return Array.from({ length: a.length / width }, (_, row) => {
    let dot = 0;
    let aa = 0;
    let bb = 0;
    for (let i = row * width; i < (row + 1) * width; i++) {
      const x = a[i] ?? 0;
      const y = b[i] ?? 0;
      dot += x * y;
      aa += x * x;
      bb += y * y;
    }
    return dot / Math.sqrt(aa * bb);
  });
}
