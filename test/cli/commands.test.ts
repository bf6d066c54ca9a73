import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openApp } from "../../core/app.ts";
import { openLibrary } from "../../core/library/open.ts";
import { dinoscope, objectsOf } from "../helpers/command-line.ts";
import { drawPicture } from "../helpers/pictures.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { prepareLibrary } from "../helpers/workplace.ts";
import { temporaryFolder } from "../library/support.ts";

const folder = sharedFolder();
const library = join(folder, "library");
const pictures = join(folder, "pictures");

/** A name with what could harm a terminal: colours, a title, a bell, a new line, reading direction. */
const evil = "e\u001b[31mv\u001b]0;i\u0007l\n\u202e";

/** Six pictures in two folders, one file that is none, all embedded by the tiny model; the folders are the labels. */
beforeAll(async () => {
  const names = ["milk/0.png", "milk/1.png", "milk/2.png", `${evil}/3.png`, `${evil}/${evil}4.png`, "5.png"];
  await Promise.all(names.map((name, seed) => drawPicture(join(pictures, name), { seed: seed + 1 })));
  writeFileSync(join(pictures, `${evil}.jpg`), "no picture");
  await prepareLibrary(library);
  const app = openApp({ folder: library, holder: "dinoscope test" });
  await app.add(pictures, { labelsFromFolders: true });
  await app.embed({ device: "cpu" });
  await app.close();
});

const inLibrary = (...parameters: string[]): ReturnType<typeof dinoscope> =>
  dinoscope("--library", library, ...parameters);

/** The whole of standard output, of a command that succeeds. */
async function outputOf(...parameters: string[]): Promise<string> {
  const { code, stdout, stderr } = await inLibrary(...parameters);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describe("a library that is not there", () => {
  test.each([
    ["status"],
    ["models", "export", join(folder, "exported.onnx")],
    ["search", "1"],
    ["suggest"],
    ["labels", "import", join(folder, "labels.csv")],
  ])("is missed, and not made, by %s", async (...parameters) => {
    const nowhere = join(temporaryFolder(), "typo");
    const { code, stdout, stderr } = await dinoscope(...parameters, "--library", nowhere, "--json");
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(objectsOf(stdout)).toEqual([
      {
        type: "error",
        code: "library-missing",
        message: `There is no library in ${nowhere}.`,
        hint: expect.stringContaining("dinoscope add FOLDER") as string,
      },
    ]);
    expect(existsSync(nowhere)).toBe(false);
  });

  test("is made by add", async () => {
    const added = join(temporaryFolder(), "new", "library");
    const result = await dinoscope("add", join(pictures, "milk"), "--library", added, "--json");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(objectsOf(result.stdout).at(-1)).toMatchObject({ type: "ingest", added: 3, failed: 0, labels: null });
    expect(existsSync(join(added, "library.sqlite"))).toBe(true);
  });
});

test("commands that look work while another process writes the library; others say who holds it", async () => {
  const held = openLibrary(library, { mode: "write", holder: "dinoscope embed" });
  try {
    expect(await outputOf("status")).toContain(library);
    expect(await outputOf("search", "1", "--device", "cpu")).toMatch(/^image/);
    const exported = join(folder, "exported.safetensors");
    expect(await outputOf("models", "export", exported)).toBe(`${exported}\n`);
    const refused = await inLibrary("undo", "--json");
    expect(refused.code).toBe(1);
    expect(objectsOf(refused.stdout)).toMatchObject([{ type: "error", code: "library-locked" }]);
    expect(refused.stdout).toContain("`dinoscope embed`");
  } finally {
    held.close();
  }
});

describe("names from files", () => {
  // Control characters other than the ends of our own lines, and marks of reading direction.
  const raw = /[^\P{Cc}\n]|\p{Bidi_Control}/u;

  test.each([
    ["pictures added", "add", pictures],
    ["unreadable files", "status"],
    ["suggestions", "suggest", "--device", "cpu", "--model", "tiny"],
    ["a file that is not there", "labels", "import", join(folder, `${evil}.csv`)],
    ["a model that is not there", "embed", "--model", evil],
  ])("never reach the terminal raw: %s", async (_, ...parameters) => {
    const { stdout, stderr } = await inLibrary(...parameters);
    expect(stdout + stderr).not.toMatch(raw);
    expect(stdout + stderr).toMatch(/\n$/);
  });

  test("come through --json as they are, escaped", async () => {
    const stdout = await outputOf("search", join(pictures, `${evil}/${evil}4.png`), "--device", "cpu", "--json");
    expect(stdout).not.toMatch(raw);
    expect(objectsOf(stdout)[0]).toMatchObject({ type: "hit", path: `${evil}/${evil}4.png` });
  });
});

describe("what people read", () => {
  const shown = "e [31mv ]0;i l  ";

  test("status: pictures, labels, models, and the files that could not be read", async () => {
    expect(await outputOf("status")).toBe(
      `Library ${library}\n` +
        `  pictures  6 in ${pictures}, 1 unreadable\n` +
        "  labels    2\n" +
        "  models    tiny (random weights): all embedded, 5 of them labelled\n" +
        "1 file unreadable:\n" +
        `  ${shown}.jpg: Pictures are JPEG, PNG, WebP, AVIF, GIF or TIFF; this is text.\n`,
    );
  });

  test("models list and labels list line up", async () => {
    expect(await outputOf("models", "list")).toBe(
      "name  model             features  input  from\ntiny  ViT/16, 2 blocks        24  32 px  random weights\n",
    );
    expect(await outputOf("labels", "list")).toBe(
      `label             images\n${shown}       2\nmilk                   3\n`,
    );
  });

  test("search finds the picture itself first, with nothing but itself at similarity 1", async () => {
    const stdout = await outputOf("search", join(pictures, "milk/1.png"), "--count", "2", "--device", "cpu");
    const [title, first, second, ...rest] = stdout.split("\n");
    expect(title).toMatch(/^image +similarity +label +file$/);
    expect(first).toMatch(/^ *\d+ +1\.0000 +milk +milk\/1\.png$/);
    expect(second).toMatch(/^ *\d+ +0\.\d{4} /);
    expect(rest).toEqual([""]);
  });

  test("a number names an image of the library, which is not among its own neighbours", async () => {
    const hits = objectsOf(await outputOf("search", join(pictures, "5.png"), "--device", "cpu", "--json"));
    const [own, ...rest] = hits;
    const byNumber = await outputOf("search", String(own?.["id"]), "--device", "cpu", "--json");
    expect(objectsOf(byNumber).map(({ path }) => path)).toEqual(rest.map(({ path }) => path));
  });

  test("undo and redo say what they did, and history shows it", async () => {
    expect(await outputOf("undo")).toBe("Undone: Labelled 5 images from folder names.\n");
    expect(await outputOf("history")).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d {2}Labelled 5 images from folder names {2}\(undone\)\n$/,
    );
    expect(await outputOf("undo")).toBe("Nothing to undo.\n");
    expect(await outputOf("redo")).toBe("Redone: Labelled 5 images from folder names.\n");
  });
});
