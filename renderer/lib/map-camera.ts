/** Where the map is looked at: arithmetic between its own units and pixels. y goes up on the map and down on screen. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A view of the map: its middle in the map's units, and pixels a unit. */
export interface Camera extends Point {
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Bounds {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
}

/** Room left free around all points, in pixels. */
const margin = 36;

/** The smallest box around points. Without any: the unit square. */
export function boundsOf(xs: Float32Array, ys: Float32Array): Bounds {
  if (xs.length === 0) return { left: 0, right: 1, bottom: 0, top: 1 };
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let at = 0; at < xs.length; at++) {
    const x = xs[at] ?? 0;
    const y = ys[at] ?? 0;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < bottom) bottom = y;
    if (y > top) top = y;
  }
  return { left, right, bottom, top };
}

/**
 * The camera that shows a box whole, left of `covered` pixels at the right edge. A box of one point gets a unit around it.
 */
export function fitted({ left, right, bottom, top }: Bounds, { width, height }: Size, covered = 0): Camera {
  const room = (pixels: number): number => Math.max(16, pixels - 2 * margin);
  const wide = right > left ? right - left : 1;
  const tall = top > bottom ? top - bottom : 1;
  const scale = Math.min(room(width - covered) / wide, room(height) / tall);
  return { x: (left + right) / 2 + covered / 2 / scale, y: (bottom + top) / 2, scale };
}

export function toScreen(camera: Camera, size: Size, { x, y }: Point): Point {
  return { x: (x - camera.x) * camera.scale + size.width / 2, y: (camera.y - y) * camera.scale + size.height / 2 };
}

export function toMap(camera: Camera, size: Size, { x, y }: Point): Point {
  return { x: (x - size.width / 2) / camera.scale + camera.x, y: camera.y - (y - size.height / 2) / camera.scale };
}

/** Moves what is shown by so many pixels. */
export function panned(camera: Camera, dx: number, dy: number): Camera {
  return { ...camera, x: camera.x - dx / camera.scale, y: camera.y + dy / camera.scale };
}

/** Zooms by a factor; what is under `anchor`, in pixels, stays there. `limits` are pixels a unit. */
export function zoomed(
  camera: Camera,
  size: Size,
  { anchor, factor, limits }: { anchor: Point; factor: number; limits: { least: number; most: number } },
): Camera {
  const scale = Math.min(limits.most, Math.max(limits.least, camera.scale * factor));
  const held = toMap(camera, size, anchor);
  return {
    x: held.x - (anchor.x - size.width / 2) / scale,
    y: held.y + (anchor.y - size.height / 2) / scale,
    scale,
  };
}

/** Moves as little as brings a point inside, some way from the edge. */
export function withPoint(camera: Camera, size: Size, point: Point): Camera {
  const { x, y } = toScreen(camera, size, point);
  const inside = (value: number, length: number): number =>
    value < margin ? margin - value : value > length - margin ? length - margin - value : 0;
  return panned(camera, inside(x, size.width), inside(y, size.height));
}

/** A camera as short text for links, and back; null for other text. */
export function cameraToText({ x, y, scale }: Camera): string {
  return [x, y, scale].map((value) => Number(value.toPrecision(5))).join(",");
}

export function cameraFromText(text: string): Camera | null {
  const [x, y, scale, ...more] = text.split(",").map(Number);
  const known = [x, y, scale].every((value) => value !== undefined && Number.isFinite(value)) && more.length === 0;
  return known && scale !== undefined && scale > 0 ? { x: x ?? 0, y: y ?? 0, scale } : null;
}
