import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LabelRow, RowProblem } from "../../core/imports/labels-file.ts";
import { readLabelsFile } from "../../core/imports/labels-file.ts";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "labels-file-"))));
afterAll(() => rm(folder, { recursive: true }));

/** Bytes in pieces of this size: line ends, quotes and characters fall across pieces. */
async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size)
    yield await Promise.resolve(bytes.slice(start, start + size));
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

async function readText(text: string | Uint8Array, pieceSize = 1 << 16) {
  const file = readLabelsFile(inPieces(typeof text === "string" ? Buffer.from(text) : text, pieceSize));
  const entries = await collect(file);
  const rows = entries.filter((entry): entry is LabelRow => entry.kind === "row");
  const problems = entries.filter((entry): entry is RowProblem => entry.kind === "problem");
  return { entries, rows, problems, counts: file.counts, values: rows.map((row) => [row.path, row.label, row.coarse]) };
}

async function readFileNamed(name: string, content: string | Uint8Array) {
  const path = join(folder, name);
  await writeFile(path, content);
  const entries = await collect(readLabelsFile(path));
  return entries.map((entry) => (entry.kind === "row" ? [entry.path, entry.label, entry.coarse] : entry.code));
}

const wanted = [
  ["a.jpg", "Oat Drink", "Milk"],
  ["b/c.jpg", "Äpfel, rot", "Fruit"],
];

describe("formats", () => {
  test("CSV, semicolons, TSV and JSON Lines give the same rows, by file name and without one", async () => {
    const files = {
      "labels.csv": 'path,label,coarse\na.jpg,Oat Drink,Milk\nb/c.jpg,"Äpfel, rot",Fruit\n',
      "excel.csv": "path;label;coarse\r\na.jpg;Oat Drink;Milk\r\nb/c.jpg;Äpfel, rot;Fruit\r\n",
      "labels.tsv": "path\tlabel\tcoarse\na.jpg\tOat Drink\tMilk\nb/c.jpg\tÄpfel, rot\tFruit",
      "labels.jsonl":
        '{"path":"a.jpg","label":"Oat Drink","coarse":"Milk"}\n{"coarse":"Fruit","label":"Äpfel, rot","path":"b/c.jpg"}\n',
      "old-mac.txt": 'path,label,coarse\ra.jpg,Oat Drink,Milk\rb/c.jpg,"Äpfel, rot",Fruit\r',
    };
    for (const [name, content] of Object.entries(files)) {
      expect(await readFileNamed(name, content), name).toEqual(wanted);
      expect((await readText(content)).values, name).toEqual(wanted);
      expect(await readFileNamed(`marked-${name}`, `\uFEFF${content}`), name).toEqual(wanted);
    }
  });

  test("any cut of the stream gives the same rows and line numbers", async () => {
    const text = 'path,label\r\na.jpg,Äpfel\r\n\r\n"b ""x"".jpg","Rote\r\nBete"\r\nc.jpg,🥛 Milch\r\n';
    const whole = (await readText(text)).entries;
    expect(whole.map(({ line, kind }) => [line, kind])).toEqual([
      [2, "row"],
      [4, "problem"],
      [6, "row"],
    ]);
    for (let size = 1; size < 30; size++) expect((await readText(text, size)).entries).toEqual(whole);
  });

  test("columns come in any order and case, and others are ignored", async () => {
    const text = 'id, LABEL ,"Path",note,Coarse\n1,Oat,a.jpg,"two\nlines",Milk\n2,Rye,b.jpg,,\n';
    expect((await readText(text)).values).toEqual([
      ["a.jpg", "Oat", "Milk"],
      ["b.jpg", "Rye", null],
    ]);
  });

  test("the extension decides where a first line could be read both ways", async () => {
    const text = "path,label,x\tpath\tlabel\n1,2,3\ta.jpg\tOat\n";
    expect(await readFileNamed("both.tsv", text)).toEqual([["a.jpg", "Oat", null]]);
    expect(await readFileNamed("both.csv", text)).toEqual([["1", "2", null]]);
    expect(await readFileNamed("plain.tsv", "path\tlabel\tx,y\na,b.jpg\tMilk, oat\td\n")).toEqual([
      ["a,b.jpg", "Milk, oat", null],
    ]);
  });
});

describe("values", () => {
  test("an empty label says unlabelled: it is counted and left out", async () => {
    const { rows, counts } = await readText("path,label\na.jpg,\nb.jpg,Oat\n");
    expect(rows).toEqual([{ kind: "row", line: 3, path: "b.jpg", label: "Oat", coarse: null }]);
    expect(counts).toEqual({ rows: 1, problems: 0, unlabelled: 1 });
    const json = await readText('{"path":"a.jpg","label":""}\n{"path":"b.jpg","label":null}\n');
    expect(json.counts).toEqual({ rows: 0, problems: 0, unlabelled: 2 });
  });

  test("names are trimmed and composed, so one name is one label", async () => {
    const decomposed = "A\u0308pfel";
    const { values } = await readText(`path,label,coarse\na.jpg,  ${decomposed} , Obst \n`);
    expect(values).toEqual([["a.jpg", "\u00C4pfel", "Obst"]]);
  });

  test("one name may stand under two coarse labels", async () => {
    const { values } = await readText("path,label,coarse\na,Plain,Milk\nb,Plain,Yoghurt\n");
    expect(values.map(([, , coarse]) => coarse)).toEqual(["Milk", "Yoghurt"]);
  });

  test.each([
    ["a label of spaces", "a.jpg,   ,x", "only spaces"],
    ["a coarse label of spaces", "a.jpg,Oat,  ", "only spaces"],
    ["a control character in a label", "a.jpg,O\u0007at,x", "control character"],
    ["a line break in a label", 'a.jpg,"O\nat",x', "control character"],
    ["a NUL in a path", "a\0.jpg,Oat,x", "control character"],
    ["a line separator", "a.jpg,O\u2028at,x", "control character"],
    ["a label of 201 characters", `a.jpg,${"x".repeat(201)},y`, "201 characters; 200"],
    ["an empty path", ",Oat,x", "path is empty"],
    ["a path of 4097 characters", `${"x".repeat(4097)},Oat,y`, "4097 characters"],
    ["too few fields", "a.jpg,Oat", "Expected 3 fields as in the first line, found 2"],
    ["an unquoted comma in a label", "a.jpg,Milk, oat,x", "found 4"],
    ["text behind a quote", '"a".jpg,Oat,x', "closing quotation mark"],
  ])("%s is a problem of its row, and the next row is read", async (_, row, message) => {
    const { problems, rows } = await readText(`path,label,coarse\n${row}\nlast.jpg,Rye,\n`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ line: 2, message: expect.stringContaining(message) as string });
    expect(rows.map(({ path }) => path)).toEqual(["last.jpg"]);
  });

  test("200 characters are allowed, however many bytes or code units they take", async () => {
    const label = "🥛".repeat(200);
    expect((await readText(`path,label\na.jpg,${label}\n`)).rows[0]?.label).toBe(label);
    expect((await readText(`path,label\na.jpg,${label}x\n`)).problems).toHaveLength(1);
  });

  test.each([
    ["[1]", "row-not-json"],
    ["{", "row-not-json"],
    ["null", "row-not-json"],
    ['{"label":"x"}', "row-path"],
    ['{"path":["a"],"label":"x"}', "row-path"],
    ['{"path":"a"}', "row-label"],
    ['{"path":"a","label":5}', "row-label"],
    ['{"path":"a","label":"x","coarse":{}}', "row-label"],
    ['{"path":"a","label":"\\ud800"}', "row-label"],
    ['{"__proto__":{"path":"a","label":"x"}}', "row-path"],
    ["[".repeat(60_000), "row-not-json"],
  ])("JSON %.40s is a problem of its line", async (line, code) => {
    const { problems, rows } = await readText(`{"path":"a","label":"x"}\n${line}\n\n{"path":"b","label":"y"}`);
    expect(problems).toMatchObject([{ line: 2, code }]);
    expect(rows.map((row) => row.line)).toEqual([1, 4]);
  });
});

describe("damage", () => {
  test("bytes that are not UTF-8 are a problem of their line", async () => {
    const latin1 = Buffer.from("path,label\na.jpg,\u00C4pfel\nb.jpg,Oat\n", "latin1");
    const { problems, rows } = await readText(latin1);
    expect(problems).toMatchObject([{ line: 2, code: "row-encoding" }]);
    expect(rows).toMatchObject([{ line: 3, label: "Oat" }]);
  });

  test("a line of more than 64 KB is a problem of its own, at any size", async () => {
    for (const length of [65_536, 65_537, 1_000_000]) {
      const start = "a.jpg,Oat,";
      const text = `path,label,note\n${start}${"x".repeat(length - start.length)}\nb.jpg,Rye,\n`;
      const { problems, rows } = await readText(text, 10_000);
      expect(rows.map((row) => row.line)).toEqual(length > 65_536 ? [3] : [2, 3]);
      expect(problems.map(({ line, code }) => [line, code])).toEqual(length > 65_536 ? [[2, "row-too-long"]] : []);
    }
  });

  test("an open quote before an unreadable line does not hide the rows between", async () => {
    const text = Buffer.concat([
      Buffer.from('path,label\na,"Oat\nb,Rye\n'),
      Buffer.of(0xff, 10),
      Buffer.from("c,Fig\n"),
    ]);
    const { entries } = await readText(text);
    expect(entries.map((entry) => [entry.line, entry.kind === "row" ? entry.label : entry.code])).toEqual([
      [2, "row-quotes"],
      [3, "Rye"],
      [4, "row-encoding"],
      [5, "Fig"],
    ]);
  });

  test("no bytes whatever make it throw anything but a header error", async () => {
    const byte = fc.constantFrom(...Buffer.from('a,;\t"\n\r {}[]:\\\0'), 0xff, 0xc3, 0xa4);
    await fc.assert(
      fc.asyncProperty(fc.array(byte, { maxLength: 200 }), fc.boolean(), async (bytes, json) => {
        const text = Buffer.concat([
          Buffer.from(json ? '{"path":"a","label":"b"}\n' : "path,label\n"),
          Buffer.from(bytes),
        ]);
        const { rows, problems, counts } = await readText(text, 7);
        expect(counts).toMatchObject({ rows: rows.length, problems: problems.length });
        const lines = [...rows, ...problems].map(({ line }) => line);
        expect(new Set(lines).size).toBe(lines.length);
      }),
      { seed: 8, numRuns: 500 },
    );
  });

  test("a gigabyte passes in the memory of a few lines", async () => {
    // One line of a gigabyte, then rows; its pieces are one buffer, so whatever grows is the reader's.
    const filler = Buffer.alloc(1 << 20, "x");
    const rows = Buffer.from("a.jpg,Oat\n".repeat(100_000));
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(Buffer.from("path,label\n"));
      for (let i = 0; i < 1000; i++) yield filler;
      yield Buffer.from("\n");
      yield rows;
    }
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let read = 0;
    const file = readLabelsFile(stream());
    for await (const entry of file) {
      read++;
      if (entry.kind === "problem" || read % 10_000 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    expect(file.counts).toEqual({ rows: 100_000, problems: 1, unlabelled: 0 });
    expect(most - before).toBeLessThan(64e6);
  });
});

describe("headers and files", () => {
  test.each([
    ["no label column", "path,name\na,b\n", '"path", "name"'],
    ["no header at all", "a.jpg,Oat\nb.jpg,Rye\n", '"a.jpg", "oat"'],
    ["a column twice", "path,label,Label\na,b,c\n", '"path", "label", "label"'],
    ["the coarse column twice", "path,label,coarse,coarse\na,b,c,d\n", '"coarse"'],
    ["another delimiter", "path|label\na|b\n", '"path|label"'],
    ["an empty file", "", "is empty"],
    ["blank lines only", "\n \n", "only blank lines"],
    ["UTF-16", Buffer.from("\uFEFFpath,label\na,b\n", "utf16le"), "not UTF-8"],
    ["an endless first line", "path,label,".repeat(10_000), "too long"],
  ])("%s stops the file with a sentence that says what was found", async (_, text, found) => {
    const error = await readText(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "labels-file-header",
      message: expect.stringMatching(/"path" and "label"/) as string,
      hint: expect.stringContaining("path,label") as string,
    });
    expect((error as Error).message).toContain(found);
    expect((error as Error).message.length).toBeLessThan(1500);
  });

  test("an empty JSON Lines file has no rows", async () => {
    expect(await readFileNamed("empty.jsonl", "")).toEqual([]);
  });

  test("a file that is missing or no file is named", async () => {
    for (const path of [join(folder, "missing.csv"), folder, "/dev/zero"]) {
      await expect(collect(readLabelsFile(path)), path).rejects.toMatchObject({
        code: "labels-file-unreadable",
        message: expect.stringContaining(path) as string,
      });
    }
  });

  test("stopping early closes the file, and it can be read again", async () => {
    const path = join(folder, "again.csv");
    await writeFile(path, "path,label\na,Oat\nb,Rye\n");
    const file = readLabelsFile(path);
    for await (const entry of file) {
      expect(entry.line).toBe(2);
      break;
    }
    expect(await collect(file)).toHaveLength(2);
    expect(file.counts.rows).toBe(2);
  });

  test("limits can be narrowed", async () => {
    const file = readLabelsFile(inPieces(Buffer.from("path,label\na,Oatmeal\nb,Rye\n"), 100), {
      limits: { maxNameLength: 3 },
    });
    expect((await collect(file)).map(({ kind }) => kind)).toEqual(["problem", "row"]);
  });
});
