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
const truth = join(folder, "truth");

beforeAll(async () => {
  await drawPictures(join(folder, "pictures"), 3, { seed: 1 });
  mkdirSync(truth);
  const white = { width: 64, height: 48, channels: 3 as const, background: "#ffffff" };
  for (const name of ["000.png", "001.png"]) await sharp({ create: white }).png().toFile(join(truth, name));
  await prepareLibrary(library);
  const app = openApp({ folder: library, holder: "dinoscope test" });
  await app.add(join(folder, "pictures"), { labelsFromFolders: false });
  await app.close();
});

const inLibrary = (...parameters: string[]): ReturnType<typeof dinoscope> =>
  dinoscope("--library", library, ...parameters);

describe("masks", () => {
  test("are made once, and each is said to be how it was made", async () => {
    const options = [
      "masks",
      "--method",
      "attention",
      "--heads",
      "2,0,2",
      "--mass",
      "0.5",
      "--size",
      "64",
      "--no-refine",
    ];
    const { code, stdout } = await inLibrary(...options, "--json");
    expect(code).toBe(0);
    expect(objectsOf(stdout).find(({ type }) => type === "masks")).toMatchObject({
      made: 3,
      recipe: { method: "attention", heads: [0, 2], mass: 0.5, refined: false, components: "largest", size: 64 },
    });
    const again = await inLibrary(...options, "--refine", "--components", "all");
    expect(again.stdout).toContain("3 masks made by tiny (random weights)");
    expect(again.stdout).toContain("attention, heads 0, 2, mass 0.5, edges refined, all parts, 64 px.");
    expect((await inLibrary(...options, "--refine", "--components", "all")).stdout).toContain(
      "3 pictures had one already",
    );
  });

  test("look at 28 patches a side unless asked otherwise", async () => {
    const { stdout } = await inLibrary("masks", "--method", "tokencut", "--no-refine");
    expect(stdout).toContain("tokencut, whole patches, largest part, 448 px.");
  });

  test("are taken in from pictures, and undone", async () => {
    expect((await inLibrary("masks", "import", truth)).stdout).toBe("2 masks taken in.\n");
    expect((await inLibrary("masks", "import", truth)).stdout).toBe("0 masks taken in; 2 were there already.\n");
    expect((await inLibrary("undo")).stdout).toContain("Took in the masks of 2 images");
  });

  test("are measured against true ones", async () => {
    const { code, stdout } = await inLibrary("evaluate", "masks", "--truth", truth, "--size", "64");
    expect(code).toBe(0);
    expect(stdout).toContain("Masks of 2 images by tiny (random weights: what follows is a baseline) at 64 px.");
    expect(stdout).toMatch(/the whole picture +1\.000 +0\.000/);
    expect(stdout).toMatch(/TokenCut +refined +0\.\d{3}/);
  });

  test.each([
    [["masks", "--heads", "first"], 2, "mean, best, or numbers"],
    [["masks", "--mass", "2"], 2, "above 0, at most 1"],
    [["masks", "--method", "magic"], 2, "attention, tokencut, foreground"],
    [["masks", "--method", "tokencut", "--size", "8"], 2, "Choose a size from 16 to 1024."],
    [["masks", "--method", "attention", "--heads", "best", "--size", "64"], 1, "masks-missing"],
    [["evaluate", "masks"], 2, "--truth"],
  ])("%j ends with %i and says why", async (parameters, code, why) => {
    const result = await inLibrary(...parameters);
    expect(result.code).toBe(code);
    expect(result.stderr).toContain(why);
  });
});
