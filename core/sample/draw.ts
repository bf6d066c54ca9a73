/** Writes the sample library: photos, masks and their truth. */
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { catalogue, labelOf, type Sku } from "./catalogue.ts";
import { applyLight } from "./light.ts";
import { drawScene, margin, type Scene } from "./scene.ts";
import { CoreError } from "../util/errors.ts";
import { createRandom } from "../util/random.ts";

/** What to draw. */
export interface SampleOptions {
  /** Any integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Photos of each product, 1 to 500. */
  readonly photosPerSku: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** How much there is once the sample library is complete. */
export interface SampleSummary {
  readonly photoCount: number;
  readonly skuCount: number;
}

/** One photo to be drawn. The name says nothing about the label. */
export interface PlannedPhoto {
  /** File name without its ending, `photo-0001`. */
  readonly name: string;
  readonly sku: Sku;
  readonly seed: number;
}

/** The photos of a seed in the order of their names, which is a random one. */
export function planPhotos(seed: number, photosPerSku: number): PlannedPhoto[] {
  const random = createRandom(seed);
  const shots = catalogue.flatMap((sku) => Array.from({ length: photosPerSku }, () => sku));
  return random.shuffled(shots).map((sku, index) => ({
    name: `photo-${String(index + 1).padStart(4, "0")}`,
    sku,
    seed: random.integer(2 ** 32),
  }));
}

/** Counted up whenever the same seed would draw other pictures, so that a folder never mixes two of them. */
const drawingVersion = 1;

function readme(seed: number, photosPerSku: number): string {
  return [
    "Dinoscope sample library",
    "",
    "These photos were drawn by Dinoscope; no camera, shop or real brand was involved.",
    `Seed ${seed}, ${photosPerSku} photos of each of ${catalogue.length} products, drawing version ${drawingVersion}.`,
    "",
    "photos/     the pictures: add this folder to a library",
    "masks/      the truth for each photo: 255 where the labelled product shows, 0 elsewhere",
    "labels.csv  the truth for each photo: path inside photos/, label, coarse label",
    "",
  ].join("\n");
}

async function isWhole(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size > 0;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw thrown;
  }
}

/** Written beside and renamed: a file that is there is whole, even when the process is killed. */
async function writeWhole(path: string, data: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.partial`, data);
  await rename(`${path}.partial`, path);
}

/** Makes the folder ready, or refuses one that holds something else. */
async function openFolder(folder: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const readmePath = join(folder, "README.txt");
  const entries = (await readdir(folder)).filter((name) => name !== "README.txt.partial");
  if (entries.length > 0) {
    const found = entries.includes("README.txt") ? await readFile(readmePath, "utf8") : "";
    if (found !== text) {
      throw new CoreError(
        "sample-folder-in-use",
        `Expected an empty folder or one with the same sample library, but ${folder} holds something else.`,
        { hint: "Choose an empty folder, or delete the old sample library first." },
      );
    }
  } else await writeWhole(readmePath, text);
  await mkdir(join(folder, "photos"), { recursive: true });
  await mkdir(join(folder, "masks"), { recursive: true });
}

/** The picture of an SVG without its margin, as interleaved 8-bit levels of the given number of channels. */
async function renderSvg(svg: string, scene: Scene, channels: 1 | 3, blur: number): Promise<Buffer> {
  const area = { left: margin, top: margin, width: scene.width, height: scene.height };
  let picture = sharp(Buffer.from(svg)).flatten({ background: "#000" });
  if (blur > 0) picture = picture.blur(blur);
  picture = picture.extract(area);
  return (channels === 1 ? picture.extractChannel(0) : picture.toColourspace("srgb")).raw().toBuffer();
}

async function renderPhoto(scene: Scene): Promise<Buffer> {
  const pixels = await renderSvg(scene.svg, scene, 3, scene.blur);
  applyLight(pixels, scene.width, scene.height, scene.light);
  const raw = { width: scene.width, height: scene.height, channels: 3 as const };
  return sharp(pixels, { raw }).jpeg({ quality: scene.jpegQuality }).toBuffer();
}

async function renderMask(scene: Scene): Promise<Buffer> {
  const levels = await renderSvg(scene.maskSvg, scene, 1, 0);
  // Edges are drawn smooth; a pixel belongs to the product when at least half of it does.
  const mask = levels.map((level) => (level >= 128 ? 255 : 0));
  const raw = { width: scene.width, height: scene.height, channels: 1 as const };
  return sharp(mask, { raw }).toColourspace("b-w").png({ compressionLevel: 9 }).toBuffer();
}

function requireInteger(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new CoreError("sample-options", `Expected ${name} to be an integer from ${low} to ${high}, got ${value}.`);
}

/**
 * Draws the sample library into `folder`: `photos/photo-0001.jpg` and on, `masks/photo-0001.png` and on, `labels.csv`
 * with the header `path,label,coarse`, and `README.txt`. Files that are already there are kept, so a stopped run goes
 * on where it was. Stops at the next photo when `signal` is aborted, and then throws the signal's reason.
 *
 * Call it in a process of its own (`main.ts`): it renders SVG, and whoever decodes foreign pictures blocks sharp's SVG
 * loader for the whole process.
 */
export async function drawSample(folder: string, options: SampleOptions): Promise<SampleSummary> {
  const { seed, photosPerSku, signal, onProgress } = options;
  requireInteger("the seed", seed, 0, 2 ** 32 - 1);
  requireInteger("the photos of each product", photosPerSku, 1, 500);
  signal?.throwIfAborted();
  await openFolder(folder, readme(seed, photosPerSku));

  const planned = planPhotos(seed, photosPerSku);
  const pending = planned.values();
  const failure = new AbortController();
  const stop = AbortSignal.any(signal === undefined ? [failure.signal] : [failure.signal, signal]);
  let done = 0;
  const drawPending = async (): Promise<void> => {
    for (const { name, sku, seed: photoSeed } of pending) {
      stop.throwIfAborted();
      const photoPath = join(folder, "photos", `${name}.jpg`);
      const maskPath = join(folder, "masks", `${name}.png`);
      const [photoWhole, maskWhole] = await Promise.all([isWhole(photoPath), isWhole(maskPath)]);
      if (!photoWhole || !maskWhole) {
        const scene = drawScene(sku, photoSeed);
        if (!photoWhole) await writeWhole(photoPath, await renderPhoto(scene));
        if (!maskWhole) await writeWhole(maskPath, await renderMask(scene));
      }
      done += 1;
      onProgress?.(done, planned.length);
    }
  };
  // One more than there are cores, so that scenes are put together while others render.
  const workers = Array.from({ length: availableParallelism() + 1 }, async () => {
    try {
      await drawPending();
    } catch (thrown) {
      failure.abort(thrown);
      throw thrown;
    }
  });
  // All have to end before the first error is thrown: nothing may be written after this function has returned.
  await Promise.allSettled(workers);
  await Promise.all(workers);

  const rows = planned.map(({ name, sku }) => `${name}.jpg,${labelOf(sku)},${sku.family.name}`);
  await writeWhole(join(folder, "labels.csv"), ["path,label,coarse", ...rows, ""].join("\n"));
  return { photoCount: planned.length, skuCount: catalogue.length };
}
