/** Reads COCO files by the format's description alone (cocodataset.org, "Data format"), without a line of what wrote them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

/** An image with its one object. */
export interface CocoImage {
  readonly id: number;
  /** Name of its file in `images`. */
  readonly file: string;
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** Names of its label and of those above it, with slashes. */
  readonly label: string;
  /** 1 in the object and 0 elsewhere, down the columns. */
  readonly pixels: Uint8Array;
}

const integer = v.pipe(v.number(), v.integer(), v.minValue(0));
const cocoFile = v.object({
  categories: v.array(v.object({ id: integer, name: v.string(), label_path: v.array(v.string()) })),
  images: v.array(
    v.object({ id: integer, file_name: v.string(), width: integer, height: integer, original_path: v.string() }),
  ),
  annotations: v.array(
    v.object({
      image_id: integer,
      category_id: integer,
      bbox: v.tuple([integer, integer, integer, integer]),
      area: integer,
      segmentation: v.object({ size: v.tuple([integer, integer]), counts: v.string() }),
    }),
  ),
});

/**
 * The images of one part of an export in `folder`. Throws for a file that is not COCO, an image without exactly one
 * object, and an area or a box that is not that of the mask.
 */
export function readCoco(folder: string, part: string): CocoImage[] {
  const text = readFileSync(join(folder, "annotations", `instances_${part}.json`), "utf8");
  const { categories, images, annotations } = v.parse(cocoFile, JSON.parse(text));
  return images.map(({ id, file_name: file, width, height, original_path: path }) => {
    const [object, ...others] = annotations.filter(({ image_id: imageId }) => imageId === id);
    const category = categories.find((one) => one.id === object?.category_id);
    if (object === undefined || category === undefined || others.length > 0) {
      throw new Error(`${path} has not one object with a category.`);
    }
    const [rows, columns] = object.segmentation.size;
    if (rows !== height || columns !== width) throw new Error(`The mask of ${path} has another size than its picture.`);
    const pixels = pixelsOf(object.segmentation.counts, width * height);
    const { area, box } = measured(pixels, height);
    if (area !== object.area || box.join() !== object.bbox.join()) {
      throw new Error(
        `${path}: area ${object.area} and box ${object.bbox.join()}, but the mask has ${area}, ${box.join()}.`,
      );
    }
    return { id, file, path, width, height, label: category.label_path.join("/"), pixels };
  });
}

/** Writes the runs of COCO's compressed text out, pixel by pixel, background first. */
function pixelsOf(text: string, count: number): Uint8Array {
  const digits = [...text].map((sign) => sign.charCodeAt(0) - 48);
  const numbers: number[] = [];
  for (let at = 0; at < digits.length;) {
    const end = digits.findIndex((digit, place) => place >= at && digit < 32);
    const group = digits.slice(at, end + 1).map((digit) => digit % 32);
    const value = group.reduce((sum, digit, place) => sum + digit * 32 ** place, 0);
    // Two's complement: the highest bit of the last digit is the sign.
    numbers.push((group.at(-1) ?? 0) >= 16 ? value - 32 ** group.length : value);
    at = end + 1;
  }
  const lengths: number[] = [];
  for (const [at, number] of numbers.entries()) lengths.push(at > 2 ? number + (lengths[at - 2] ?? 0) : number);
  const pixels = new Uint8Array(count);
  let place = 0;
  for (const [run, length] of lengths.entries()) {
    pixels.fill(run % 2, place, place + length);
    place += length;
  }
  if (place !== count) throw new Error(`The runs have ${place} pixels, the picture ${count}.`);
  return pixels;
}

/** Pixels in the object, and its box as left, top, width, height. */
function measured(pixels: Uint8Array, height: number): { area: number; box: [number, number, number, number] } {
  let area = 0;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [at, value] of pixels.entries()) {
    if (value === 0) continue;
    const [x, y] = [Math.floor(at / height), at % height];
    area++;
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  return { area, box: area === 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1] };
}
