import { stat } from "node:fs/promises";
import { join } from "node:path";
import { errorRecord } from "../util/errors.ts";
import { fieldOf, isTextList, parseJson, type ImportedRow } from "./dataset.ts";
import { bytesOf, labelsFileLimits, readLabelsFile } from "./labels-file.ts";
import { createLineSplitter } from "./text-lines.ts";

/** The file of a labels export: the file itself, or the one of that ending in the export's folder. */
export async function labelsFileOf(path: string, format: "csv" | "jsonl"): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() === true ? join(path, `labels.${format}`) : path;
}

/**
 * The whole label paths that exports of ours have in `label_path`, beside the `label` and `coarse` that every labels file
 * has: they hold labels of any depth. Gives nothing for a file without that column; its own reader then says more.
 */
export async function* readLabelPaths(file: string, format: "csv" | "jsonl"): AsyncGenerator<ImportedRow> {
  if (format === "jsonl") yield* readJsonPaths(file);
  else yield* readCsvPaths(file);
}

async function* readCsvPaths(file: string): AsyncGenerator<ImportedRow> {
  const limits = { maxNameLength: labelsFileLimits.maxLineBytes };
  try {
    for await (const row of readLabelsFile(file, { valueColumn: "label_path", limits })) {
      const label = row.kind === "row" ? parseJson(row.label) : undefined;
      if (row.kind === "problem") yield { kind: "problem", line: row.line, path: "", message: row.message };
      else if (isTextList(label)) yield { kind: "image", line: row.line, paths: [row.path], label, mask: null };
    }
  } catch (error) {
    if (errorRecord(error).code !== "labels-file-header") throw error;
  }
}

async function* readJsonPaths(file: string): AsyncGenerator<ImportedRow> {
  const splitter = createLineSplitter(labelsFileLimits.maxLineBytes);
  for await (const chunk of bytesOf(file)) {
    for (const { line, text } of splitter.push(chunk)) yield* pathOfLine(line, text);
  }
  for (const { line, text } of splitter.end()) yield* pathOfLine(line, text);
}

function* pathOfLine(line: number, text: string | null): Generator<ImportedRow> {
  const value = parseJson(text ?? "");
  const [path, label] = [fieldOf(value, "path"), fieldOf(value, "label_path")];
  if (typeof path === "string" && isTextList(label) && label.length > 0) {
    yield { kind: "image", line, paths: [path], label, mask: null };
  }
}
