/** Pictures made for the tests of core/image. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { sharp } from "../../core/image/setup.ts";
import { createRandom } from "../../core/util/random.ts";

export interface RawPicture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

interface TemporaryFolder {
  readonly folder: string;
  /** Writes a file into it and returns its path. */
  readonly write: (name: string, bytes: Uint8Array | string) => string;
}

/** A folder that is gone when the test ends. */
export function temporaryFolder(): TemporaryFolder {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-pictures-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, bytes: Uint8Array | string): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  return { folder, write };
}

/** An RGB picture from a colour per place. */
export function painted(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): RawPicture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set(colour(x, y), (y * width + x) * 3);
  return { data, width, height };
}

/** A picture like a photo in what matters here: soft coloured blobs, nothing repeated, no two sides alike. */
export function blobs(width: number, height: number, seed: number): RawPicture {
  const random = createRandom(seed);
  const spots = Array.from({ length: 24 }, () => ({
    x: random.uniform(0, width),
    y: random.uniform(0, height),
    reach: random.uniform(0.08, 0.3) * Math.max(width, height),
    colour: [random.uniform(-90, 90), random.uniform(-90, 90), random.uniform(-90, 90)] as const,
  }));
  return painted(width, height, (x, y) => {
    const sum = [128, 128, 128] as [number, number, number];
    for (const spot of spots) {
      const weight = Math.exp(-((x - spot.x) ** 2 + (y - spot.y) ** 2) / (2 * (spot.reach / 2) ** 2));
      for (const channel of [0, 1, 2] as const) sum[channel] += weight * spot.colour[channel];
    }
    return sum.map((value) => Math.min(255, Math.max(0, Math.round(value)))) as [number, number, number];
  });
}

/** A sharp pipeline that starts from raw RGB pixels. */
export function from({ data, width, height }: RawPicture): ReturnType<typeof sharp> {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/**
 * How a camera that was held differently stores the same upright picture. EXIF 2.32, tag Orientation: which sides of the
 * upright picture the stored row 0 and column 0 are.
 */
export function storedWithOrientation(upright: RawPicture, orientation: number): RawPicture {
  const sides = {
    1: ["top", "left"],
    2: ["top", "right"],
    3: ["bottom", "right"],
    4: ["bottom", "left"],
    5: ["left", "top"],
    6: ["right", "top"],
    7: ["right", "bottom"],
    8: ["left", "bottom"],
  }[orientation];
  if (sides === undefined) throw new Error(`No such orientation: ${orientation}`);
  const { width, height, data } = upright;
  const [rowSide, columnSide] = sides;
  const sideways = orientation >= 5;
  const size = sideways ? { width: height, height: width } : { width, height };
  return painted(size.width, size.height, (column, row) => {
    const [x, y] = sideways ? [row, column] : [column, row];
    const uprightX = (sideways ? rowSide : columnSide) === "right" ? width - 1 - x : x;
    const uprightY = (sideways ? columnSide : rowSide) === "bottom" ? height - 1 - y : y;
    const at = (uprightY * width + uprightX) * 3;
    return [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
  });
}

/** Mean and largest absolute difference of two byte arrays of one length. */
export function difference(a: Uint8Array, b: Uint8Array): { mean: number; largest: number } {
  if (a.length !== b.length) throw new Error(`Different lengths: ${a.length} and ${b.length}`);
  let sum = 0;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const apart = Math.abs((a[i] ?? 0) - (b[i] ?? 0));
    sum += apart;
    largest = Math.max(largest, apart);
  }
  return { mean: sum / a.length, largest };
}
