import { CoreError, errorRecord } from "../util/errors.ts";
import {
  filesBelow,
  openDataset,
  parseJson,
  picturesByStem,
  readTextFile,
  stemOfPath,
  type ImportContext,
  type ImportedRow,
} from "./dataset.ts";
import { oneLabel, unionOf, type Shape } from "./union.ts";

/** Classes that a data.yaml may name. */
const maxClasses = 100_000;

/**
 * Reads a folder in Ultralytics' layout: data.yaml with `names`, label files below `labels/`, pictures beside them below
 * `images/`. Lines of five numbers are boxes and give the label alone; longer ones are polygons, and their masks are
 * joined. Throws `import-unreadable`, `import-format`.
 */
export async function* readYolo(path: string, { sizeOf }: ImportContext): AsyncGenerator<ImportedRow> {
  const dataset = await openDataset(path);
  const names = readClassNames(await readTextFile(`${dataset.root}/data.yaml`));
  const pictures = await picturesByStem(dataset.root, "images");
  for (const file of await filesBelow(dataset.root, "labels", [".txt"])) {
    const picture = pictures.get(stemOfPath(file.slice("labels/".length)));
    const lines = (await readTextFile(`${dataset.root}/${file}`)).split(/\r?\n/).filter((line) => line.trim() !== "");
    if (lines.length === 0) continue;
    if (picture === undefined) {
      yield { kind: "problem", line: 0, path: file, message: "There is no picture of this name below images/." };
      continue;
    }
    const paths = dataset.pathsOf(picture);
    const size = sizeOf(paths);
    try {
      const things = lines.map((line, i) => readThing(line, i + 1, names));
      const labels = oneLabel(things.map(({ name }) => [name]));
      if ("problem" in labels) throw new CoreError("labels-several", labels.problem);
      const shapes = size === null ? [] : things.flatMap(({ shares }) => shapeOf(shares, size));
      const mask = size === null ? null : unionOf(shapes, size.width, size.height);
      yield { kind: "image", line: 0, paths, label: labels.label, mask };
    } catch (error) {
      yield { kind: "problem", line: 0, path: file, message: errorRecord(error).message };
    }
  }
}

function readThing(line: string, number: number, names: readonly string[]): { name: string; shares: number[] } {
  const [index = NaN, ...shares] = line.trim().split(/\s+/).map(Number);
  const name = names[index];
  if (name === undefined) throw new CoreError("import-format", `Line ${number} names a class that data.yaml has not.`);
  // A little beyond the edge comes from rounding; more is another format.
  const inside = shares.every((share) => share >= -0.01 && share <= 1.01);
  if (!inside || shares.length < 4 || shares.length % 2 !== 0) {
    throw new CoreError("import-format", `Line ${number} should have pairs of shares from 0 to 1 behind its class.`);
  }
  return { name, shares };
}

function shapeOf(shares: readonly number[], { width, height }: { width: number; height: number }): Shape[] {
  if (shares.length === 4) return [];
  return [{ ring: shares.map((share, i) => Math.min(1, Math.max(0, share)) * (i % 2 === 0 ? width : height)) }];
}

/**
 * The class names of a data.yaml: `names` as a map from indexes, as a list of lines, or as a list in brackets. It reads
 * just that much of YAML, so that no tag, anchor or merge of a strange file does anything. Throws `import-format`.
 */
export function readClassNames(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trimEnd());
  const start = lines.findIndex((line) => /^names\s*:/.test(line));
  if (start < 0) throw new CoreError("import-format", "data.yaml has no names.");
  const inline = (lines[start] ?? "").replace(/^names\s*:/, "").trim();
  if (inline.startsWith("[")) return inlineNames([inline, ...lines.slice(start + 1)].join(" "));
  const names: string[] = [];
  for (const line of lines.slice(start + 1)) {
    if (line.trim() === "" || line.trim().startsWith("#")) continue;
    const entry = /^\s*(?:(\d{1,6})\s*:|-)\s+(.*)$/.exec(line);
    if (entry === null || (!/^\s/.test(line) && !line.startsWith("-"))) break;
    const index = entry[1] === undefined ? names.length : Number(entry[1]);
    if (index >= maxClasses) throw new CoreError("import-format", `data.yaml has a class ${index}; that is too many.`);
    names[index] = scalar(entry[2] ?? "");
  }
  if (names.length === 0) throw new CoreError("import-format", "data.yaml has no names.");
  return names;
}

function inlineNames(text: string): string[] {
  const names: string[] = [];
  const item = /\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,\]"']*)\s*([,\]])/y;
  for (let at = 1; names.length < maxClasses;) {
    item.lastIndex = at;
    const found = item.exec(text);
    if (found === null) break;
    const [, value = "", end] = found;
    // A comma may stand behind the last name.
    if (value !== "" || end === ",") names.push(scalar(value));
    if (end === "]") return names;
    at = item.lastIndex;
  }
  throw new CoreError("import-format", "The list of names in data.yaml cannot be read.");
}

function scalar(text: string): string {
  const value = text.trim();
  if (value.startsWith('"')) {
    const parsed = parseJson(value);
    if (typeof parsed === "string") return parsed;
    throw new CoreError("import-format", `A name of data.yaml cannot be read: ${value.slice(0, 60)}.`);
  }
  if (value.startsWith("'") && value.endsWith("'") && value.length > 1) return value.slice(1, -1).replaceAll("''", "'");
  return value.replace(/\s+#.*$/, "");
}
