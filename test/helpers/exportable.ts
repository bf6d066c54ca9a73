/** A library with real pictures under awkward names, labels, masks and embeddings: something to export. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { preparePictures } from "../../core/image/prepare.ts";
import { insertEmbeddings } from "../../core/library/embeddings.ts";
import { upsertImages } from "../../core/library/image-changes.ts";
import { correctMasks } from "../../core/library/masks.ts";
import { insertModel } from "../../core/library/models.ts";
import { openLibrary, type Library } from "../../core/library/open.ts";
import { ensureSource } from "../../core/library/sources.ts";
import type { Bitmap } from "../../core/masks/bitmap.ts";
import { compressRuns, encodeRuns } from "../../core/masks/rle.ts";
import { createRandom } from "../../core/util/random.ts";
import { newModel } from "../library/support.ts";
import { annotate } from "./annotate.ts";

/** A picture to draw. */
export interface Wanted {
  readonly path: string;
  readonly label: readonly string[] | null;
  readonly mask: boolean;
  /** EXIF orientation, 1 to 8. */
  readonly orientation?: number;
}

/** Odd names, equal names in different folders, labels at three depths, one name twice in the tree. */
export const awkward: readonly Wanted[] = [
  { path: "a/1.jpg", label: ["Drinks", "Oat"], mask: true },
  { path: "b/1.jpg", label: ["Drinks", "Oat"], mask: true },
  { path: "b/1.png", label: ["Drinks", "Soy"], mask: true },
  { path: "Käse & Brot, 5 %.jpg", label: ["Food", 'Cheese "Gouda", 48 %'], mask: true },
  { path: "日本/寿司.jpg", label: ["Food", "寿司"], mask: true },
  { path: "CON.jpg", label: ["=1+1"], mask: false },
  { path: "-rf ...jpg", label: ["Food", "Soy"], mask: true },
  { path: "no label.jpg", label: null, mask: true },
  { path: "deep/er/x.jpg", label: ["A", "B/C", "con"], mask: true },
  { path: "A/1.JPG", label: ["<b>&amp;"], mask: true },
];

/** Width and height of the pictures, upright: odd, so that rows do not end on whole bytes. */
export const drawnSize = { width: 37, height: 23 } as const;

/** A mask with several parts, holes, and pixels at the edges. */
export function drawMask(seed: number, { width, height }: { width: number; height: number }): Bitmap {
  const random = createRandom(seed);
  const [x, y, radius] = [random.integer(width), random.integer(height), 4 + random.integer(8)];
  const data = Uint8Array.from({ length: width * height }, (_, i) => {
    const distance = Math.hypot((i % width) - x, Math.floor(i / width) - y);
    return (distance < radius && distance > radius / 3) || random.next() < 0.03 ? 1 : 0;
  });
  data[y * width + x] = 1;
  return { width, height, data };
}

/** How many rows and columns change when a picture is stored for an EXIF orientation, undone by turning it upright. */
async function store(file: string, rgb: Uint8Array, orientation: number): Promise<void> {
  const { width, height } = drawnSize;
  let stored = sharp(rgb, { raw: { width, height, channels: 3 } });
  // What sharp calls rotate and flop, chosen so that the EXIF orientation (its definition: which side row 0 is) undoes it.
  const turns: Record<number, [angle: number, mirrored: boolean]> = {
    1: [0, false],
    2: [0, true],
    3: [180, false],
    4: [180, true],
    5: [90, true],
    6: [270, false],
    7: [270, true],
    8: [90, false],
  };
  const [angle, mirrored] = turns[orientation] ?? [0, false];
  const turned = await stored.rotate(angle).raw().toBuffer({ resolveWithObject: true });
  stored = sharp(turned.data, { raw: { width: turned.info.width, height: turned.info.height, channels: 3 } });
  if (mirrored) stored = stored.flop();
  mkdirSync(dirname(file), { recursive: true });
  const exif = orientation === 1 ? stored : stored.withMetadata({ orientation });
  await (/png$/i.test(file) ? exif.png() : exif.jpeg({ quality: 100, chromaSubsampling: "4:4:4" })).toFile(file);
}

/** White where the mask of the picture is, else dark noise: the mask can be seen in the picture. */
function picture(mask: Bitmap, seed: number): Uint8Array {
  const random = createRandom(seed);
  return Uint8Array.from({ length: 3 * mask.data.length }, (_, i) =>
    mask.data[Math.floor(i / 3)] === 1 ? 255 : random.integer(60),
  );
}

/** Draws pictures below `folder/pictures` and takes them into a library in `folder/library`, closed by the caller. */
export async function makeExportable(
  folder: string,
  wanted: readonly Wanted[] = awkward,
): Promise<{ library: Library; ids: ReadonlyMap<string, number> }> {
  const pictures = join(folder, "pictures");
  const masks = wanted.map((_, i) => drawMask(i + 1, drawnSize));
  for (const [i, { path, orientation = 1 }] of wanted.entries()) {
    const mask = masks[i];
    if (mask !== undefined) await store(join(pictures, path), picture(mask, i), orientation);
  }
  const prepared = await preparePictures(wanted.map(({ path }) => join(pictures, path)));
  const library = openLibrary(join(folder, "library"), { mode: "write", holder: "dinoscope test" });
  const { db } = library;
  const source = ensureSource(db, pictures);
  const images = upsertImages(
    db,
    wanted.map(({ path }, i) => {
      const outcome = prepared[i];
      if (outcome?.ok !== true) throw new Error(`${path} was not prepared: ${JSON.stringify(outcome)}`);
      const { thumbnail: _, ...facts } = outcome.value;
      return { sourceId: source.id, path, modifiedAt: 1, problem: null, ...facts };
    }),
  );
  const ids = new Map(wanted.map(({ path }, i) => [path, images[i] ?? 0]));
  annotate(
    db,
    wanted.map(({ path, label }) => ({ imageId: ids.get(path) ?? 0, label })),
  );
  correctMasks(
    db,
    wanted.flatMap(({ path, mask }, i) => {
      const bitmap = masks[i];
      if (!mask || bitmap === undefined) return [];
      return [{ imageId: ids.get(path) ?? 0, ...drawnSize, runs: compressRuns(encodeRuns(bitmap)) }];
    }),
    { kind: "correct-masks", summary: "masks" },
  );
  const model = insertModel(db, newModel("plane", 3));
  insertEmbeddings(
    db,
    model.id,
    images.map((imageId, i) => ({ imageId, vector: Float32Array.of(Math.fround(i / 7), -i, 1e-7) })),
  );
  return { library, ids };
}
