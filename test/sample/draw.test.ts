import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { catalogue, labelOf } from "../../core/sample/catalogue.ts";
import { drawSample, planPhotos } from "../../core/sample/draw.ts";
import { drawScene, margin } from "../../core/sample/scene.ts";

const seed = 20;
const photosPerSku = 2;
const photoCount = catalogue.length * photosPerSku;
let root = "";
let sample = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "dinoscope-sample-"));
  sample = join(root, "sample");
  await drawSample(sample, { seed, photosPerSku });
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

interface Row {
  readonly path: string;
  readonly label: string;
  readonly coarse: string;
}

async function readRows(folder: string): Promise<Row[]> {
  return parse(await readFile(join(folder, "labels.csv")), { columns: true });
}

async function readLevels(path: string): Promise<{ levels: Buffer; width: number; height: number }> {
  const { channels, depth, format } = await sharp(path).metadata();
  expect([channels, depth, format]).toEqual([1, "uchar", "png"]);
  const { data, info } = await sharp(path).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
  return { levels: data, width: info.width, height: info.height };
}

test("labels.csv names every photo once and every product as often as asked", async () => {
  const rows = await readRows(sample);
  expect(rows.map(({ path }) => path).toSorted()).toEqual((await readdir(join(sample, "photos"))).toSorted());
  expect(Object.keys(rows[0] ?? {})).toEqual(["path", "label", "coarse"]);
  for (const sku of catalogue) {
    const own = rows.filter(({ label }) => label === labelOf(sku));
    expect(own).toHaveLength(photosPerSku);
    expect(own.every(({ label, coarse }) => label.startsWith(`${coarse}/`))).toBe(true);
  }
  expect(rows).toHaveLength(photoCount);
});

test("the whole set is twelve products in four families with twenty photos each", () => {
  const planned = planPhotos(1, 20);
  expect(planned).toHaveLength(240);
  expect(new Set(planned.map(({ sku }) => labelOf(sku))).size).toBe(12);
  expect(new Set(planned.map(({ sku }) => sku.family.name)).size).toBe(4);
  for (const sku of catalogue) expect(planned.filter((photo) => photo.sku === sku)).toHaveLength(20);
  expect(new Set(planned.map((photo) => photo.seed)).size).toBe(240);
});

test("neither names, nor their order, nor the bytes of a photo give the label away", async () => {
  const rows = await readRows(sample);
  for (const { path } of rows) expect(path).toMatch(/^photo-\d{4}\.jpg$/);
  const inOrder = rows.toSorted((a, b) => a.path.localeCompare(b.path)).map(({ coarse }) => coarse);
  const changes = inOrder.filter((coarse, index) => index > 0 && coarse !== inOrder[index - 1]).length;
  // Sorted by family there would be 3 changes; a random order of 24 has about 18, and less than 9 once in a million.
  expect(changes).toBeGreaterThan(8);
  for (const { path, label } of rows) {
    const bytes = await readFile(join(sample, "photos", path));
    const { exif, xmp, icc, iptc } = await sharp(bytes).metadata();
    expect([exif, xmp, icc, iptc]).toEqual([undefined, undefined, undefined, undefined]);
    expect(bytes.includes(label.split("/")[1] ?? label)).toBe(false);
  }
});

test("photos are JPEG in both formats and of many sizes between 320 and 480 pixels", async () => {
  const sizes = new Set<string>();
  let portraits = 0;
  for (const name of await readdir(join(sample, "photos"))) {
    const { format, width, height } = await sharp(join(sample, "photos", name)).metadata();
    expect(format).toBe("jpeg");
    expect(Math.min(width, height)).toBeGreaterThanOrEqual(320);
    expect(Math.max(width, height)).toBeLessThanOrEqual(480);
    sizes.add(`${width}x${height}`);
    if (height > width) portraits += 1;
  }
  expect(sizes.size).toBeGreaterThan(10);
  expect(portraits).toBeGreaterThan(3);
  expect(portraits).toBeLessThan(photoCount - 3);
});

test("a mask has one channel of 0 and 255, the size of its photo, and covers a part of it", async () => {
  for (const name of await readdir(join(sample, "masks"))) {
    const { levels, width, height } = await readLevels(join(sample, "masks", name));
    const photo = await sharp(join(sample, "photos", name.replace(".png", ".jpg"))).metadata();
    expect([width, height]).toEqual([photo.width, photo.height]);
    expect(levels.every((level) => level === 0 || level === 255)).toBe(true);
    const share = levels.filter((level) => level === 255).length / levels.length;
    expect(share).toBeGreaterThan(0.05);
    expect(share).toBeLessThan(0.85);
  }
});

/** The picture of a scene's SVG as RGB, without the light, blur and noise that come after it. */
async function renderScene(svg: string, width: number, height: number): Promise<Buffer> {
  const area = { left: margin, top: margin, width, height };
  return sharp(Buffer.from(svg)).flatten({ background: "#000" }).extract(area).raw().toBuffer();
}

/**
 * What a scene shows before a magenta wall, which no pack has on it, with its product and without. Of the top-level
 * elements, one a line, the first is the background, paths are the product, a last group is what stands before it.
 */
function beforeMagenta(svg: string): { full: string; empty: string } {
  const [start = "", ...rest] = svg.replace("</svg>", "").split("\n");
  const wall = `${start.slice(0, start.indexOf("</defs>"))}</defs><rect width="100%" height="100%" fill="#ff00ff"/>`;
  const occluders = rest.filter((line) => !line.startsWith("<path"));
  expect(rest.length - occluders.length).toBeGreaterThan(10);
  return { full: `${wall}${rest.join("")}</svg>`, empty: `${wall}${occluders.join("")}</svg>` };
}

test("a mask marks the pixels that change when the product is taken out of the scene", async () => {
  for (const { name, sku, seed: photoSeed } of planPhotos(seed, photosPerSku)) {
    const { svg, width, height } = drawScene(sku, photoSeed);
    const shown = beforeMagenta(svg);
    const [full, empty] = [await renderScene(shown.full, width, height), await renderScene(shown.empty, width, height)];
    const { levels } = await readLevels(join(sample, "masks", `${name}.png`));
    let [both, either] = [0, 0];
    levels.forEach((level, pixel) => {
      const at = pixel * 3;
      const change = [0, 1, 2].reduce((sum, c) => sum + Math.abs((full[at + c] ?? 0) - (empty[at + c] ?? 0)), 0);
      // Packs differ from the wall by 300 to 500 over three channels, so 150 is about half a pixel of pack.
      const [marked, changed] = [level === 255, change > 150];
      if (marked && changed) both += 1;
      if (marked || changed) either += 1;
    });
    // Not 1: half a pixel to each side of the edge, more where what stands before is out of focus.
    expect(both / either, name).toBeGreaterThan(0.985);
  }
});

test("the same seed draws the same bytes, another seed other pictures", async () => {
  const again = join(root, "again");
  await drawSample(again, { seed, photosPerSku });
  for (const folder of ["photos", "masks"]) {
    for (const name of await readdir(join(sample, folder))) {
      const [first, second] = await Promise.all([sample, again].map((base) => readFile(join(base, folder, name))));
      expect(first?.equals(second ?? Buffer.alloc(0)), name).toBe(true);
    }
  }
  expect(await readFile(join(again, "labels.csv"), "utf8")).toBe(await readFile(join(sample, "labels.csv"), "utf8"));

  const [mine, other] = [planPhotos(seed, 2), planPhotos(seed + 1, 2)];
  expect(other.map(({ sku }) => sku.name)).not.toEqual(mine.map(({ sku }) => sku.name));
  const [sku] = catalogue;
  if (sku === undefined) throw new Error("the catalogue is empty");
  expect(drawScene(sku, 5)).toEqual(drawScene(sku, 5));
  expect(drawScene(sku, 5).svg).not.toBe(drawScene(sku, 6).svg);
});

test("a second run draws only what is missing, and draws it as before", async () => {
  const missing = ["photos/photo-0003.jpg", "masks/photo-0003.png", "masks/photo-0010.png", "labels.csv"];
  const before = await Promise.all(missing.map((name) => readFile(join(sample, name))));
  const kept = (await readdir(sample, { recursive: true }))
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => /\.(jpg|png|txt)$/.test(name) && !missing.includes(name));
  // A file that is written again gets a new inode from the rename.
  const inodes = async (): Promise<number[]> =>
    Promise.all(kept.map(async (name) => (await stat(join(sample, name))).ino));
  const inodesBefore = await inodes();
  for (const name of missing) await rm(join(sample, name));
  // What a killed run leaves behind is written over.
  await writeFile(join(sample, "photos", "photo-0003.jpg.partial"), "half a pict");

  const counts: number[] = [];
  await drawSample(sample, { seed, photosPerSku, onProgress: (done) => counts.push(done) });

  expect(counts).toEqual(Array.from({ length: photoCount }, (_, index) => index + 1));
  expect(await inodes()).toEqual(inodesBefore);
  const after = await Promise.all(missing.map((name) => readFile(join(sample, name))));
  after.forEach((bytes, index) => expect(bytes.equals(before[index] ?? Buffer.alloc(0))).toBe(true));
  expect((await readdir(join(sample, "photos"))).filter((name) => name.endsWith(".partial"))).toEqual([]);
});

test("a stopped run leaves whole files only, throws the reason, and can go on", async () => {
  const folder = join(root, "stopped");
  const controller = new AbortController();
  const reason = new Error("enough");
  const onProgress = (done: number): void => {
    if (done === 3) controller.abort(reason);
  };
  await expect(drawSample(folder, { seed, photosPerSku, signal: controller.signal, onProgress })).rejects.toBe(reason);
  const photos = await readdir(join(folder, "photos"));
  expect(photos.length).toBeGreaterThanOrEqual(3);
  expect(photos.length).toBeLessThan(photoCount);
  expect(photos.every((name) => name.endsWith(".jpg"))).toBe(true);
  expect(await readdir(folder)).not.toContain("labels.csv");
  expect(await drawSample(folder, { seed, photosPerSku })).toEqual({ photoCount, skuCount: catalogue.length });
  expect(await readRows(folder)).toHaveLength(photoCount);
});

test("a folder with other things in it, or with another seed's photos, is refused and left alone", async () => {
  const foreign = join(root, "foreign");
  await drawSample(foreign, { seed: 1, photosPerSku: 1 });
  const before = await readdir(foreign, { recursive: true });
  await expect(drawSample(foreign, { seed: 2, photosPerSku: 1 })).rejects.toMatchObject({
    code: "sample-folder-in-use",
  });
  await expect(drawSample(foreign, { seed: 1, photosPerSku: 2 })).rejects.toMatchObject({
    code: "sample-folder-in-use",
  });
  expect(await readdir(foreign, { recursive: true })).toEqual(before);
  await expect(drawSample(join(foreign, "photos"), { seed: 1, photosPerSku: 1 })).rejects.toMatchObject({
    code: "sample-folder-in-use",
  });
});

test.each([
  { seed: -1, photosPerSku: 1 },
  { seed: 1.5, photosPerSku: 1 },
  { seed: 2 ** 32, photosPerSku: 1 },
  { seed: 1, photosPerSku: 0 },
  { seed: 1, photosPerSku: Number.NaN },
  { seed: 1, photosPerSku: 501 },
])("options out of range are refused before anything is written: %o", async (options) => {
  const folder = join(root, "refused");
  await expect(drawSample(folder, options)).rejects.toMatchObject({ code: "sample-options" });
  await expect(stat(folder)).rejects.toMatchObject({ code: "ENOENT" });
});
