import type { Bitmap } from "../masks/bitmap.ts";
import { bitmapOfPolygons, type Ring } from "../masks/polygons.ts";
import { decodeRuns, encodeRuns, type RunLengths } from "../masks/rle.ts";
import { CoreError } from "../util/errors.ts";

/** One shape of a mask: run lengths, or a ring that is filled by the even-odd rule. */
export type Shape = { readonly runs: RunLengths } | { readonly ring: Ring };

/** Shapes of one picture whose pixels are joined one by one: more than anybody outlines, little enough to be soon done. */
const maxShapes = 2000;

/**
 * Everything that one of the shapes covers; null for no shape. Run lengths must have that size. Throws `mask-invalid` for
 * a ring that is none, and for more shapes than a picture can have.
 */
export function unionOf(shapes: readonly Shape[], width: number, height: number): RunLengths | null {
  const [first] = shapes;
  if (first === undefined) return null;
  if (shapes.length > maxShapes) {
    throw new CoreError("mask-invalid", `The picture has ${shapes.length} shapes; up to ${maxShapes} are joined.`);
  }
  if (shapes.length === 1 && "runs" in first) return first.runs;
  const bitmap: Bitmap = bitmapOfPolygons(
    shapes.flatMap((shape) => ("ring" in shape ? [{ outline: shape.ring, holes: [] }] : [])),
    width,
    height,
  );
  for (const shape of shapes) {
    if ("runs" in shape) decodeRuns(shape.runs).data.forEach((value, i) => value === 1 && (bitmap.data[i] = 1));
  }
  return encodeRuns(bitmap);
}

/** The label that all things on a picture have, or a sentence where they have several: an image has one label. */
export function oneLabel(labels: readonly (readonly string[])[]): { label: readonly string[] } | { problem: string } {
  const distinct = new Map(labels.map((label) => [JSON.stringify(label), label]));
  const [label] = distinct.values();
  if (distinct.size === 1 && label !== undefined) return { label };
  const names = [...distinct.values()].slice(0, 5).map((path) => path.join("/").slice(0, 60));
  return { problem: `An image has one label; this one has things of ${distinct.size}: ${names.join(", ")}.` };
}
