import { decodeRuns, type RunLengths } from "../masks/rle.ts";
import type { Polygon, Ring } from "../masks/polygons.ts";
import type { ExportObject } from "./records.ts";

/** A box in pixels from the top left corner of the upright picture. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The smallest box around a mask's foreground; null where it has none. */
export function boxOfRuns({ height, counts }: RunLengths): Box | null {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  let at = 0;
  counts.forEach((count, i) => {
    if (i % 2 === 1 && count > 0) {
      const last = at + count - 1;
      const [firstColumn, lastColumn] = [Math.floor(at / height), Math.floor(last / height)];
      left = Math.min(left, firstColumn);
      right = Math.max(right, lastColumn);
      // A run that goes on in the next column touches the bottom of one and the top of the other.
      top = firstColumn < lastColumn ? 0 : Math.min(top, at % height);
      bottom = firstColumn < lastColumn ? height - 1 : Math.max(bottom, last % height);
    }
    at += count;
  });
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The mask of a whole picture. */
export function fullRuns(width: number, height: number): RunLengths {
  return { width, height, counts: Uint32Array.of(0, width * height) };
}

/**
 * A polygon as one ring, for formats that know no holes: a cut leads from the outline to each hole and back. It has no
 * width, so filled by the even-odd or the non-zero rule the ring is the same mask.
 */
export function ringOf({ outline, holes }: Polygon): Ring {
  let ring = [...outline];
  for (const hole of holes) {
    const [x = 0, y = 0] = hole;
    let nearest = 0;
    let shortest = Infinity;
    // Only corners of the outline: cuts to cuts would make long detours.
    for (let i = 0; i < outline.length; i += 2) {
      const distance = Math.abs((outline[i] ?? 0) - x) + Math.abs((outline[i + 1] ?? 0) - y);
      if (distance < shortest) [shortest, nearest] = [distance, i];
    }
    const cut: [number, number] = [outline[nearest] ?? 0, outline[nearest + 1] ?? 0];
    const at = cornerAt(ring, cut);
    ring = [...ring.slice(0, at + 2), ...hole, x, y, ...cut, ...ring.slice(at + 2)];
  }
  return ring;
}

function cornerAt(ring: Ring, [x, y]: readonly [number, number]): number {
  for (let i = 0; i < ring.length; i += 2) if (ring[i] === x && ring[i + 1] === y) return i;
  return 0;
}

/**
 * Classes of a picture's pixels, row by row: 0 for background, 1 + class index elsewhere. Where objects overlap, the label
 * that stands first in the label tree wins.
 */
export function paintClasses(objects: readonly ExportObject[], width: number, height: number): Uint16Array {
  const painted = new Uint16Array(width * height);
  for (const { classIndex, runs } of objects.toSorted((a, b) => b.classIndex - a.classIndex)) {
    const { data } = decodeRuns(runs);
    for (let i = 0; i < data.length; i++) if (data[i] === 1) painted[i] = classIndex + 1;
  }
  return painted;
}
