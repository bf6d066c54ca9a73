import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRecordReader } from "../../core/imports/delimited.ts";

/** Fields of every record, or the problem in its place, each with its first line. */
function read(text: string, delimiter = ",", maxLength = 1000) {
  const reader = createRecordReader(delimiter, maxLength);
  const records = text.split("\n").flatMap((line, i) => Array.from(reader.push(i + 1, line)));
  return [...records, ...reader.end()].map(({ line, fields, problem }) => [line, fields ?? problem]);
}

const notClosed = "A quotation mark is opened and not closed.";

describe("records", () => {
  test("are read as csv-parse reads them, whatever the fields hold", () => {
    const field = fc.string({ unit: fc.constantFrom("a", " ", ",", '"', "\n", "é"), maxLength: 6 });
    const table = fc
      .integer({ min: 1, max: 3 })
      .chain((width) =>
        fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 5 }),
      );
    fc.assert(
      fc.property(table, fc.constantFrom(",", ";", "\t"), (rows, delimiter) => {
        const text = rows.map((row) => row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(delimiter)).join("\n");
        const oracle = parse(text, { delimiter, record_delimiter: "\n" });
        expect(oracle).toEqual(rows);
        expect(read(text, delimiter).map(([, fields]) => fields)).toEqual(oracle);
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  test("without quotes are read as csv-parse reads them", () => {
    const field = fc.string({ unit: fc.constantFrom("a", "é", "'", "."), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 2 }), { minLength: 1 }), (rows) => {
        const text = rows.map((row) => row.join("\t")).join("\n");
        expect(read(text, "\t").map(([, fields]) => fields)).toEqual(parse(text, { delimiter: "\t" }));
      }),
      { seed: 7 },
    );
  });

  test("keep the line that they start on", () => {
    expect(read('a,b\n\n"c\nd",e\nf,g')).toEqual([
      [1, ["a", "b"]],
      [3, ["c\nd", "e"]],
      [5, ["f", "g"]],
    ]);
  });

  test("may have spaces around quotes, and quotes inside plain fields", () => {
    expect(read('a, "b, c" ,TV 32",""')).toEqual([[1, ["a", "b, c", 'TV 32"', ""]]]);
  });

  test("with text behind a closing quote are a problem of their line alone", () => {
    expect(read('"a"b,c\nd,e')).toEqual([
      [1, "There is text behind a closing quotation mark."],
      [2, ["d", "e"]],
    ]);
  });
});

describe("a quote that is never closed", () => {
  test("costs its own line at the end of the file", () => {
    expect(read('a,b\n"c,d\ne,f\ng,h')).toEqual([
      [1, ["a", "b"]],
      [2, notClosed],
      [3, ["e", "f"]],
      [4, ["g", "h"]],
    ]);
  });

  test("costs its own line when the record grows too long", () => {
    const rest = Array.from({ length: 40 }, (_, i) => `row ${i},label`);
    const found = read(['"open,x', ...rest].join("\n"), ",", 100);
    expect(found[0]).toEqual([1, notClosed]);
    expect(found.slice(1)).toEqual(rest.map((row, i) => [i + 2, row.split(",")]));
  });

  test("costs no time beyond reading each line twice", () => {
    // A hundred thousand lines that each open a quote, in runs that fill the record: quadratic work would take minutes.
    const line = '"x';
    const reader = createRecordReader(",", 65_536);
    const started = performance.now();
    let records = 0;
    for (let i = 1; i <= 100_000; i++) records += Array.from(reader.push(i, i % 9000 === 1 ? line : 'a,"",b""')).length;
    records += Array.from(reader.end()).length;
    expect(records).toBe(100_000);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("is ended by a line that could not be read", () => {
    const reader = createRecordReader(",", 1000);
    expect(Array.from(reader.push(1, '"a'))).toEqual([]);
    expect(Array.from(reader.push(2, "b,c"))).toEqual([]);
    expect(Array.from(reader.interrupt())).toEqual([
      { line: 1, fields: null, problem: notClosed },
      { line: 2, fields: ["b", "c"], problem: null },
    ]);
    expect(Array.from(reader.interrupt())).toEqual([]);
  });
});
