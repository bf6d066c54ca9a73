import { expect, test } from "vitest";
import { hashDistance, perceptualHash } from "../../core/image/perceptual-hash.ts";
import { createRandom } from "../../core/util/random.ts";
import { painted } from "./pictures.ts";

const grey = (value: number): [number, number, number] => [value, value, value];

test("a picture that gets brighter to the right has every bit set, its mirror image none", () => {
  const brighter = painted(90, 40, (x) => grey(x * 2));
  const darker = painted(90, 40, (x) => grey(200 - x * 2));
  expect(perceptualHash(brighter.data, 90, 40)).toBe("f".repeat(16));
  expect(perceptualHash(darker.data, 90, 40)).toBe("0".repeat(16));
});

test("of a 9 x 8 picture, the bits are the comparisons of neighbouring pixels, row by row", () => {
  const random = createRandom(5);
  // Steps of 10 keep every comparison clear of the margin.
  const values = Array.from({ length: 72 }, () => random.integer(20) * 10);
  const bits = Array.from({ length: 64 }, (_, bit) => {
    const left = Math.floor(bit / 8) * 9 + (bit % 8);
    return (values[left + 1] ?? 0) > (values[left] ?? 0) ? "1" : "0";
  }).join("");
  const { data } = painted(9, 8, (x, y) => grey(values[y * 9 + x] ?? 0));
  expect(perceptualHash(data, 9, 8)).toBe(BigInt(`0b${bits}`).toString(16).padStart(16, "0"));
});

test("areas that end inside pixels weigh them by what they cover", () => {
  // 12 pixels over 9 areas: each covers 4/3 of a pixel. The first two see (40 + 120 / 3) / (4/3) = 60 and
  // (120 * 2/3) / (4/3) = 60, the rest 0: no step up, so no bit.
  const level = painted(12, 8, (x) => grey([40, 120][x] ?? 0));
  expect(perceptualHash(level.data, 12, 8)).toBe("0".repeat(16));
  // (40 + 130 / 3) / (4/3) = 62.5 and (130 * 2/3) / (4/3) = 65: a step of 2.5, above the margin of 2.
  const shifted = painted(12, 8, (x) => grey([40, 130][x] ?? 0));
  expect(perceptualHash(shifted.data, 12, 8)).toBe("80".repeat(8));
});

test("noise on a plain background sets no bit", () => {
  const random = createRandom(9);
  const { data } = painted(256, 256, () => grey(253 + random.integer(3)));
  expect(perceptualHash(data, 256, 256)).toBe("0".repeat(16));
});

test("a single pixel has a hash", () => {
  expect(perceptualHash(Uint8Array.of(1, 2, 3), 1, 1)).toBe("0".repeat(16));
});

test("the distance of two hashes is the number of bits that differ", () => {
  expect(hashDistance("0".repeat(16), "f".repeat(16))).toBe(64);
  expect(hashDistance("8000000000000001", "0000000000000000")).toBe(2);
  expect(hashDistance("dc40841404a4ccd8", "dc40841404a4ccd8")).toBe(0);
});
