import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import sharp from "sharp";
import { describe, expect, onTestFinished, test } from "vitest";
import { exportFormatNames, type ExportFormatName } from "../../core/exports/formats.ts";
import { exportImages, type ExportOptions } from "../../core/jobs/export.ts";
import { importDataset, type ImportFormat } from "../../core/jobs/import-dataset.ts";
import type { Workplace } from "../../core/jobs/run.ts";
import { annotationsOfImages, removeAnnotations } from "../../core/library/annotations.ts";
import { connectionOf } from "../../core/library/database.ts";
import { listJobs } from "../../core/library/jobs.ts";
import { listImages } from "../../core/library/images.ts";
import { listLabels } from "../../core/library/labels.ts";
import { correctMasks, masksOfImages, removeMasks } from "../../core/library/masks.ts";
import { redo, undo } from "../../core/library/operations.ts";
import { readXml, childrenOf, textOf } from "../../core/imports/xml.ts";
import { compressRuns, decodeRuns, decompressRuns } from "../../core/masks/rle.ts";
import { awkward, drawMask, drawnSize, makeExportable, type Wanted } from "../helpers/exportable.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryEngine } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

const usual: Omit<ExportOptions, "destination"> = {
  scope: { kind: "labelled" },
  split: null,
  seed: 0,
  link: false,
  upright: false,
  wholeImages: false,
  replace: false,
};

interface Place extends Workplace {
  readonly folder: string;
  readonly ids: ReadonlyMap<string, number>;
}

async function place(wanted: readonly Wanted[] = awkward): Promise<Place> {
  const folder = temporaryFolder();
  const { library, ids } = await makeExportable(folder, wanted);
  onTestFinished(() => library.close());
  return { library, engine: temporaryEngine(), folder, ids };
}

async function exported(at: Place, format: ExportFormatName, options: Partial<ExportOptions> = {}): Promise<string> {
  const destination = options.destination ?? join(at.folder, format);
  await exportImages(at, format, { ...usual, destination, ...options });
  return destination;
}

interface Manifest {
  readonly files: readonly { path: string; bytes: number; sha256: string }[];
  readonly names: readonly { path: string; original: string }[];
  readonly counts: { readonly images: number };
  readonly leftOut: Readonly<Record<string, unknown>>;
}

function json<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(...path), "utf8")) as T;
}

/** Labels (names from the top) and masks of a library, by path. */
function stateOf({ library: { db } }: Workplace): Record<string, { label: string | null; mask: string | null }> {
  const labels = new Map(listLabels(db).map((label) => [label.id, label]));
  const nameOf = (id: number | null): string[] => {
    const label = id === null ? undefined : labels.get(id);
    return label === undefined ? [] : [...nameOf(label.parentId), label.name];
  };
  const images = listImages(db);
  const ids = images.map(({ id }) => id);
  const annotations = annotationsOfImages(db, ids);
  const masks = masksOfImages(db, ids);
  return Object.fromEntries(
    images.map(({ id, path }) => {
      const labelId = annotations.get(id)?.labelId ?? null;
      return [
        path,
        { label: labelId === null ? null : JSON.stringify(nameOf(labelId)), mask: masks.get(id)?.runs ?? null },
      ];
    }),
  );
}

function forget({ library: { db }, ids }: Place): void {
  removeAnnotations(db, [...ids.values()], { kind: "remove", summary: "labels" });
  removeMasks(db, [...ids.values()], { kind: "remove", summary: "masks" });
}

describe("every export", () => {
  test.each(exportFormatNames)(
    "%s: the manifest lists every file with its size and hash, and nothing is left beside it",
    async (format) => {
      const at = await place();
      const folder = await exported(at, format, { split: [60, 20, 20], seed: 5 });
      const manifest = json<Manifest>(folder, "manifest.json");
      const found = globSync("**/*", { cwd: folder }).filter((path) => statSync(join(folder, path)).isFile());
      expect(manifest.files.map(({ path }) => path).sort()).toEqual(
        found.filter((path) => path !== "manifest.json").sort(),
      );
      for (const { path, bytes, sha256 } of manifest.files) {
        const content = readFileSync(join(folder, path));
        expect(content.length).toBe(bytes);
        expect(createHash("sha256").update(content).digest("hex")).toBe(sha256);
      }
      expect(manifest).toMatchObject({ format, formatVersion: 1, options: { seed: 5 }, model: { name: "plane" } });
      expect(readdirSync(at.folder).filter((name) => name.includes("partial") || name.includes(".old"))).toEqual([]);
    },
  );

  test("pictures keep their bytes, and the manifest says what each name stood for", async () => {
    const at = await place();
    const folder = await exported(at, "coco");
    const { names } = json<Manifest>(folder, "manifest.json");
    expect(names.length).toBe(8);
    for (const { path, original } of names) {
      expect(readFileSync(join(folder, path))).toEqual(readFileSync(join(at.folder, "pictures", original)));
    }
  });

  test("with --link pictures are links to where they lie", async () => {
    const at = await place();
    const folder = await exported(at, "folders", { link: true });
    for (const { path, original } of json<Manifest>(folder, "manifest.json").names.filter(({ path }) =>
      path.includes("."),
    )) {
      if (!lstatSync(join(folder, path)).isSymbolicLink()) continue;
      expect(readlinkSync(join(folder, path))).toBe(join(at.folder, "pictures", original));
    }
    expect(lstatSync(join(folder, "Drinks/Oat/1.jpg")).isSymbolicLink()).toBe(true);
  });

  test("a folder that is there is kept, unless it is an export and may be replaced", async () => {
    const at = await place();
    const destination = await exported(at, "csv");
    const before = readFileSync(join(destination, "manifest.json"));
    expect(await refusalOfAsync(() => exported(at, "jsonl", { destination }))).toContain("export-exists");
    expect(readFileSync(join(destination, "manifest.json"))).toEqual(before);
    await exported(at, "jsonl", { destination, replace: true });
    expect(readdirSync(destination).sort()).toEqual(["labels.jsonl", "manifest.json"]);

    const own = join(at.folder, "own");
    mkdirSync(own);
    writeFileSync(join(own, "thesis.txt"), "x");
    expect(await refusalOfAsync(() => exported(at, "csv", { destination: own, replace: true }))).toContain(
      "export-exists",
    );
    expect(readdirSync(own)).toEqual(["thesis.txt"]);
  });

  test("a stop or an error leaves nothing, and what a killed process left is cleared by the next", async () => {
    const at = await place();
    const destination = join(at.folder, "out");
    const controller = new AbortController();
    const stop = exportImages(
      at,
      "coco",
      { ...usual, destination },
      {
        signal: controller.signal,
        onProgress: ({ phase, done }) => phase === "writing" && done === 3 && controller.abort(new Error("enough")),
      },
    );
    await expect(stop).rejects.toThrow("enough");
    expect(readdirSync(at.folder).filter((name) => name.startsWith("out"))).toEqual([]);
    expect(listJobs(at.library.db, 1)).toMatchObject([{ kind: "export", state: "stopped" }]);

    mkdirSync(`${destination}.partial`);
    writeFileSync(join(`${destination}.partial`, "mine.txt"), "x");
    expect(await refusalOfAsync(() => exported(at, "coco", { destination }))).toContain("export-exists");
    writeFileSync(join(`${destination}.partial`, ".dinoscope-export-unfinished"), "");
    await exported(at, "coco", { destination });
    expect(existsSync(join(destination, "mine.txt"))).toBe(false);
  });

  test("sources and the library are never written to", async () => {
    const at = await place();
    for (const destination of [
      join(at.folder, "pictures", "out"),
      join(at.folder, "library", "models", "out"),
      join(at.folder, "pictures"),
    ]) {
      expect(await refusalOfAsync(() => exported(at, "csv", { destination }))).toContain("export-inside");
    }
  });

  test("a picture that is gone is left out, and the manifest says so", async () => {
    const at = await place();
    rmSync(join(at.folder, "pictures", "b/1.png"));
    const folder = await exported(at, "coco");
    const coco = json<{ images: { original_path: string }[]; annotations: unknown[] }>(
      folder,
      "annotations/instances_all.json",
    );
    expect(coco.images.map(({ original_path }) => original_path)).not.toContain("b/1.png");
    expect([coco.images.length, coco.annotations.length]).toEqual([7, 7]);
    const { leftOut, counts } = json<Manifest>(folder, "manifest.json");
    expect(leftOut).toMatchObject({ withoutMask: 1, skipped: [{ path: "b/1.png" }] });
    expect(counts.images).toBe(7);
  });

  test("without anything to write the error says what is missing", async () => {
    const at = await place([{ path: "a.jpg", label: ["A"], mask: false }]);
    expect(await refusalOfAsync(() => exported(at, "coco"))).toContain("export-empty");
    await exported(at, "coco", { wholeImages: true });
    const coco = json<{ annotations: object[] }>(at.folder, "coco", "annotations/instances_all.json");
    expect(coco.annotations).toMatchObject([{ bbox: [0, 0, drawnSize.width, drawnSize.height], area: 37 * 23 }]);
  });

  test("a mask that marks nothing is none", async () => {
    const at = await place();
    const [imageId = 0] = at.ids.values();
    const runs = compressRuns({ ...drawnSize, counts: Uint32Array.of(drawnSize.width * drawnSize.height) });
    correctMasks(at.library.db, [{ imageId, ...drawnSize, runs }], { kind: "correct-masks", summary: "emptied" });
    const folder = await exported(at, "yolo-segment");
    expect(json<Manifest>(folder, "manifest.json")).toMatchObject({
      counts: { images: 7 },
      leftOut: { withoutMask: 2 },
    });
  });

  test("copies of a picture never straddle a split", async () => {
    const twins = Array.from({ length: 6 }, (_, i) => ({ path: `copy-${i}.jpg`, label: ["Same"], mask: false }));
    const other = await place(twins);
    // Equal hashes: as after saving a picture again.
    connectionOf(other.library.db).prepare("UPDATE images SET perceptual_hash = '00000000000000ff'").run();
    const folder = await exported(other, "jsonl", { split: [50, 25, 25] });
    const lines = readFileSync(join(folder, "labels.jsonl"), "utf8").trim().split("\n");
    expect(new Set(lines.map((line) => (JSON.parse(line) as { split: string }).split)).size).toBe(1);
  });
});

describe("round trips", () => {
  const exact: readonly [ExportFormatName, ImportFormat, boolean][] = [
    ["coco", "coco", true],
    ["coco-polygon", "coco", true],
    ["masks-index", "masks", true],
    ["folders", "folders", false],
  ];
  test.each(exact)("%s to %s gives back every label path and every pixel", async (format, reader, hasMasks) => {
    for (const split of [null, [60, 20, 20]]) {
      const at = await place();
      const before = stateOf(at);
      const folder = await exported(at, format, { split });
      forget(at);
      const summary = await importDataset(at, reader, folder);
      expect(summary.unmatched).toEqual([]);
      const after = stateOf(at);
      for (const { path, label, mask } of awkward) {
        const isIn = label !== null && (mask || !hasMasks);
        expect(after[path], path).toEqual({
          label: isIn ? before[path]?.label : null,
          mask: isIn && hasMasks ? before[path]?.mask : null,
        });
      }
    }
  });

  test.each([
    ["yolo-segment", "yolo"],
    ["voc", "voc"],
  ] as const)("%s keeps every pixel and the names of labels, not what stands above them", async (format, reader) => {
    const at = await place();
    const before = stateOf(at);
    const folder = await exported(at, format, { split: [60, 20, 20] });
    forget(at);
    expect((await importDataset(at, reader, folder)).unmatched).toEqual([]);
    for (const { path, label, mask } of awkward.filter((wanted) => wanted.mask && wanted.label !== null)) {
      const name = (label ?? []).at(-1) === "Soy" ? (label ?? []).join("/") : (label ?? []).at(-1);
      expect(stateOf(at)[path], path).toEqual({
        label: JSON.stringify([name]),
        mask: mask ? before[path]?.mask : null,
      });
    }
  });

  test("binary masks come back without labels, also those of images without one", async () => {
    const at = await place();
    const before = stateOf(at);
    const folder = await exported(at, "masks-binary", { scope: { kind: "all" } });
    forget(at);
    await importDataset(at, "masks", folder);
    const after = stateOf(at);
    for (const { path } of awkward) expect(after[path]).toEqual({ label: null, mask: before[path]?.mask });
  });

  test("CSV and JSON Lines bring labels of any depth back, and csv-parse reads the same text", async () => {
    const at = await place();
    const before = stateOf(at);
    for (const format of ["csv", "jsonl"] as const) {
      const folder = await exported(at, format, { scope: { kind: "all" } });
      forget(at);
      await importDataset(at, format, folder);
      const after = stateOf(at);
      for (const path of Object.keys(before)) expect(after[path]?.label, path).toBe(before[path]?.label);
    }
    const rows = parse<Record<string, string>>(readFileSync(join(at.folder, "csv", "labels.csv")), { columns: true });
    // What a spreadsheet would take for a formula is written so that it does not.
    const written = new Map([
      ["=1+1", "'=1+1"],
      ["-rf ...jpg", "./-rf ...jpg"],
    ]);
    const asWritten = (text: string): string => written.get(text) ?? text;
    expect(rows.map(({ path, label }) => [path, label])).toEqual(
      awkward.map(({ path, label }) => [asWritten(path), asWritten(label?.at(-1) ?? "")]),
    );
  });

  test("labels and masks of a data set are undone in a step each", async () => {
    const at = await place();
    const folder = await exported(at, "coco");
    forget(at);
    const empty = stateOf(at);
    await importDataset(at, "coco", folder);
    const full = stateOf(at);
    expect([undo(at.library.db)?.kind, undo(at.library.db)?.kind]).toEqual(["import-masks", "import-dataset"]);
    expect(stateOf(at)).toEqual(empty);
    redo(at.library.db);
    redo(at.library.db);
    expect(stateOf(at)).toEqual(full);
  });
});

describe("formats, read by others", () => {
  test("hyparquet reads ids, labels and embeddings to the bit, across row groups", async () => {
    const at = await place();
    const folder = await exported(at, "parquet", { scope: { kind: "all" } });
    const file = await asyncBufferFromFile(join(folder, "embeddings.parquet"));
    const rows = (await parquetReadObjects({ file })) as Record<string, unknown>[];
    expect(rows.map((row) => [row["path"], row["label"]])).toEqual(
      awkward.map(({ path, label }) => [path, label?.at(-1)]).map(([path, label]) => [path, label ?? null]),
    );
    expect(rows.map((row) => row["embedding"])).toEqual(
      awkward.map((_, i) => [...Float32Array.of(Math.fround(i / 7), -i, 1e-7)]),
    );
    expect(rows[3]).toMatchObject({ id: 4n, width: 37, height: 23, provenance: "person" });
  });

  test("a reader of the .npy specification finds the embeddings in the order of rows.csv", async () => {
    const at = await place();
    const folder = await exported(at, "npy");
    const bytes = readFileSync(join(folder, "embeddings.npy"));
    const start = 10 + bytes.readUInt16LE(8);
    expect(bytes.toString("latin1", 0, 8)).toBe("\x93NUMPY\x01\x00");
    expect(start % 64).toBe(0);
    expect(bytes.toString("latin1", 10, start)).toMatch(
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(9, 3\), \} *\n$/,
    );
    expect(bytes.length).toBe(start + 4 * 9 * 3);
    const rows = parse<Record<string, string>>(readFileSync(join(folder, "rows.csv")), { columns: true });
    expect(bytes.readFloatLE(start + 4 * 3)).toBe(Math.fround(1 / 7));
    expect(rows[1]?.["path"]).toBe("b/1.jpg");
  });

  test("YOLO lines are classes and shares whose boxes are those of the masks", async () => {
    const at = await place();
    const folder = await exported(at, "yolo-detect");
    const { names } = json<Manifest>(folder, "manifest.json");
    for (const { path, original } of names) {
      const text = readFileSync(join(folder, path.replace("images/", "labels/").replace(/\.\w+$/, ".txt")), "utf8");
      const [, , ...rest] = /^(\d+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)\n$/.exec(text) ?? [];
      const [cx = 0, cy = 0, w = 0, h = 0] = rest.map(Number);
      const found = boxByPixels(maskOf(at, original));
      // Nine digits of a share.
      const box = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2].map((value, i) => value * (i % 2 === 0 ? 37 : 23));
      box.forEach((value, i) => expect(value).toBeCloseTo(found[i] ?? NaN, 6));
    }
    expect(names.length).toBe(8);
  });

  test("VOC boxes count pixels from 1 with both ends, and the segmentation has the palette of the development kit", async () => {
    const at = await place();
    const folder = await exported(at, "voc");
    for (const { path, original } of json<Manifest>(folder, "manifest.json").names) {
      const stem = path.replace(/^JPEGImages\//, "").replace(/\.\w+$/, "");
      const xml = readXml(readFileSync(join(folder, "Annotations", `${stem}.xml`), "utf8"));
      const box = childrenOf(childrenOf(xml, "object")[0] ?? xml, "bndbox")[0] ?? xml;
      const [left, top, right, bottom] = boxByPixels(maskOf(at, original));
      expect(["xmin", "ymin", "xmax", "ymax"].map((edge) => Number(textOf(box, edge)))).toEqual([
        left + 1,
        top + 1,
        right,
        bottom,
      ]);
      const colours = await sharp(readFileSync(join(folder, "SegmentationClass", `${stem}.png`)))
        .toColourspace("srgb")
        .removeAlpha()
        .raw()
        .toBuffer();
      // 1: dark red; 2: dark green; 3: olive; 4: dark blue … (VOC devkit, VOClabelcolormap)
      const known = ["128,0,0", "0,128,0", "128,128,0", "0,0,128", "128,0,128", "0,128,128", "128,128,128"];
      const seen = new Set(
        Array.from({ length: colours.length / 3 }, (_, i) => colours.subarray(3 * i, 3 * i + 3).join()),
      );
      seen.delete("0,0,0");
      expect(known).toContain([...seen].join(" "));
    }
  });

  test("FiftyOne and Hugging Face files name every picture that is there, and no other", async () => {
    const at = await place();
    const fiftyone = await exported(at, "fiftyone");
    const labels = json<{ classes: string[]; labels: Record<string, number> }>(fiftyone, "labels.json");
    const stems = readdirSync(join(fiftyone, "data")).map((name) => name.replace(/\.\w+$/, ""));
    expect(Object.keys(labels.labels).sort()).toEqual(stems.sort());
    expect(labels.classes[labels.labels["image"] ?? -1]).toBe("寿司");
    const detections = json<{ labels: Record<string, { bounding_box: number[] }[]> }>(fiftyone, "detections.json");
    for (const value of Object.values(detections.labels)
      .flat()
      .flatMap((thing) => thing.bounding_box)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
    }
    const huggingface = await exported(at, "huggingface", { scope: { kind: "all" } });
    const lines = readFileSync(join(huggingface, "train/metadata.jsonl"), "utf8").trim().split("\n");
    const files = lines.map((line) => (JSON.parse(line) as { file_name: string }).file_name);
    const unlabelled = lines.find((line) => line.includes("no label.jpg")) ?? "";
    expect(JSON.parse(unlabelled)).toMatchObject({ label: null, objects: { category: [null] } });
    expect(["metadata.jsonl", ...files].sort()).toEqual(readdirSync(join(huggingface, "train")).sort());
  });
});

test("in each of the 8 EXIF orientations masks lie on the upright picture, and on the stored one with --upright", async () => {
  const turned = Array.from({ length: 8 }, (_, i) => ({
    path: `o${i + 1}.jpg`,
    label: ["A"],
    mask: true,
    orientation: i + 1,
  }));
  const at = await place(turned);
  for (const upright of [false, true]) {
    const folder = await exported(at, "masks-binary", { upright, destination: join(at.folder, `masks-${upright}`) });
    const coco = await exported(at, "coco", { upright, destination: join(at.folder, `coco-${upright}`) });
    const { images } = json<{ images: { width: number; height: number }[] }>(coco, "annotations/instances_all.json");
    for (const [i, { path }] of turned.entries()) {
      expect(images[i]).toMatchObject(drawnSize);
      const file = readFileSync(join(folder, "images", path));
      const { orientation = 1 } = await sharp(file).metadata();
      expect(orientation).toBe(upright ? 1 : i + 1);
      // As a program that passes over EXIF reads it, where the export promises that this is right.
      const opened = upright ? sharp(file) : sharp(file).autoOrient();
      const { data, info } = await opened.greyscale().raw().toBuffer({ resolveWithObject: true });
      const mask = await sharp(readFileSync(join(folder, "masks", path.replace("jpg", "png"))))
        .toColourspace("b-w")
        .raw()
        .toBuffer();
      expect([info.width, info.height, mask.length]).toEqual([drawnSize.width, drawnSize.height, data.length]);
      // White on dark, saved as JPEG: ringing stays well below the middle.
      const off = data.filter((value, pixel) => value > 150 !== (mask[pixel] ?? 0) > 127).length;
      expect(off, `${path} ${upright}`).toBeLessThan(data.length * 0.01);
    }
  }
});

function maskOf(at: Place, path: string): Uint8Array {
  const runs =
    masksOfImages(at.library.db, [at.ids.get(path) ?? 0])
      .values()
      .next().value?.runs ?? "";
  const { data } = decodeRuns(decompressRuns(runs, drawnSize.width, drawnSize.height));
  expect(data).toEqual(drawMask(awkward.findIndex((wanted) => wanted.path === path) + 1, drawnSize).data);
  return data;
}

/** Left, top, and right and bottom beyond the last pixel. */
function boxByPixels(data: Uint8Array): [number, number, number, number] {
  const pixels = [...data.keys()].filter((i) => data[i] === 1);
  const xs = pixels.map((i) => i % drawnSize.width);
  const ys = pixels.map((i) => Math.floor(i / drawnSize.width));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
}
