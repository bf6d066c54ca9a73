import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { extname } from "node:path";
import type { Problem } from "../rpc/records.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { createRecordReader } from "./delimited.ts";
import type { LabelValues } from "./label-row.ts";
import { checkLabelRow } from "./label-row.ts";
import type { TextLine } from "./text-lines.ts";
import { createLineSplitter } from "./text-lines.ts";

/** One row that gives a label to a picture. */
export interface LabelRow {
  readonly kind: "row";
  /** Line of the file that the row starts on, from 1. */
  readonly line: number;
  /** As the file has it, without spaces around it: absolute or relative, whatever its slashes. */
  readonly path: string;
  /** Trimmed, in Unicode form NFC. */
  readonly label: string;
  /** The label above it, likewise; null where the file names none. */
  readonly coarse: string | null;
}

/** One row that could not be taken, and why. */
export interface RowProblem extends Problem {
  readonly kind: "problem";
  readonly line: number;
}

/** The rows of a labels file as they are read, and what this reading has counted so far. */
export interface LabelsFile extends AsyncIterable<LabelRow | RowProblem> {
  readonly counts: {
    readonly rows: number;
    readonly problems: number;
    /** Rows with a picture and no label: they say that it has none, and are left out. */
    readonly unlabelled: number;
  };
}

/** Bounds on what a labels file may hold. */
export interface LabelsFileLimits {
  /** Bytes of a line, and characters of a record that runs over several lines. */
  readonly maxLineBytes: number;
  /** Characters of a label. */
  readonly maxNameLength: number;
  /** Characters of a path. */
  readonly maxPathLength: number;
}

export interface LabelsFileOptions {
  readonly limits?: Partial<LabelsFileLimits>;
  /**
   * The column whose names are read as labels: `split` for a file that says which part an image belongs to, `label_path`
   * for the whole paths that exports of ours have.
   */
  readonly valueColumn?: "label" | "split" | "label_path";
}

/** The bounds that hold unless others are given. */
export const labelsFileLimits: LabelsFileLimits = { maxLineBytes: 65_536, maxNameLength: 200, maxPathLength: 4096 };

/**
 * Reads a labels file line by line. CSV and TSV need a first line that names the columns `path`, `label`
 * and optionally `coarse`, in any order and case, beside any others; JSON Lines need objects with those keys. A `.jsonl`
 * or `.ndjson` file, and any other whose first line starts with `{`, is JSON Lines; otherwise the delimiter is the
 * first of comma, semicolon and tab (tab first for `.tsv` and `.tab`) by which the first line names both columns.
 * Text is UTF-8, with or without a byte order mark. A bad row is reported and passed over.
 *
 * Throws while it is read: `labels-file-unreadable` where the file cannot be opened or read, `labels-file-too-large`, and
 * `labels-file-header` where the first line does not name the columns.
 */
export function readLabelsFile(input: string | AsyncIterable<Uint8Array>, options: LabelsFileOptions = {}): LabelsFile {
  const limits = { ...labelsFileLimits, ...options.limits };
  const valueColumn = options.valueColumn ?? "label";
  const counts = { rows: 0, problems: 0, unlabelled: 0 };
  const extension = typeof input === "string" ? extname(input).toLowerCase() : "";

  function* parse(lines: Iterable<TextLine>, reader: RowReader): Generator<LabelRow | RowProblem> {
    for (const line of lines) yield* check(reader.push(line));
  }
  function* check(rows: Iterable<RawRow>): Generator<LabelRow | RowProblem> {
    for (const { line, values, problem } of rows) {
      const checked = problem ?? checkLabelRow(values, limits);
      if (checked === "unlabelled") {
        counts.unlabelled++;
      } else if ("code" in checked) {
        counts.problems++;
        yield { kind: "problem", line, ...checked };
      } else {
        counts.rows++;
        yield { kind: "row", line, ...checked };
      }
    }
  }
  async function* read(): AsyncGenerator<LabelRow | RowProblem> {
    Object.assign(counts, { rows: 0, problems: 0, unlabelled: 0 });
    const splitter = createLineSplitter(limits.maxLineBytes);
    const reader = createRowReader(extension, limits.maxLineBytes, valueColumn);
    for await (const chunk of typeof input === "string" ? bytesOf(input) : input) {
      yield* parse(splitter.push(chunk), reader);
    }
    yield* parse(splitter.end(), reader);
    yield* check(reader.end());
  }
  return { counts, [Symbol.asyncIterator]: read };
}

/**
 * Bytes of a labels file: a million images with 250 characters each. The file is read piece by piece and never held, so
 * this bounds the time that it takes, some ten microseconds a row.
 */
const maxFileBytes = 256 * 2 ** 20;

/**
 * The bytes of a regular file; a pipe or device, which might never end, is refused, and so is what grows beyond the limit
 * while it is read. Throws `labels-file-unreadable`, `labels-file-too-large`.
 */
export async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new CoreError("not-a-file", "it is not a regular file");
    if (found.size > maxFileBytes) throw tooLarge(path, found.size);
    for await (const chunk of createReadStream(path)) {
      size += (chunk as Uint8Array).length;
      if (size > maxFileBytes) throw tooLarge(path, size);
      yield chunk as Uint8Array;
    }
  } catch (cause) {
    if (cause instanceof CoreError && cause.code === "labels-file-too-large") throw cause;
    throw new CoreError(
      "labels-file-unreadable",
      `Cannot read the labels file ${path}: ${errorRecord(cause).message}.`,
      {
        hint: "Check the path, and that you may read the file.",
        cause,
      },
    );
  }
}

function tooLarge(path: string, size: number): CoreError {
  return new CoreError(
    "labels-file-too-large",
    `The labels file ${path} has ${size} bytes; up to ${maxFileBytes} are read.`,
    { hint: "Split it into several files and import one after the other." },
  );
}

/** A row as the file has it, before its values are checked. */
type RawRow =
  | { readonly line: number; readonly values: LabelValues; readonly problem?: undefined }
  | { readonly line: number; readonly values?: undefined; readonly problem: Problem };

interface RowReader {
  push(line: TextLine): Iterable<RawRow>;
  end(): Iterable<RawRow>;
}

/** Picks the format by the extension and the first line that is not blank. */
function createRowReader(extension: string, maxRecordLength: number, valueColumn: string): RowReader {
  const isJson = extension === ".jsonl" || extension === ".ndjson";
  let reader: RowReader | undefined = isJson ? jsonReader(valueColumn) : undefined;
  let lastLine = 0;
  return {
    push(textLine) {
      lastLine = textLine.line;
      const line = withoutByteOrderMark(textLine);
      if (reader !== undefined) return reader.push(line);
      if (line.text?.trim() === "") return [];
      if (line.text?.trimStart().startsWith("{") === true) {
        reader = jsonReader(valueColumn);
        return reader.push(line);
      }
      reader = delimitedReader(readHeader(line, extension, valueColumn), maxRecordLength, valueColumn);
      return [];
    },
    end() {
      if (reader === undefined) throw headerError(lastLine === 0 ? "is empty" : "holds only blank lines", valueColumn);
      return reader.end();
    },
  };
}

function withoutByteOrderMark(line: TextLine): TextLine {
  if (line.problem !== null || line.line !== 1 || !line.text.startsWith("\uFEFF")) return line;
  return { ...line, text: line.text.slice(1) };
}

/** JSON Lines: one object a line. */
function jsonReader(valueColumn: string): RowReader {
  return {
    *push({ line, text, problem }) {
      if (problem !== null) {
        yield { line, problem: lineProblems[problem] };
      } else if (text.trim() !== "") {
        const value = parseJson(text);
        if (typeof value === "object" && value !== null && !Array.isArray(value)) {
          const { path, coarse, [valueColumn]: label } = value as Record<string, unknown>;
          yield { line, values: { path, label, coarse } };
        } else {
          yield {
            line,
            problem: {
              code: "row-not-json",
              message: 'Expected an object such as {"path": "a.jpg", "label": "Oat Drink"}.',
            },
          };
        }
      }
    },
    end: () => [],
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The delimiter of a CSV or TSV file and what its first line names. */
interface Header {
  readonly delimiter: string;
  readonly columns: readonly string[];
}

/** A name without the apostrophe that keeps spreadsheets from taking it for a formula, as our own CSV has it. */
function plainName(field: string | undefined): string | undefined {
  return field?.replace(/^'(?='*[=+\-@\t])/, "");
}

/** CSV and TSV: the columns of the header pick the fields. */
function delimitedReader({ delimiter, columns }: Header, maxRecordLength: number, valueColumn: string): RowReader {
  const records = createRecordReader(delimiter, maxRecordLength);
  const columnOf = (name: string): number => columns.indexOf(name);
  const [path, label, coarse] = [columnOf("path"), columnOf(valueColumn), columnOf("coarse")];
  function* rowsOf(found: ReturnType<typeof records.push>): Generator<RawRow> {
    for (const { line, fields, problem } of found) {
      if (problem !== null) {
        yield { line, problem: { code: "row-quotes", message: problem } };
      } else if (fields.length < columns.length || fields.slice(columns.length).some((field) => field.trim() !== "")) {
        // More fields than columns mostly mean a label with an unquoted delimiter: half of it would be wrong.
        const message = `Expected ${columns.length} fields as in the first line, found ${fields.length}.`;
        yield { line, problem: { code: "row-columns", message } };
      } else {
        yield {
          line,
          values: {
            path: fields[path],
            label: plainName(fields[label]),
            coarse: coarse < 0 ? null : plainName(fields[coarse]),
          },
        };
      }
    }
  }
  return {
    *push({ line, text, problem }) {
      if (problem === null) {
        yield* rowsOf(records.push(line, text));
      } else {
        yield* rowsOf(records.interrupt());
        yield { line, problem: lineProblems[problem] };
      }
    },
    end: () => rowsOf(records.end()),
  };
}

const lineProblems: Readonly<Record<Exclude<TextLine["problem"], null>, Problem>> = {
  "too-long": { code: "row-too-long", message: "The line is too long." },
  "not-utf-8": { code: "row-encoding", message: "The line is not UTF-8 text." },
};

/** The columns that the first line names, by the first delimiter that finds those wanted. */
function readHeader({ line, text, problem }: TextLine, extension: string, valueColumn: string): Header {
  if (problem !== null) {
    throw headerError(
      problem === "too-long" ? "starts with a line that is too long" : "is not UTF-8 text",
      valueColumn,
    );
  }
  const delimiters = extension === ".tsv" || extension === ".tab" ? ["\t", ",", ";"] : [",", ";", "\t"];
  const headers = delimiters.map((delimiter): Header => {
    const [record] = createRecordReader(delimiter, text.length).push(line, text);
    return { delimiter, columns: (record?.fields ?? [text]).map((name) => name.trim().toLowerCase()) };
  });
  const isOnce = (columns: readonly string[], name: string): boolean =>
    columns.includes(name) && columns.indexOf(name) === columns.lastIndexOf(name);
  const header = headers.find(
    ({ columns }) =>
      isOnce(columns, "path") &&
      isOnce(columns, valueColumn) &&
      (isOnce(columns, "coarse") || !columns.includes("coarse")),
  );
  if (header !== undefined) return header;
  const { columns } = headers.reduce((most, other) => (other.columns.length > most.columns.length ? other : most));
  throw headerError(`names the columns ${listed(columns)} in its first line`, valueColumn);
}

/** Column names for a sentence; the file is not trusted to keep them few or short. */
function listed(columns: readonly string[]): string {
  const shown = columns.slice(0, 20).map((name) => JSON.stringify(name.slice(0, 40)));
  return columns.length > shown.length
    ? `${shown.join(", ")} and ${columns.length - shown.length} more`
    : shown.join(", ");
}

function headerError(found: string, valueColumn: string): CoreError {
  return new CoreError(
    "labels-file-header",
    `A labels file must name the columns "path" and "${valueColumn}", and may name "coarse", once each; this one ${found}.`,
    { hint: `Start a CSV or TSV file with a line such as "path,${valueColumn}", and save it as UTF-8.` },
  );
}
