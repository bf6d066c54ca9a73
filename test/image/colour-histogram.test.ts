import { expect, test } from "vitest";
import { colourHistogram } from "../../core/image/colour-histogram.ts";
import { refusalOfAsync } from "../helpers/refusal.ts";
import { from, painted } from "./pictures.ts";

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

test("three quarters of red and a quarter of blue fill two bins with the roots of their shares", async () => {
  const png = await from(painted(8, 4, (x) => (x < 6 ? [255, 0, 0] : [0, 31, 32])))
    .png()
    .toBuffer();
  const histogram = await colourHistogram(png);
  expect(histogram).toHaveLength(512);
  // Bin numbers are octal: red, green, blue.
  expect(histogram[0o700]).toBeCloseTo(Math.sqrt(0.75), 6);
  expect(histogram[0o001]).toBeCloseTo(0.5, 6);
  expect(dot(histogram, histogram)).toBeCloseTo(1, 6);
});

test("pictures without a common colour have a product of 0", async () => {
  const of = async (colour: [number, number, number]): Promise<Float32Array> =>
    colourHistogram(
      await from(painted(4, 4, () => colour))
        .webp({ lossless: true })
        .toBuffer(),
    );
  expect(dot(await of([250, 250, 250]), await of([5, 5, 5]))).toBe(0);
});

test("bytes that are no picture are refused", async () => {
  expect(await refusalOfAsync(() => colourHistogram(Uint8Array.of(1, 2, 3)))).toMatch(/^picture-broken: /);
});
