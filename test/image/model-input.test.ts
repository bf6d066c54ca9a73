import { expect, test } from "vitest";
import { decodeForModel, imageNetNormalisation, writeModelInput } from "../../core/image/model-input.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOf, refusalOfAsync } from "../helpers/refusal.ts";
import { blobs, difference, from, painted, storedWithOrientation, temporaryFolder } from "./pictures.ts";
import type { RawPicture } from "./pictures.ts";

/** Keys' bicubic kernel with a = -0.5. */
function bicubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
  return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
}

/** One value of a line resized from `length` to `target`, antialiased: the kernel is as wide as the step between results. */
function resampled(read: (index: number) => number, length: number, target: number, index: number): number {
  const scale = length / target;
  const widening = Math.max(1, scale);
  const centre = (index + 0.5) * scale - 0.5;
  let sum = 0;
  let weights = 0;
  for (let i = Math.max(0, Math.ceil(centre - 2 * widening)); i <= Math.min(length - 1, centre + 2 * widening); i++) {
    const weight = bicubic((i - centre) / widening);
    sum += weight * read(i);
    weights += weight;
  }
  return sum / weights;
}

/** torchvision's Resize and CenterCrop, written as their documentation says, in floating point, pixel by pixel. */
function reference({ data, width, height }: RawPicture, resize: number, crop: number): Uint8Array {
  const short = Math.min(width, height);
  const target = [Math.trunc((resize * width) / short), Math.trunc((resize * height) / short)] as const;
  const left = Math.round((target[0] - crop) / 2 - 1e-9);
  const top = Math.round((target[1] - crop) / 2 - 1e-9);
  // Columns once for every row, then rows.
  const columns = Array.from({ length: crop }, (_, x) =>
    Array.from({ length: height * 3 }, (__, at) =>
      resampled((i) => data[(Math.floor(at / 3) * width + i) * 3 + (at % 3)] ?? 0, width, target[0], left + x),
    ),
  );
  const result = new Uint8ClampedArray(crop * crop * 3);
  for (let y = 0; y < crop; y++) {
    for (let x = 0; x < crop; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const value = resampled((i) => columns[x]?.[i * 3 + channel] ?? 0, height, target[1], top + y);
        result[(y * crop + x) * 3 + channel] = value;
      }
    }
  }
  return new Uint8Array(result.buffer);
}

/** Blobs with hard edges and single bright pixels: what a wrong kernel or a shift shows on. */
function detailed(width: number, height: number): RawPicture {
  const random = createRandom(8);
  const soft = blobs(width, height, 8);
  return painted(width, height, (x, y) => {
    if (random.next() < 0.02) return [255, 255, 255];
    const at = (y * width + x) * 3;
    const dark = (x >> 4) % 3 === (y >> 5) % 2;
    return [0, 1, 2].map((c) => (soft.data[at + c] ?? 0) * (dark ? 0.4 : 1)) as [number, number, number];
  });
}

test.each([
  // Tolerances: both round to bytes between the two directions, the reference does not; and libvips reduces by whole steps
  // with a box first where there is room for it.
  { name: "reduced a little", width: 120, height: 90, mean: 0.5, largest: 4 },
  { name: "reduced a lot", width: 500, height: 330, mean: 1, largest: 12 },
  { name: "enlarged", width: 50, height: 37, mean: 0.3, largest: 1 },
  { name: "left at its size", width: 64, height: 74, mean: 0, largest: 0 },
])(
  "a picture that is $name is what the official preprocessing makes of it",
  async ({ width, height, mean, largest }) => {
    const picture = detailed(width, height);
    const path = temporaryFolder().write("a.png", await from(picture).png().toBuffer());
    const found = difference(await decodeForModel(path, { resize: 64, crop: 56 }), reference(picture, 64, 56));
    expect(found.mean).toBeLessThanOrEqual(mean);
    expect(found.largest).toBeLessThanOrEqual(largest);
  },
);

test.each([
  [341, 58], // (341 - 224) / 2 = 58.5, and Python rounds a half to the even neighbour
  [343, 60], // 59.5
  [344, 60],
  [256, 16],
])("of a picture %i wide and 256 high, the crop starts at column %i", async (width, left) => {
  const path = temporaryFolder().write(
    "a.png",
    await from(painted(width, 256, (x, y) => [x % 256, x >> 8, y]))
      .png()
      .toBuffer(),
  );
  const rgb = await decodeForModel(path);
  expect(rgb).toHaveLength(224 * 224 * 3);
  expect([...rgb.subarray(0, 3)]).toEqual([left, 0, 16]);
  const last = left + 223;
  expect([...rgb.subarray(-3)]).toEqual([last % 256, last >> 8, 16 + 223]);
});

test.each([
  [300, 280],
  [90, 70],
  [3000, 60],
  [2001, 3],
])("all eight EXIF orientations of a picture of %i x %i are the same to a model", async (width, height) => {
  const { write } = temporaryFolder();
  const upright = blobs(width, height, 7);
  const views: Uint8Array[] = [];
  for (let orientation = 1; orientation <= 8; orientation++) {
    const bytes = await from(storedWithOrientation(upright, orientation))
      .png()
      .withMetadata({ orientation })
      .toBuffer();
    views.push(await decodeForModel(write(`${orientation}.png`, bytes)));
  }
  for (const view of views) {
    // Columns first or rows first differ in the rounding between the two, and libvips' fixed-point kernels in the last
    // level; a crop that starts half a pixel later is what a side of odd length leaves open.
    const apart = difference(view, views[0] ?? view);
    expect(apart.mean).toBeLessThan(1);
  }
});

test("of an extreme panorama the middle is seen as it would be without the rest", async () => {
  const { write } = temporaryFolder();
  const panorama = blobs(4000, 20, 11);
  const middle = painted(150, 20, (x, y) => {
    const at = (y * 4000 + (4000 - 150) / 2 + x) * 3;
    return [panorama.data[at] ?? 0, panorama.data[at + 1] ?? 0, panorama.data[at + 2] ?? 0];
  });
  const whole = await decodeForModel(write("whole.png", await from(panorama).png().toBuffer()));
  const part = await decodeForModel(write("part.png", await from(middle).png().toBuffer()));
  expect(difference(whole, part).largest).toBe(0);
});

test("a row of 60,000 pixels takes no more memory than it needs", async () => {
  const path = temporaryFolder().write(
    "a.png",
    await from(painted(60_000, 1, (x) => [x % 256, 0, 0]))
      .png()
      .toBuffer(),
  );
  const before = process.resourceUsage().maxRSS;
  expect(await decodeForModel(path)).toHaveLength(224 * 224 * 3);
  // In kilobytes; enlarged as a whole it would be 11.8 GB.
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(100_000);
});

test("a crop larger than the resized picture is refused", async () => {
  expect(await refusalOfAsync(() => decodeForModel("a.png", { resize: 200, crop: 224 }))).toMatch(
    /^option-invalid: .*224.*200/,
  );
});

test("model input is planar and normalised by the statistics of its channel", () => {
  const random = createRandom(3);
  const rgb = Uint8Array.from({ length: 5 * 3 }, () => random.integer(256));
  const target = new Float32Array(40).fill(7);
  writeModelInput(rgb, target, 20);
  const { mean, std } = imageNetNormalisation;
  for (const channel of [0, 1, 2] as const) {
    for (let pixel = 0; pixel < 5; pixel++) {
      const wanted = ((rgb[pixel * 3 + channel] ?? 0) / 255 - mean[channel]) / std[channel];
      expect(target[20 + channel * 5 + pixel]).toBeCloseTo(wanted, 5); // float32 of values below 3
    }
  }
  expect([...target.subarray(0, 20), ...target.subarray(35)].every((value) => value === 7)).toBe(true);
});

test("pixels that do not fit into the input are refused before anything is written", () => {
  const target = new Float32Array(10);
  expect(refusalOf(() => writeModelInput(new Uint8Array(9), target, 2))).toMatch(/^option-invalid: /);
  expect(refusalOf(() => writeModelInput(new Uint8Array(8), target, 0))).toMatch(/^option-invalid: /);
  expect(refusalOf(() => writeModelInput(new Uint8Array(3), target, -1))).toMatch(/^option-invalid: /);
});
