import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openApp } from "../../core/app.ts";
import { dinoscope, objectsOf } from "../helpers/command-line.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { sharedFolder } from "../helpers/shared-folder.ts";
import { prepareLibrary } from "../helpers/workplace.ts";

const folder = sharedFolder();
const library = join(folder, "library");

beforeAll(async () => {
  await drawPictures(join(folder, "pictures"), 24, { seed: 1 });
  await prepareLibrary(library);
  const app = openApp({ folder: library, holder: "dinoscope test" });
  await app.add(join(folder, "pictures"), { labelsFromFolders: false });
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

describe("cluster, map and next", () => {
  test("go from groups to names, and back", async () => {
    const [clustering] = await objects("clustering", "cluster", "--count", "3", "--device", "cpu");
    expect(clustering).toMatchObject({ method: "k-means", clusters: 3, images: 24, noise: 0 });
    const listed = await objects("cluster", "cluster", "list");
    expect(listed).toHaveLength(3);
    expect(await objects("cluster", "cluster", "list", "--count", "2")).toEqual(listed.slice(0, 2));
    const [largest, second] = listed.map(({ id }) => String(id));

    const [labelled] = await objects("labels", "cluster", "label", largest ?? "", "Drinks/Oat");
    expect(labelled).toMatchObject({ labelled: listed[0]?.["size"], kept: 0 });
    const shown = await inLibrary("cluster", "show", largest ?? "", "--members", "2");
    expect(shown.stdout).toMatch(/100\.0 %\s+Oat/);
    expect(shown.stdout).toMatch(/Most typical:\n.*\n(.*Oat.*\n){2}Borderline:/);
    expect((await inLibrary("undo")).stdout).toMatch(/^Undone: Labelled \d+ images of cluster \d+ as Oat/);

    const [merged] = await objects("clusters", "cluster", "merge", largest ?? "", second ?? "");
    const [id] = merged?.["ids"] as number[];
    const split = await inLibrary("cluster", "split", String(id), "--device", "cpu");
    expect(split.stdout).toMatch(new RegExp(`^Cluster ${id} is now \\d+, \\d+\\.\n$`));
    expect(await objects("cluster", "cluster", "list")).toHaveLength(3);
  });

  test("draw the map, and place nothing twice", async () => {
    const svg = join(folder, "map.svg");
    const { code, stdout } = await inLibrary("map", "--out", svg, "--device", "cpu");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^24 images on the map, laid out in/);
    expect(readFileSync(svg, "utf8")).toMatch(/^<svg .*no label/s);
    expect((await inLibrary("map", "--device", "cpu")).stdout).toContain("0 of them placed now");
    expect(await objects("point", "map", "--refit", "--device", "cpu")).toHaveLength(24);
  });

  test("list what to label, each picture once", async () => {
    const queue = await objects("next", "next", "--queue", "diverse", "--count", "5", "--device", "cpu");
    expect(new Set(queue.map(({ image }) => (image as { id: number }).id)).size).toBe(5);
    expect((await inLibrary("next", "--count", "2", "--device", "cpu")).stdout.split("\n")).toHaveLength(4);
  });

  test("refuse what makes no sense", async () => {
    expect(await inLibrary("cluster", "--count", "2", "--auto")).toMatchObject({ code: 2 });
    expect((await inLibrary("cluster", "--count", "99", "--device", "cpu")).stderr).toContain("1 to 24 clusters");
    expect(await inLibrary("cluster", "merge", "1", "x")).toMatchObject({ code: 2 });
    expect((await inLibrary("cluster", "show", "9999")).stderr).toContain("cluster-unknown");
    expect(await inLibrary("next", "--queue", "easy")).toMatchObject({ code: 2 });
    const unwritten = await inLibrary("map", "--out", join(folder, "map.gif"), "--device", "cpu");
    expect(unwritten).toMatchObject({ code: 2 });
    expect(unwritten.stderr).toContain(".svg or .png");
  });
});
