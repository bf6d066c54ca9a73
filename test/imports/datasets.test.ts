import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DatasetFormat } from "../../core/imports/readers.ts";
import { datasetReaders } from "../../core/imports/readers.ts";
import type { ImportedRow } from "../../core/imports/dataset.ts";
import { readClassNames } from "../../core/imports/yolo.ts";
import { readXml, textOf, type XmlElement } from "../../core/imports/xml.ts";
import { xmlText } from "../../core/exports/voc.ts";
import { decodeRuns } from "../../core/masks/rle.ts";
import { refusalOf, refusalOfAsync } from "../helpers/refusal.ts";
import { temporaryFolder } from "../library/support.ts";

/** Reads a data set of these files, where every picture of the library has 4 x 3 pixels. */
async function read(format: DatasetFormat, files: Readonly<Record<string, string>>, path = ""): Promise<ImportedRow[]> {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const context = { sizeOf: () => ({ width: 4, height: 3 }) };
  const rows: ImportedRow[] = [];
  for await (const row of datasetReaders[format](join(folder, path), context)) rows.push(row);
  return rows;
}

/** A COCO file with one image and these annotations. */
function coco(annotations: readonly object[], categories: readonly object[] = [{ id: 1, name: "cat" }]): string {
  const images = [{ id: 7, file_name: "a.jpg", width: 4, height: 3 }];
  return JSON.stringify({
    images,
    categories,
    annotations: annotations.map((annotation, id) => ({ id, image_id: 7, category_id: 1, ...annotation })),
  });
}

function maskOf(row: ImportedRow | undefined): string {
  if (row?.kind !== "image" || row.mask === null) return JSON.stringify(row);
  return [...decodeRuns(row.mask).data].join("").replace(/(.{4})(?=.)/g, "$1/");
}

describe("COCO of others", () => {
  test("polygons of one thing and of several are joined; crowds and boxes give no mask", async () => {
    const file = coco([
      {
        segmentation: [
          [0, 0, 2, 0, 2, 1, 0, 1],
          [3, 2, 4, 2, 4, 3, 3, 3],
        ],
      },
      { segmentation: { size: [3, 4], counts: [3, 2, 7] } },
      { iscrowd: 1, segmentation: { size: [3, 4], counts: [0, 12] } },
      { bbox: [0, 0, 4, 3] },
    ]);
    const [row] = await read("coco", { "instances.json": file }, "instances.json");
    expect(maskOf(row)).toBe("1100/0100/0001");
    expect(row).toMatchObject({ label: ["cat"] });
  });

  test("supercategories become the labels above, unless they say nothing", async () => {
    for (const [above, label] of [
      ["animal", ["animal", "cat"]],
      ["none", ["cat"]],
      ["", ["cat"]],
      ["cat", ["cat"]],
      [5, ["cat"]],
    ] as const) {
      const file = coco([{}], [{ id: 1, name: "cat", supercategory: above }]);
      expect(await read("coco", { "annotations/i.json": file })).toMatchObject([{ label }]);
    }
  });

  test("a picture with things of two labels is reported, not guessed", async () => {
    const file = coco(
      [{}, { category_id: 2 }],
      [
        { id: 1, name: "cat" },
        { id: 2, name: "dog" },
      ],
    );
    expect(await read("coco", { "annotations/i.json": file })).toEqual([
      expect.objectContaining({ kind: "problem", message: expect.stringContaining("cat, dog") as string }),
    ]);
  });

  test.each<[string, unknown]>([
    ["a mask of another size", { size: [1e9, 1e9], counts: [1e18] }],
    ["run lengths that do not add up", { size: [3, 4], counts: [1, 2] }],
    ["negative run lengths", { size: [3, 4], counts: [13, -1] }],
    ["compressed nonsense", { size: [3, 4], counts: "~~~~" }],
    ["a polygon of texts", [["0", "0"]]],
    ["a polygon of two corners", [[0, 0, 1, 1]]],
    ["infinite corners", [[0, 0, Infinity, 1, 2, 2]]],
  ])("%s is a problem of its image alone", async (_, segmentation) => {
    expect(await read("coco", { "annotations/i.json": coco([{ segmentation }]) })).toMatchObject([{ kind: "problem" }]);
  });

  test("names of JavaScript's own are names like others", async () => {
    const file = `{"__proto__":{"images":[]},"images":[{"id":"constructor","file_name":"__proto__"}],
      "categories":[{"id":"toString","name":"__proto__","__proto__":{"supercategory":"x"}}],
      "annotations":[{"image_id":"constructor","category_id":"toString"}]}`;
    expect(await read("coco", { "annotations/i.json": file })).toMatchObject([{ kind: "image", label: ["__proto__"] }]);
    expect(({} as Record<string, unknown>)["supercategory"]).toBeUndefined();
  });

  test("files that are no COCO are refused with a sentence", async () => {
    for (const text of ["", "[]", "{}", "null", '{"images":5}', "{"]) {
      expect(await refusalOfAsync(() => read("coco", { "annotations/i.json": text }))).toContain("import-format");
    }
    expect(await refusalOfAsync(() => read("coco", {}, "gone.json"))).toContain("import-unreadable");
  });
});

describe("YOLO of others", () => {
  const base = {
    "data.yaml": "path: ../x\ntrain: images/train\nnames:\n  0: cat\n  1: dog\n",
    "images/train/a.jpg": "",
  };

  test("polygons are filled, boxes give the label alone", async () => {
    const polygon = "1 0 0 0.5 0 0.5 0.334 0 0.334\n";
    const [row] = await read("yolo", { ...base, "labels/train/a.txt": polygon });
    expect(row).toMatchObject({ label: ["dog"] });
    expect(maskOf(row)).toBe("1100/0000/0000");
    expect(await read("yolo", { ...base, "labels/train/a.txt": "0 0.5 0.5 1 1\r\n" })).toMatchObject([
      { label: ["cat"], mask: null },
    ]);
  });

  test.each(["5 0 0 1 1", "0 0 0 1", "0 nan 0 1 1", "0 7 7 7 7", "x", "-1 0 0 1 1", "0 0 0 1 1 1"])(
    "the line %s is reported",
    async (line) => {
      expect(await read("yolo", { ...base, "labels/train/a.txt": line })).toMatchObject([{ kind: "problem" }]);
    },
  );

  test("class names are read in all three spellings, and tags of YAML are text", () => {
    expect(readClassNames("names: ['it''s', \"a, b\", plain ,]\nnc: 3")).toEqual(["it's", "a, b", "plain"]);
    expect(readClassNames("nc: 2\nnames:\n- one\n- two # second\n")).toEqual(["one", "two"]);
    expect(readClassNames('names:\n  0: "\\u00e4"\n  1: !!python/object:os.system x\nval: y')).toEqual([
      "ä",
      "!!python/object:os.system x",
    ]);
    expect(refusalOf(() => readClassNames("names:\n  999999: x"))).toContain("import-format");
    expect(refusalOf(() => readClassNames("names: [a, b"))).toContain("import-format");
    expect(refusalOf(() => readClassNames("nc: 1"))).toContain("import-format");
  });
});

describe("XML of annotations", () => {
  test("any text comes back from an element, but for what XML cannot hold", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const clean = text.replace(/[^\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, " ");
        expect(textOf(readXml(`<a><name>${xmlText(text)}</name></a>`), "name")).toBe(clean.trim());
      }),
    );
  });

  test("trees come back from their text, with comments and attributes passed over", () => {
    const names = fc.constantFrom("a", "b", "name", "x-1");
    const node = (children: fc.Arbitrary<XmlElement[]>): fc.Arbitrary<XmlElement> =>
      fc.record({ name: names, children, text: fc.constant("") }, { noNullPrototype: true });
    const leaves = fc.array(node(fc.constant([])), { maxLength: 3 });
    const tree = node(fc.array(node(fc.array(node(leaves), { maxLength: 3 })), { maxLength: 3 }));
    const write = ({ name, children }: XmlElement): string =>
      children.length === 0 ? `<${name} v="1>2"/>` : `<!-- <x> --><${name}>${children.map(write).join("")}</${name} >`;
    fc.assert(
      fc.property(tree, (element) => {
        expect(readXml(`<?xml version="1.0"?>${write(element)}`)).toEqual(element);
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "<a>&unknown;</a>",
    "<a>& b</a>",
    "<a><b></a></b>",
    "<a>",
    "",
    "text",
    "<a/><b/>",
    "<".repeat(1000),
    "<a>".repeat(100),
    "<a></a></a>",
    "<a b=c></a>",
  ])("%s is refused", (text) => {
    expect(refusalOf(() => readXml(text))).toContain("xml-invalid");
  });

  test("long hostile text takes no longer than its length", () => {
    for (const text of [
      `<a ${"b='1' ".repeat(50_000)}`,
      `<!--${"-".repeat(200_000)}`,
      `<![CDATA[${"]".repeat(200_000)}`,
      `<a>${"&".repeat(200_000)}`,
    ]) {
      const start = performance.now();
      refusalOf(() => readXml(text));
      // A backtracking pattern would take minutes; the machine may be busy.
      expect(performance.now() - start).toBeLessThan(3000);
    }
  });
});

test("a VOC annotation without a document type's tricks gives its label", async () => {
  const xml = "<annotation><filename>a.jpg</filename><object><name>cat &amp; dog</name></object></annotation>";
  expect(await read("voc", { "Annotations/a.xml": xml })).toMatchObject([
    { kind: "image", label: ["cat & dog"], mask: null },
  ]);
  const evil = `<!DOCTYPE x [<!ENTITY a "aaaa">]>${xml}`;
  expect(await read("voc", { "Annotations/a.xml": evil })).toMatchObject([{ kind: "problem" }]);
});

test("folders of a split are no labels, other folders are", async () => {
  const files = { "train/cat/1.jpg": "", "val/cat/2.jpg": "" };
  expect(await read("folders", files)).toMatchObject([{ label: ["cat"] }, { label: ["cat"] }]);
  expect(await read("folders", { ...files, "Drinks/Oat/3.jpg": "" })).toMatchObject([
    { label: ["Drinks", "Oat"] },
    { label: ["train", "cat"] },
    { label: ["val", "cat"] },
  ]);
});
