/** Fields of one record of a CSV or TSV file and the line that it starts on, or what is wrong with that line. */
export type DelimitedRecord =
  | { readonly line: number; readonly fields: readonly string[]; readonly problem: null }
  | { readonly line: number; readonly fields: null; readonly problem: string };

/** Turns lines into records. */
export interface RecordReader {
  push(line: number, text: string): Iterable<DelimitedRecord>;
  /** A line that could not be read: it ends a quoted field that was open. */
  interrupt(): Iterable<DelimitedRecord>;
  end(): Iterable<DelimitedRecord>;
}

/** A record whose quoted field goes on in the next line. */
interface OpenRecord {
  readonly fields: string[];
  field: string;
  readonly lines: { readonly line: number; readonly text: string }[];
  length: number;
}

/**
 * Reads records as RFC 4180 has them: fields between delimiters, optionally in double quotes, a quote inside doubled; a
 * quoted field may hold line breaks. Beyond it, spaces around quotes are ignored and a quote inside an unquoted field is
 * a plain character (`TV 32"`). Blank lines are no records. A record of more than `maxLength` characters is not read on:
 * a quote that is never closed costs its own line, and those behind it are read as if it had been closed there.
 */
export function createRecordReader(delimiter: string, maxLength: number): RecordReader {
  let open: OpenRecord | undefined;

  function* push(line: number, text: string): Generator<DelimitedRecord> {
    if (open === undefined && text.trim() === "") return;
    const record: OpenRecord = open ?? { fields: [], field: "", lines: [], length: 0 };
    const continued = open !== undefined;
    record.lines.push({ line, text });
    record.length += text.length + 1;
    if (continued && record.length > maxLength) {
      yield* interrupt();
      return;
    }
    open = undefined;
    const firstLine = record.lines[0]?.line ?? line;
    switch (readFields(record, text, continued, delimiter)) {
      case "done":
        yield { line: firstLine, fields: record.fields, problem: null };
        return;
      case "open":
        open = record;
        return;
      case "malformed":
        yield { line: firstLine, fields: null, problem: "There is text behind a closing quotation mark." };
    }
  }

  function* interrupt(): Generator<DelimitedRecord> {
    const [first, ...rest] = open?.lines ?? [];
    open = undefined;
    if (first === undefined) return;
    yield { line: first.line, fields: null, problem: "A quotation mark is opened and not closed." };
    // Every quote in these lines was doubled, or it would have closed the field: so none of them leaves one open
    // again, and no line is read more than twice.
    for (const { line, text } of rest) yield* push(line, text);
  }

  return {
    push,
    interrupt,
    *end() {
      while (open !== undefined) yield* interrupt();
    },
  };
}

/** Reads the fields of one line into the record; with `startsQuoted` the line goes on inside a quoted field. */
function readFields(
  record: OpenRecord,
  text: string,
  startsQuoted: boolean,
  delimiter: string,
): "done" | "open" | "malformed" {
  let quoted = startsQuoted;
  let position = 0;
  for (;;) {
    if (!quoted) {
      const start = skipSpaces(text, position);
      if (text[start] !== '"') {
        const end = text.indexOf(delimiter, position);
        record.fields.push(text.slice(position, end < 0 ? text.length : end));
        if (end < 0) return "done";
        position = end + 1;
        continue;
      }
      quoted = true;
      position = start + 1;
    }
    const quote = text.indexOf('"', position);
    if (quote < 0) {
      record.field += `${text.slice(position)}\n`;
      return "open";
    }
    record.field += text.slice(position, quote);
    if (text[quote + 1] === '"') {
      record.field += '"';
      position = quote + 2;
      continue;
    }
    record.fields.push(record.field);
    record.field = "";
    quoted = false;
    const next = skipSpaces(text, quote + 1);
    if (next === text.length) return "done";
    if (text[next] !== delimiter) return "malformed";
    position = next + 1;
  }
}

function skipSpaces(text: string, position: number): number {
  while (text[position] === " ") position++;
  return position;
}
