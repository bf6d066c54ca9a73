import type { ExportFormat } from "./format.ts";
import { classOf, type ExportImage, type ExportPlan } from "./records.ts";

/** Columns of a CSV export. `path`, `label` and `coarse` are those that a labels import reads. */
const columns = [
  "path",
  "label",
  "coarse",
  "label_path",
  "split",
  "provenance",
  "confidence",
  "width",
  "height",
  "sha256",
] as const;

/** A CSV field (RFC 4180): in quotes where it holds a comma, a quote, a line end or outer spaces. */
export function csvField(value: string): string {
  return /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/**
 * A name as a spreadsheet takes it for text: what would begin a formula has an apostrophe before it, and so has a name that
 * begins like that already. A labels import takes one off again, and `label_path` has every name as it is.
 */
export function csvName(name: string): string {
  return /^'*[=+\-@\t]/.test(name) ? `'${name}` : name;
}

/** The same for a path, which stays the path of the same file for every program. */
export function csvPath(path: string): string {
  return /^[=+\-@\t]/.test(path) ? `./${path}` : path;
}

/** What CSV, JSON Lines and Parquet say of an image. */
export function rowOf(plan: ExportPlan, image: ExportImage): Record<(typeof columns)[number], string | number | null> {
  const path = classOf(plan, image)?.path ?? [];
  return {
    path: image.path,
    label: path.at(-1) ?? null,
    coarse: path.at(-2) ?? null,
    label_path: path.length === 0 ? null : JSON.stringify(path),
    split: image.split,
    provenance: image.provenance,
    confidence: image.confidence,
    width: image.width,
    height: image.height,
    sha256: image.contentHash,
  };
}

async function* csvLines(plan: ExportPlan, images: AsyncIterable<ExportImage>): AsyncGenerator<string> {
  yield `${columns.join(",")}\r\n`;
  for await (const image of images) {
    const { path, label, coarse, ...rest } = rowOf(plan, image);
    const names = { label: csvName(String(label ?? "")), coarse: csvName(String(coarse ?? "")) };
    const row = { ...rest, ...names, path: csvPath(String(path)) };
    yield `${columns.map((column) => csvField(String(row[column] ?? ""))).join(",")}\r\n`;
  }
}

async function* jsonLines(plan: ExportPlan, images: AsyncIterable<ExportImage>): AsyncGenerator<string> {
  for await (const image of images) {
    const { label_path: _text, ...row } = rowOf(plan, image);
    yield `${JSON.stringify({ ...row, label_path: classOf(plan, image)?.path ?? null })}\n`;
  }
}

export const csv: ExportFormat = {
  summary: "labels.csv: path,label,coarse and more, a row an image",
  version: 1,
  needs: { label: false, mask: false, embedding: false },
  write: (plan, images, folder) => folder.write("labels.csv", csvLines(plan, images)),
};

export const jsonl: ExportFormat = {
  summary: "labels.jsonl: the same as JSON Lines, with whole label paths",
  version: 1,
  needs: { label: false, mask: false, embedding: false },
  write: (plan, images, folder) => folder.write("labels.jsonl", jsonLines(plan, images)),
};
