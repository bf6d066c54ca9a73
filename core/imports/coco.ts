import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { checkRuns, decompressRuns, type RunLengths } from "../masks/rle.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import {
  fieldOf,
  filesBelow,
  isTextList,
  openDataset,
  readJsonFile,
  type Dataset,
  type ImportContext,
  type ImportedRow,
} from "./dataset.ts";
import { oneLabel, unionOf, type Shape } from "./union.ts";

/** An annotation that was found to make sense; its segmentation is looked at later. */
interface Thing {
  readonly label: readonly string[];
  readonly segmentation: unknown;
}

/**
 * Reads COCO instances: a JSON file, or a folder with them in `annotations/`. All things on a picture must have one
 * category, which becomes its label under its supercategory; their masks are joined. Boxes alone give no mask. Crowds are
 * left out. Throws `import-unreadable`, `import-format`.
 */
export async function* readCoco(path: string, context: ImportContext): AsyncGenerator<ImportedRow> {
  const isFolder = (await stat(path).catch(() => null))?.isDirectory() ?? false;
  const root = isFolder ? path : basename(dirname(path)) === "annotations" ? dirname(dirname(path)) : dirname(path);
  const dataset = await openDataset(root);
  const files = isFolder ? (await filesBelow(root, "annotations", [".json"])).map((file) => `${root}/${file}`) : [path];
  if (files.length === 0) throw new CoreError("import-format", `${path} has no annotations/*.json.`);
  for (const file of files) yield* readInstances(file, await readJsonFile(file), dataset, context);
}

function listOf(file: string, value: unknown, name: string): readonly unknown[] {
  const list = fieldOf(value, name);
  if (Array.isArray(list)) return list as readonly unknown[];
  throw new CoreError("import-format", `${file} is no COCO file: expected a list "${name}".`, {
    hint: "Import an instances file, with images, annotations and categories.",
  });
}

function* readInstances(
  file: string,
  value: unknown,
  dataset: Dataset,
  { sizeOf }: ImportContext,
): Generator<ImportedRow> {
  const categories = new Map(
    listOf(file, value, "categories").flatMap((category): [unknown, readonly string[]][] => {
      const label = labelOf(category);
      return label === null ? [] : [[fieldOf(category, "id"), label]];
    }),
  );
  const things = new Map<unknown, Thing[]>();
  for (const annotation of listOf(file, value, "annotations")) {
    const label = categories.get(fieldOf(annotation, "category_id"));
    const imageId = fieldOf(annotation, "image_id");
    if (label === undefined || fieldOf(annotation, "iscrowd") === 1) continue;
    const list = things.get(imageId) ?? [];
    list.push({ label, segmentation: fieldOf(annotation, "segmentation") });
    things.set(imageId, list);
  }
  for (const image of listOf(file, value, "images")) {
    const name = fieldOf(image, "file_name");
    const own = things.get(fieldOf(image, "id"));
    if (own === undefined) continue;
    if (typeof name !== "string") {
      yield { kind: "problem", line: 0, path: "", message: "An image has no file_name." };
      continue;
    }
    yield rowOf(name, own, [...new Set([...dataset.pathsOf(`images/${name}`), name])], sizeOf);
  }
}

function rowOf(
  name: string,
  things: readonly Thing[],
  paths: readonly string[],
  sizeOf: ImportContext["sizeOf"],
): ImportedRow {
  const labels = oneLabel(things.map(({ label }) => label));
  if ("problem" in labels) return { kind: "problem", line: 0, path: name, message: labels.problem };
  const size = sizeOf(paths);
  try {
    const shapes = size === null ? [] : things.flatMap(({ segmentation }) => shapesOf(segmentation, size));
    const mask = size === null ? null : unionOf(shapes, size.width, size.height);
    return { kind: "image", line: 0, paths, label: labels.label, mask };
  } catch (error) {
    return { kind: "problem", line: 0, path: name, message: errorRecord(error).message };
  }
}

/** `label_path` is what our own exports add; others have a name and perhaps a supercategory. */
function labelOf(category: unknown): readonly string[] | null {
  const [path, name, above] = ["label_path", "name", "supercategory"].map((field) => fieldOf(category, field));
  if (isTextList(path) && path.length > 0) return path;
  if (typeof name !== "string") return null;
  return typeof above === "string" && above !== "" && above !== "none" && above !== name ? [above, name] : [name];
}

function shapesOf(segmentation: unknown, size: { width: number; height: number }): Shape[] {
  if (Array.isArray(segmentation)) {
    return (segmentation as unknown[]).map((ring) => {
      if (Array.isArray(ring) && ring.every((value) => typeof value === "number")) return { ring };
      throw new CoreError("mask-invalid", "A polygon must be a list of numbers.");
    });
  }
  const counts = fieldOf(segmentation, "counts");
  if (counts === undefined) return [];
  const given = fieldOf(segmentation, "size");
  const { width, height } = size;
  if (!Array.isArray(given) || given[0] !== height || given[1] !== width) {
    throw new CoreError(
      "mask-size",
      `The picture has ${width} x ${height} pixels, its mask [height, width] ${JSON.stringify(given ?? null).slice(0, 40)}.`,
    );
  }
  return [{ runs: runsOf(counts, width, height) }];
}

function runsOf(counts: unknown, width: number, height: number): RunLengths {
  if (typeof counts === "string") return decompressRuns(counts, width, height);
  const valid =
    Array.isArray(counts) &&
    counts.length <= width * height + 1 &&
    counts.every((count) => Number.isInteger(count) && count >= 0 && count <= width * height);
  if (!valid) throw new CoreError("mask-invalid", "Run lengths must be whole numbers from 0 up, or compressed text.");
  const runs = { width, height, counts: Uint32Array.from(counts as number[]) };
  checkRuns(runs);
  return runs;
}
