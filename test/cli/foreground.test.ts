import { mkdirSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { openApp } from "../../core/app.ts";
import { dinoscope, objectsOf } from "../helpers/command-line.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { prepareLibrary } from "../helpers/workplace.ts";

const folder = sharedFolder();
const library = join(folder, "library");

/** Four pictures with two labels, one with a mask, embedded whole. */
beforeAll(async () => {
  for (const label of ["a", "b"]) await drawPictures(join(folder, "pictures", label), 2, { seed: label.charCodeAt(0) });
  const masks = join(folder, "masks");
  mkdirSync(join(masks, "a"), { recursive: true });
  const left = Uint8Array.from({ length: 64 * 48 }, (_, i) => (i % 64 < 30 ? 255 : 0));
  await sharp(left, { raw: { width: 64, height: 48, channels: 1 } }).toFile(join(masks, "a", "000.png"));
  await prepareLibrary(library);
  const app = openApp({ folder: library, holder: "dinoscope test" });
  await app.add(join(folder, "pictures"), { labelsFromFolders: true });
  await app.importMasks(masks);
  await app.embed({ device: "cpu" });
  await app.close();
});

const inLibrary = (...parameters: string[]): ReturnType<typeof dinoscope> =>
  dinoscope("--library", library, ...parameters);

describe("embed --foreground", () => {
  test("makes embeddings beside those of whole pictures, which other commands name by model", async () => {
    const { code, stdout } = await inLibrary("embed", "--foreground", "--device", "cpu");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^4 pictures embedded by tiny\+foreground on cpu in /);
    expect(stdout).toContain("Foreground: the stored mask of 1 picture; ");
    const clusters = await inLibrary("cluster", "--model", "tiny+foreground", "--count", "2", "--json");
    expect(objectsOf(clusters.stdout).find(({ type }) => type === "clustering")).toMatchObject({
      model: { name: "tiny+foreground" },
      images: 4,
    });
    const evaluation = await inLibrary("evaluate", "knn", "--neighbours", "2");
    expect(evaluation.stdout).toMatch(/tiny \(random weights\) +\d.*\n +tiny\+foreground \(random weights\) +\d/);
  });

  test("goes on with a changed mask alone, which status counts", async () => {
    expect((await inLibrary("undo")).stdout).toContain("Took in the mask of 1 image");
    const status = await inLibrary("status");
    expect(status.stdout).toContain("1 from masks that have changed (`embed --model tiny+foreground` makes them anew)");
    const { stdout } = await inLibrary("embed", "--model", "tiny+foreground", "--device", "cpu", "--json");
    expect(objectsOf(stdout).at(-1)).toMatchObject({ embedded: 1, skipped: 3, foreground: { inMask: 0 } });
    expect((await inLibrary("status")).stdout).not.toContain("have changed");
  });

  test("with another share is another model, which an evaluation asks for by its command", async () => {
    const { stdout } = await inLibrary("embed", "--blend", "0.25", "--device", "cpu", "--json");
    expect(objectsOf(stdout).at(-1)).toMatchObject({
      model: { name: "tiny+foreground-0.25", foreground: { blend: 0.25 } },
    });
    const again = await inLibrary("embed", "--foreground", "--model", "tiny+foreground-0.25", "--device", "cpu");
    expect(again.stdout).toContain("0 pictures embedded by tiny+foreground-0.25 ");
    const large = await inLibrary("embed", "--model", "tiny+foreground", "--size", "64", "--device", "cpu");
    expect(large.stdout).toContain("4 pictures embedded by tiny@64+foreground ");
    await drawPictures(join(folder, "pictures", "a"), 3, { seed: 97 });
    await inLibrary("add", join(folder, "pictures"), "--labels-from-folders");
    await inLibrary("embed", "--model", "tiny", "--device", "cpu");
    const evaluation = await inLibrary("evaluate", "knn", "--model", "tiny", "--neighbours", "2");
    expect(evaluation.stdout).toContain(
      "tiny+foreground-0.25 is not compared: it has embedded 4 of these images. " +
        "`dinoscope embed --model tiny+foreground-0.25` does the rest.",
    );
  });

  test.each(["0", "1.5", "half"])("refuses a share of %s", async (share) => {
    const { code, stderr } = await inLibrary("embed", "--foreground", "--blend", share);
    expect(code).toBe(2);
    expect(stderr).toContain("Wanted a number above 0, at most 1.");
  });
});
