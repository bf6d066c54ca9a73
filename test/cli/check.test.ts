import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { CommanderError } from "commander";
import { beforeAll, describe, expect, test } from "vitest";
import { openApp } from "../../core/app.ts";
import { createProgram } from "../../core/cli/program.ts";
import { dinoscope, objectsOf } from "../helpers/command-line.ts";
import { drawPicture } from "../helpers/pictures.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { prepareLibrary } from "../helpers/workplace.ts";

const folder = sharedFolder();
const library = join(folder, "library");
const pictures = join(folder, "pictures");

/** Four pictures under each of two labels; one file lies under both. */
beforeAll(async () => {
  const names = ["oat/0.png", "oat/1.png", "oat/2.png", "soy/3.png", "soy/4.png", "soy/5.png"];
  await Promise.all(names.map((name, seed) => drawPicture(join(pictures, name), { seed: seed + 1 })));
  mkdirSync(join(pictures, "soy"), { recursive: true });
  copyFileSync(join(pictures, "oat/0.png"), join(pictures, "soy/copy of 0.png"));
  await prepareLibrary(library);
  const app = openApp({ folder: library, holder: "dinoscope test" });
  await app.add(pictures, { labelsFromFolders: true });
  await app.embed({ device: "cpu" });
  await app.close();
});

const inLibrary = (...parameters: string[]): ReturnType<typeof dinoscope> =>
  dinoscope("--library", library, ...parameters);

/** The objects of a type that a command which succeeds wrote. */
async function objects(type: string, ...parameters: string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await inLibrary("--json", ...parameters);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return objectsOf(stdout).filter((object) => object["type"] === type);
}

describe("check", () => {
  test("lists all kinds, the file with two labels among the copies, and can be asked again without looking again", async () => {
    const { code, stdout } = await inLibrary("check", "--device", "cpu");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^wrong-labels: \d+ likely of \d+ found among 7 images\.\ntwins: /);
    expect(stdout).toContain("duplicates: 1 likely of 1 found among 7 images.");
    expect(stdout).toMatch(/#\d+ (oat\/0|soy\/copy of 0)\.png \[(oat|soy)\]; #\d+ .* 1\.000, 0 bits/);
    expect(stdout).toMatch(/Labels with few images: 2\n(oat: 3|soy: 4) images/);
    const [copies] = await objects("finding", "check", "--last", "--kind", "duplicates");
    expect(copies).toMatchObject({ kind: "duplicates", images: [{ hashBits: 0 }, { hashBits: 0 }] });
    expect(await objects("check", "check", "--last")).toEqual([]);
    expect(await objects("rare-label", "check", "--kind", "rare-labels")).toMatchObject([
      { label: { name: "oat" }, imageCount: 3, missing: 7 },
      { label: { name: "soy" }, imageCount: 4, missing: 6 },
    ]);
  });

  test("unify gives all copies one label, and undo takes it back", async () => {
    const number = `#${await copiedImage()}`;
    const [unified] = await objects("operation", "check", "unify", number);
    expect(unified).toMatchObject({ operation: { kind: "unify-duplicates", changeCount: 1 } });
    expect((await inLibrary("check", "unify", number)).stdout).toBe("Nothing to change.\n");
    expect(await objects("undo", "undo")).toMatchObject([{ operation: { kind: "unify-duplicates", state: "undone" } }]);
  });

  test("dismiss hides a finding, and undo shows it again", async () => {
    await objects("operation", "check", "dismiss", "duplicates", `${await copiedImage()}`);
    expect(await objects("finding", "check", "--last", "--kind", "duplicates")).toEqual([]);
    await objects("undo", "undo");
    expect(await objects("finding", "check", "--last", "--kind", "duplicates")).toHaveLength(1);
  });

  test("refuses labels that are not there, and kinds and numbers that make no sense", async () => {
    const refused = await inLibrary("check", "relabel", "1", "Cola", "--json");
    expect(refused.code).toBe(1);
    expect(objectsOf(refused.stdout)[0]).toMatchObject({ type: "error", code: "label-unknown" });
    for (const wrong of [
      ["dismiss", "rare-labels", "1"],
      ["accept", "0"],
      ["unify", "first"],
      ["--kind", "twin"],
    ]) {
      await expect(createProgram().parseAsync(["check", ...wrong], { from: "user" })).rejects.toThrow(CommanderError);
    }
  });
});

/** The first image of the first group of copies, after a check. */
async function copiedImage(): Promise<number> {
  const app = openApp({ folder: library, holder: "dinoscope test" });
  try {
    await app.check({ kinds: ["duplicates"], temperature: 0.07, device: "cpu" });
    return app.findings("duplicates", 1)[0]?.images[0]?.imageId ?? 0;
  } finally {
    await app.close();
  }
}
