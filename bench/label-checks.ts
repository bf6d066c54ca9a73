/**
 * How well the checks find what was planted, on photos with known labels:
 *
 *     node bench/label-checks.ts FOLDER        with manifest.tsv (path, label, …, split) in it; its `train` is used
 *
 * 1. Wrong labels: 5 % of the labels are changed to another one at random; precision at the number changed, the number
 *    that the check itself expects, and precision and recall at that length. Five draws.
 * 2. Duplicates: 1,000 photos and four copies each of 100 of them: saved again at quality 60, resized to 70 %, cropped by
 *    5 % at a random place, and all three at once. Copies found in the group of their original, and groups that join
 *    photos which are not copies. The thresholds were set on another draw.
 *
 * Features are colour histograms, and a ViT-Ti/16 with random weights: no trained one, so that anybody can run it.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, type Engine } from "../core/engine/supervisor.ts";
import { sharp } from "../core/image/setup.ts";
import { everyRow, loadBank } from "../core/jobs/neighbours.ts";
import {
  duplicateNeighbours,
  duplicateThresholds,
  findDuplicates,
  type DuplicateThresholds,
  type Picture,
  type PictureFeatures,
} from "../core/suggest/duplicates.ts";
import type { NeighbourTable } from "../core/suggest/nearest.ts";
import { findWrongLabels, wrongLabelNeighbours } from "../core/suggest/wrong-labels.ts";
import { createRandom } from "../core/util/random.ts";

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error("Usage: node bench/label-checks.ts FOLDER");

const [header = "", ...lines] = readFileSync(join(root, "manifest.tsv"), "utf8").trim().split("\n");
const columns = header.split("\t");
const photos = lines
  .map((line) => line.split("\t"))
  .filter((cells) => cells[columns.indexOf("split")] === "train")
  .map((cells) => ({
    path: join(root, cells[columns.indexOf("path")] ?? ""),
    label: cells[columns.indexOf("label")] ?? "",
  }));

interface Features {
  readonly name: string;
  readonly vectors: readonly Float32Array[];
}

const scratch = mkdtempSync(join(tmpdir(), "dinoscope-checks-"));
const engine = createEngine();
try {
  const copies = await makeCopies(createRandom(2));
  const paths = [...photos.map(({ path }) => path), ...copies.files.map(({ path }) => path)];
  const { hashes, features } = await look(engine, paths);
  for (const feature of features) await wrongLabels(feature);
  await duplicates(hashes, features, copies);
} finally {
  await engine.close();
  rmSync(scratch, { recursive: true });
}

interface Copies {
  /** Photos that take part, by index. */
  readonly chosen: readonly number[];
  readonly files: readonly { readonly path: string; readonly kind: string; readonly original: number }[];
}

async function makeCopies(random: ReturnType<typeof createRandom>): Promise<Copies> {
  const chosen = random.shuffled([...photos.keys()]).slice(0, 1000);
  const files: { path: string; kind: string; original: number }[] = [];
  for (const original of chosen.slice(0, 100)) {
    const { data, info } = await sharp(readFileSync(photos[original]?.path ?? ""))
      .autoOrient()
      .png()
      .toBuffer({ resolveWithObject: true });
    const [width, height] = [Math.round(0.95 * info.width), Math.round(0.95 * info.height)];
    const left = random.integer(info.width - width + 1);
    const crop = { left, top: random.integer(info.height - height + 1), width, height };
    const variants = {
      "saved again": sharp(data).jpeg({ quality: 60 }),
      resized: sharp(data)
        .resize(Math.round(0.7 * info.width))
        .jpeg({ quality: 90 }),
      cropped: sharp(data).extract(crop).jpeg({ quality: 90 }),
      "all three": sharp(data)
        .extract(crop)
        .resize(Math.round(0.7 * width))
        .jpeg({ quality: 60 }),
    };
    for (const [kind, picture] of Object.entries(variants)) {
      const path = join(scratch, `${original} ${kind}.jpg`);
      await picture.toFile(path);
      files.push({ path, kind, original });
    }
  }
  return { chosen, files };
}

/** Perceptual hashes and both kinds of features of every picture. */
async function look(asked: Engine, paths: readonly string[]): Promise<{ hashes: string[]; features: Features[] }> {
  const { file } = await asked.call("createModel", {
    name: "vit-tiny",
    patch: 16,
    imageSize: 224,
    seed: 1,
    destination: join(scratch, "random"),
  });
  const hashes: string[] = [];
  const histograms: Float32Array[] = [];
  const embeddings: Float32Array[] = [];
  for (let start = 0; start < paths.length; start += 64) {
    const batch = paths.slice(start, start + 64);
    const prepared = await asked.call("preparePictures", { paths: batch, thumbnailSize: 256 });
    const thumbnails = prepared.flatMap((outcome) => (outcome.ok ? [outcome.value.thumbnail] : []));
    hashes.push(...prepared.flatMap((outcome) => (outcome.ok ? [outcome.value.perceptualHash] : [])));
    histograms.push(...(await asked.call("colourHistograms", { thumbnails })));
    const model = { kind: "vit", file, imageSize: 224 } as const;
    const embedded = await asked.call("embedPictures", { model, device: "auto", paths: batch, resize: 256 });
    embeddings.push(...embedded.flatMap((outcome) => (outcome.ok ? [outcome.value.vector] : [])));
  }
  if (hashes.length !== paths.length || embeddings.length !== paths.length) throw new Error("A photo is unreadable.");
  return {
    hashes,
    features: [
      { name: "colour histogram", vectors: histograms },
      { name: "random ViT-Ti/16", vectors: embeddings },
    ],
  };
}

async function search(vectors: readonly Float32Array[], count: number): Promise<NeighbourTable> {
  const width = vectors[0]?.length ?? 1;
  const matrix = new Float32Array(vectors.length * width);
  vectors.forEach((vector, row) => matrix.set(vector, row * width));
  const bank = await loadBank(engine, { matrix, width }, "auto");
  const table = await bank.nearest(matrix, count, everyRow(vectors.length));
  await bank.drop();
  return table;
}

async function wrongLabels({ name, vectors }: Features): Promise<void> {
  const names = [...new Set(photos.map(({ label }) => label))];
  const truth = Int32Array.from(photos, ({ label }) => names.indexOf(label));
  const table = await search(vectors.slice(0, photos.length), wrongLabelNeighbours);
  const rows = [21, 22, 23, 24, 25].map((seed) => {
    const random = createRandom(seed);
    const labels = truth.slice();
    const changed = new Set(random.shuffled([...truth.keys()]).slice(0, Math.round(0.05 * truth.length)));
    for (const row of changed) {
      labels[row] = ((truth[row] ?? 0) + 1 + random.integer(names.length - 1)) % names.length;
    }
    const { expected, list } = findWrongLabels(table, labels);
    const hits = (length: number): number => list.slice(0, length).filter(({ row }) => changed.has(row)).length;
    const corrected = list.slice(0, changed.size).filter(({ row, suggested }) => suggested.labelId === truth[row]);
    return {
      changed: changed.size,
      expected,
      precision: hits(changed.size) / changed.size,
      repaired: corrected.filter(({ row }) => changed.has(row)).length / changed.size,
      precisionExpected: hits(expected) / Math.max(1, expected),
      recallExpected: hits(expected) / changed.size,
    };
  });
  const mean = (pick: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((sum, row) => sum + pick(row), 0) / rows.length;
  console.log(
    `wrong labels, ${name}: ${truth.length} photos, ${names.length} labels, ${mean((row) => row.changed)} changed ` +
      `(by chance ${percent(0.05)}). Precision at that number ${percent(mean((row) => row.precision))} ` +
      `(${rows.map((row) => percent(row.precision)).join(", ")}), with the true label suggested ` +
      `${percent(mean((row) => row.repaired))}. Expected by the check: ${rows.map((row) => row.expected).join(", ")}; ` +
      `there precision ${percent(mean((row) => row.precisionExpected))}, recall ${percent(mean((row) => row.recallExpected))}.`,
  );
}

async function duplicates(hashes: readonly string[], features: readonly Features[], copies: Copies): Promise<void> {
  const rows = [...copies.chosen, ...copies.files.map((_, i) => photos.length + i)];
  const familyOf = rows.map((row) => copies.files[row - photos.length]?.original ?? row);
  const labelOf = familyOf.map((photo) => photos[photo]?.label ?? "");
  const picture = (row: number, hashed: boolean): Picture => ({
    contentHash: null,
    perceptualHash: hashed ? (hashes[row] ?? null) : null,
    labelId: null,
    pixels: 1,
  });
  const report = (
    name: string,
    seen: PictureFeatures | null,
    hashed: boolean,
    thresholds: DuplicateThresholds,
  ): void => {
    const groups = findDuplicates(
      rows.map((row) => picture(row, hashed)),
      seen,
      thresholds,
    );
    const groupOf = new Map(groups.flatMap(({ members }, group) => members.map((member) => [member.picture, group])));
    const found = (kind: string): number =>
      copies.files.filter((copy, i) => {
        const group = groupOf.get(copies.chosen.length + i);
        return copy.kind === kind && group !== undefined && group === groupOf.get(copies.chosen.indexOf(copy.original));
      }).length;
    const mixed = groups
      .map(({ members }) => ({
        photos: new Set(members.map((member) => familyOf[member.picture])),
        labels: new Set(members.map((member) => labelOf[member.picture])),
      }))
      .filter((group) => group.photos.size > 1);
    const kinds = ["saved again", "resized", "cropped", "all three"].map((kind) => `${kind} ${found(kind)}`).join(", ");
    console.log(
      `duplicates, ${name}: found of 100 each: ${kinds}; ${groups.length} groups, ${mixed.length} of them join photos ` +
        `that are no copies (${mixed.reduce((sum, group) => sum + group.photos.size, 0)} photos; ` +
        `${mixed.filter((group) => group.labels.size === 1).length} of these groups are photos of one label)`,
    );
  };
  report("hash alone", null, true, duplicateThresholds);
  for (const { name, vectors } of features) {
    const chosen = rows.map((row) => vectors[row] ?? new Float32Array());
    const seen: PictureFeatures = {
      rows: everyRow(rows.length),
      table: await search(chosen, duplicateNeighbours),
      similarity: (first, second) =>
        (chosen[first] ?? new Float32Array()).reduce((sum, value, i) => sum + value * (chosen[second]?.[i] ?? 0), 0),
    };
    report(`${name} alone`, seen, false, duplicateThresholds);
    const loose = { ...duplicateThresholds, sureDistance: duplicateThresholds.closeDistance };
    report(`${name} alone, within ${loose.sureDistance}`, seen, false, loose);
    report(`hash and ${name}`, seen, true, duplicateThresholds);
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
