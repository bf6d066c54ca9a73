import { CoreError } from "../util/errors.ts";
import { emptyBitmap, type Bitmap } from "./bitmap.ts";
import { labelComponents } from "./components.ts";

/** Corners of a closed line, x and y by turns, in pixels from the top left corner of the picture. */
export type Ring = readonly number[];

/** One connected part of a mask: its outline, and the outlines of its holes. */
export interface Polygon {
  readonly outline: Ring;
  readonly holes: readonly Ring[];
}

/** Steps along the sides of pixels: right, down, left, up. A ring has foreground at its right hand. */
const steps = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/**
 * The outlines of a mask along the sides of its pixels: nothing is lost, `bitmapOfPolygons` gives the mask back. One
 * polygon for each 4-connected part, in the order of their first pixel. Outlines run clockwise on the screen, holes
 * against it. Only corners are kept.
 */
export function polygonsOf(mask: Bitmap): Polygon[] {
  const { width, height, data } = mask;
  const { labels, areas } = labelComponents(mask);
  const parts = areas.slice(1).map(() => ({ outline: [] as Ring, holes: [] as Ring[] }));
  const followed = new Uint8Array(data.length);
  for (let pixel = 0; pixel < data.length; pixel++) {
    // Every ring has a side that is the top of a foreground pixel, and is found there once.
    if (data[pixel] !== 1 || followed[pixel] === 1 || (pixel >= width && data[pixel - width] === 1)) continue;
    const ring = follow(mask, pixel % width, Math.floor(pixel / width), (top) => (followed[top] = 1));
    const part = parts[(labels[pixel] ?? 0) - 1];
    if (part === undefined)
      throw new CoreError("internal", `Pixel ${pixel} of a ${width} x ${height} mask has no part.`);
    if (signedArea(ring) > 0) part.outline = ring;
    else part.holes.push(ring);
  }
  return parts;
}

/** The ring that starts along the top of a pixel; `onTop` hears of every pixel whose top it passes. */
function follow({ width, height, data }: Bitmap, startX: number, startY: number, onTop: (pixel: number) => void): Ring {
  const inside = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] === 1;
  const ring: number[] = [];
  let [x, y, direction] = [startX, startY, 0];
  let turned = true;
  do {
    if (turned) ring.push(x, y);
    if (direction === 0) onTop(y * width + x);
    const [dx, dy] = steps[direction] as (typeof steps)[number];
    x += dx;
    y += dy;
    // The pixels ahead, to the right and to the left: from the corner at (x, y), half a step on and half a step aside.
    const aheadX = x + (dx - dy - 1) / 2;
    const aheadY = y + (dy + dx - 1) / 2;
    const right = inside(aheadX, aheadY);
    const left = inside(aheadX + dy, aheadY - dx);
    // Right first: where two pixels touch at a corner only, the ring stays with its own part.
    const turn = right ? (left ? 3 : 0) : 1;
    turned = turn !== 0;
    direction = (direction + turn) % 4;
  } while (x !== startX || y !== startY || direction !== 0);
  return ring;
}

/** Area within a ring, positive where it runs clockwise on the screen. */
export function signedArea(ring: Ring): number {
  let sum = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    sum += (ring[i] ?? 0) * (ring[j + 1] ?? 0) - (ring[j] ?? 0) * (ring[i + 1] ?? 0);
  }
  return sum / 2;
}

/**
 * Crossings of edges with rows that the polygons of one picture may have. Outlines drawn by people have some ten in a row;
 * a file can ask for its number of corners times the picture's height, which no memory holds.
 */
const maxCrossings = 20_000_000;

/**
 * The mask of polygons with any corners: a pixel is foreground where its centre lies within an odd number of one
 * polygon's rings, or within another polygon. Throws `mask-invalid` for a ring of less than three corners, a corner that
 * is no finite number, and edges that go up and down more often than any outline does.
 */
export function bitmapOfPolygons(polygons: readonly Polygon[], width: number, height: number): Bitmap {
  const bitmap = emptyBitmap(width, height);
  let total = 0;
  for (const { outline, holes } of polygons) {
    const rings = [outline, ...holes];
    const wrong = rings.find((ring) => ring.length < 6 || ring.length % 2 !== 0 || !ring.every(Number.isFinite));
    if (wrong !== undefined) {
      throw new CoreError(
        "mask-invalid",
        `A polygon needs three corners at least, each with x and y: [${wrong.slice(0, 8).join()}].`,
      );
    }
    total += countCrossings(rings, height);
    if (total > maxCrossings) {
      throw new CoreError(
        "mask-invalid",
        `The polygons cross the rows of the picture more than ${maxCrossings} times.`,
      );
    }
    crossingsByRow(rings, height).forEach((crossings, y) => {
      crossings.sort((a, b) => a - b);
      for (let k = 0; k + 1 < crossings.length; k += 2) {
        const from = Math.max(0, Math.ceil((crossings[k] ?? 0) - 0.5));
        const to = Math.min(width, Math.ceil((crossings[k + 1] ?? 0) - 0.5));
        if (to > from) bitmap.data.fill(1, y * width + from, y * width + to);
      }
    });
  }
  return bitmap;
}

/** The rows whose middle an edge crosses: from the first to before the last. */
function rowsOfEdge(y0: number, y1: number, height: number): readonly [first: number, last: number] {
  const first = Math.max(0, Math.ceil(Math.min(y0, y1) - 0.5));
  return [first, Math.max(first, Math.min(height, Math.ceil(Math.max(y0, y1) - 0.5)))];
}

function countCrossings(rings: readonly Ring[], height: number): number {
  let count = 0;
  for (const ring of rings) {
    for (let i = 1; i < ring.length; i += 2) {
      const [first, last] = rowsOfEdge(ring[i] ?? 0, ring[(i + 2) % ring.length] ?? 0, height);
      count += last - first;
    }
  }
  return count;
}

/** Where the rings cross the middle of each row of pixels. */
function crossingsByRow(rings: readonly Ring[], height: number): Map<number, number[]> {
  const rows = new Map<number, number[]>();
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i += 2) {
      const j = (i + 2) % ring.length;
      const [x0, y0, x1, y1] = [ring[i] ?? 0, ring[i + 1] ?? 0, ring[j] ?? 0, ring[j + 1] ?? 0];
      const [first, last] = rowsOfEdge(y0, y1, height);
      for (let y = first; y < last; y++) {
        const crossing = x0 + ((y + 0.5 - y0) / (y1 - y0)) * (x1 - x0);
        const row = rows.get(y);
        if (row === undefined) rows.set(y, [crossing]);
        else row.push(crossing);
      }
    }
  }
  return rows;
}
