import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createEngine, type Engine } from "../../core/engine/supervisor.ts";
import { embedImages } from "../../core/jobs/embed.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { scanFolder } from "../../core/jobs/scan.ts";
import { upsertImages } from "../../core/library/image-changes.ts";
import { imageByPath, listImages } from "../../core/library/images.ts";
import { ensureSource } from "../../core/library/sources.ts";
import { drawPicture } from "../helpers/pictures.ts";
import { leaveNothingBehind } from "../helpers/processes.ts";
import { addTinyModel, temporaryWorkplace } from "../helpers/workplace.ts";
import { newImage, temporaryFolder } from "../library/support.ts";

leaveNothingBehind();

let engine: Engine;
beforeAll(() => (engine = createEngine()));
afterAll(() => engine.close());

const patience = new AbortController().signal;

async function scan(folder: string): Promise<{ paths: string[]; skipped: [string, string][] }> {
  const { files, skipped } = await scanFolder(folder, patience, () => {});
  return { paths: [...files.keys()].toSorted(), skipped: skipped.map(({ path, reason }) => [path, reason]) };
}

/** Windows has other rules for names, no pipes, and links only for administrators. */
const onPosix = test.skipIf(process.platform === "win32");

/** A file whose name is bytes, as they may come from an old disk. */
function writeBytesName(folder: string, name: Buffer, content: string): void {
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), content);
}

describe("a scan", () => {
  test("finds files at any depth, and leaves out hidden ones and what systems put in folders", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "a/b/c"), { recursive: true });
    mkdirSync(join(folder, ".git"));
    mkdirSync(join(folder, "__MACOSX"));
    for (const name of ["1.jpg", "a/2.jpg", "a/b/c/3", ".hidden.jpg", ".git/4.jpg", "__MACOSX/5.jpg", "a/Thumbs.db"]) {
      writeFileSync(join(folder, name), name);
    }
    expect(await scan(folder)).toEqual({ paths: ["1.jpg", "a/2.jpg", "a/b/c/3"], skipped: [] });
  });

  onPosix("follows no link, not even one upwards, and says so", async () => {
    const folder = temporaryFolder();
    const outside = temporaryFolder();
    writeFileSync(join(outside, "secret.jpg"), "");
    writeFileSync(join(folder, "real.jpg"), "");
    linkSync(join(folder, "real.jpg"), join(folder, "second-name.jpg"));
    symlinkSync(outside, join(folder, "out"));
    symlinkSync(folder, join(folder, "up"));
    symlinkSync(join(outside, "secret.jpg"), join(folder, "one.jpg"));
    symlinkSync("nowhere", join(folder, "broken.jpg"));
    const { paths, skipped } = await scan(folder);
    expect(paths).toEqual(["real.jpg", "second-name.jpg"]);
    expect(skipped.map(([path]) => path).toSorted()).toEqual(["broken.jpg", "one.jpg", "out", "up"]);
    expect(new Set(skipped.map(([, reason]) => reason))).toEqual(new Set(["It is a link; links are not followed."]));
  });

  onPosix("goes through a link that the user named", async () => {
    const [folder, place] = [temporaryFolder(), temporaryFolder()];
    writeFileSync(join(folder, "1.jpg"), "");
    symlinkSync(folder, join(place, "photos"));
    expect((await scan(join(place, "photos"))).paths).toEqual(["1.jpg"]);
  });

  onPosix("passes over pipes and sockets", async () => {
    const folder = temporaryFolder();
    execFileSync("mkfifo", [join(folder, "pipe.jpg")]);
    expect(await scan(folder)).toEqual({ paths: [], skipped: [] });
  });

  test("stops in the middle of a folder", async () => {
    const folder = temporaryFolder();
    for (let i = 0; i < 50; i++) writeFileSync(join(folder, `${i}.jpg`), "");
    const controller = new AbortController();
    const stopped = scanFolder(folder, controller.signal, (count) => {
      if (count === 10) controller.abort(new Error("enough"));
    });
    await expect(stopped).rejects.toThrow("enough");
  });
});

describe("names that are not Unicode", () => {
  // macOS and Windows refuse to make such names.
  const onLinux = test.skipIf(process.platform !== "linux");

  onLinux("are left out with their reason, and the rest of the folder is not", async () => {
    const folder = temporaryFolder();
    writeBytesName(folder, Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x2e, 0x6a, 0x70, 0x67]), "Latin-1");
    execFileSync("sh", ["-c", `mkdir "$(printf '%s/ordner-\\344' "$1")"`, "sh", folder]);
    writeFileSync(join(folder, "plain.jpg"), "");
    const { paths, skipped } = await scan(folder);
    expect(paths).toEqual(["plain.jpg"]);
    expect(skipped.toSorted()).toEqual([
      ["caf\uFFFD.jpg", "The name is not valid Unicode."],
      ["ordner-\uFFFD", "The name is not valid Unicode."],
    ]);
  });

  onLinux("are not those that a program has put the replacement character into", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "caf\uFFFD.jpg"), "");
    expect(await scan(folder)).toEqual({ paths: ["caf\uFFFD.jpg"], skipped: [] });
  });
});

describe("odd names", () => {
  const names = [
    "two\nlines.jpg",
    "tab\there.jpg",
    "-rf.jpg",
    "--help.png",
    `"quoted" and 'quoted'.jpg`,
    "100%.jpg",
    "a&b;c|d$(e)`f`.jpg",
    "🍏🥝 grün.webp",
    "back\\slash.jpg",
    "#1?.jpg",
    "trailing space .jpg ",
    "~.jpg",
    "con.jpg",
    "\u001b[31mred.jpg",
    `${"x".repeat(251)}.jpg`,
    `${"é".repeat(125)}.jpg`,
  ];

  onPosix("go all the way: taken in, embedded, found again", async () => {
    const workplace = temporaryWorkplace(engine);
    const { library } = workplace;
    const folder = temporaryFolder();
    const drawn = await Promise.all(
      names.map(async (name, seed) => {
        // By way of a plain name, since sharp takes the format from the ending.
        const plain = join(temporaryFolder(), "plain.jpg");
        await drawPicture(plain, { seed });
        renameSync(plain, join(folder, name));
        return name;
      }),
    );
    expect(await ingestFolder(workplace, folder)).toMatchObject({ added: names.length, failed: 0, skipped: [] });
    expect(
      listImages(library.db)
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual(drawn.toSorted());
    const model = await addTinyModel(library);
    const embedded = await embedImages(workplace, model, { device: "cpu" });
    expect(embedded).toMatchObject({ embedded: names.length, failed: [] });
    expect(await ingestFolder(workplace, folder)).toMatchObject({ unchanged: names.length, added: 0, missing: 0 });
  });
});

onPosix("what lies in a folder that cannot be read is not taken for gone", async () => {
  const workplace = temporaryWorkplace(engine);
  const { db } = workplace.library;
  const folder = temporaryFolder();
  // Two times ten folders of 250 letters, one in the other: the path to the innermost is over the system's 4,096 bytes,
  // and nobody can look inside. Taken apart afterwards, since nobody could delete them either.
  const ten = new Array<string>(10).fill("d".repeat(250)).join("/");
  const apart = temporaryFolder();
  mkdirSync(join(folder, ten), { recursive: true });
  mkdirSync(join(apart, ten), { recursive: true });
  renameSync(join(apart, "d".repeat(250)), join(folder, ten, "inner"));
  onTestFinished(() => renameSync(join(folder, ten, "inner"), join(apart, "d".repeat(250))));
  const inner = `${ten}/inner/${ten.slice(251)}`;
  await drawPicture(join(folder, "top.jpg"), { seed: 1 });
  const source = ensureSource(db, folder);
  upsertImages(db, [newImage(source.id, `${inner}/deep.jpg`), newImage(source.id, `${ten}/gone.jpg`)]);
  const summary = await ingestFolder(workplace, folder);
  expect(summary).toMatchObject({ added: 1, missing: 1 });
  expect(summary.skipped).toHaveLength(1);
  expect(summary.skipped[0]?.reason).toMatch(/ENAMETOOLONG/);
  expect(imageByPath(db, source.id, `${inner}/deep.jpg`)?.missingSince).toBeNull();
  expect(imageByPath(db, source.id, `${ten}/gone.jpg`)?.missingSince).not.toBeNull();
});
