import { describe, expect, test } from "vitest";
import { decodeForModel } from "../../core/image/model-input.ts";
import { preparePicture } from "../../core/image/prepare.ts";
import { sharp } from "../../core/image/setup.ts";
import { from, painted, temporaryFolder } from "./pictures.ts";

/** The colour in the middle of a picture as a model sees it: decoded without another lossy step. */
async function colourOf(bytes: Uint8Array, name = "picture"): Promise<number[]> {
  const rgb = await decodeForModel(temporaryFolder().write(name, bytes));
  const middle = (112 * 224 + 112) * 3;
  return [...rgb.subarray(middle, middle + 3)];
}

function expectColour(found: number[], wanted: readonly number[], tolerance: number): void {
  for (const channel of [0, 1, 2]) {
    const apart = Math.abs((found[channel] ?? Number.NaN) - (wanted[channel] ?? Number.NaN));
    expect(apart, `${found.join(" ")} instead of ${wanted.join(" ")}`).toBeLessThanOrEqual(tolerance);
  }
}

const flat = (...colour: [number, number, number]): ReturnType<typeof sharp> => from(painted(40, 30, () => colour));

const flat16 = (...colour: [number, number, number]): ReturnType<typeof sharp> => {
  const data = Uint16Array.from({ length: 40 * 30 * 3 }, (_, i) => colour[i % 3] ?? 0);
  return sharp(data, { raw: { width: 40, height: 30, channels: 3 } }).toColourspace("rgb16");
};

/** Display P3 to sRGB, values from 0 to 1: both have sRGB's curve and white, the matrix is that of CSS Color 4. */
function displayP3ToSrgb(colour: readonly number[]): number[] {
  const linear = colour.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  const matrix = [
    [1.2249401762, -0.2249401762, 0],
    [-0.0420569547, 1.0420569547, 0],
    [-0.0196375546, -0.0786360456, 1.0982736001],
  ];
  return matrix.map((row) => {
    const v = row.reduce((sum, weight, i) => sum + weight * (linear[i] ?? 0), 0);
    return v <= 0.0031308 ? 12.92 * Math.max(0, v) : 1.055 * v ** (1 / 2.4) - 0.055;
  });
}

describe("every kind of colour ends as upright 8-bit sRGB:", () => {
  test("alpha is laid on white", async () => {
    const data = Uint8Array.from({ length: 40 * 30 * 4 }, (_, i) => [200, 0, 100, 102][i % 4] ?? 0);
    const png = await sharp(data, { raw: { width: 40, height: 30, channels: 4 } })
      .png()
      .toBuffer();
    // 102 / 255 = 0.4 of the colour and 0.6 of white; 1 for rounding.
    expectColour(await colourOf(png), [0.4 * 200 + 153, 153, 0.4 * 100 + 153], 1);
  });

  test("grey has three equal channels", async () => {
    const grey = flat(90, 90, 90).toColourspace("b-w");
    expectColour(await colourOf(await grey.clone().png().toBuffer()), [90, 90, 90], 0);
    expectColour(await colourOf(await grey.clone().jpeg().toBuffer()), [90, 90, 90], 1);
  });

  test("a palette is resolved", async () => {
    const png = await flat(30, 160, 220).png({ palette: true }).toBuffer();
    expectColour(await colourOf(png), [30, 160, 220], 2); // the palette's own quantisation
  });

  test("16 bits keep their upper half", async () => {
    const png = await flat16(60000, 20000, 10000).png().toBuffer();
    expect((await sharp(png).metadata()).depth).toBe("ushort");
    expectColour(await colourOf(png), [60000 / 257, 20000 / 257, 10000 / 257], 1);
    const tiff = await flat16(60000, 20000, 10000).tiff({ compression: "none" }).toBuffer();
    expectColour(await colourOf(tiff), [60000 / 257, 20000 / 257, 10000 / 257], 1);
  });

  test("CMYK comes back as the colour it was made from", async () => {
    const jpeg = await flat(150, 120, 110).toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(jpeg).metadata()).space).toBe("cmyk");
    // Two table look-ups in 8 bits; inverted inks or channels in another order are 30 levels and more away.
    expectColour(await colourOf(jpeg), [150, 120, 110], 6);
  });

  test("Lab comes back as the colour it was made from", async () => {
    const tiff = await flat(150, 90, 60).toColourspace("lab").tiff({ compression: "none" }).toBuffer();
    expect((await sharp(tiff).metadata()).space).toMatch(/^lab/);
    expectColour(await colourOf(tiff), [150, 90, 60], 2);
  });

  test.each([8, 16])("Display P3 in %i bits is converted by its profile", async (bits) => {
    const picture = bits === 8 ? flat(220, 120, 60) : flat16(60000, 30000, 15000);
    const png = await picture.withIccProfile("p3").png().toBuffer();
    const stored = await sharp(png, { ignoreIcc: true }).toColourspace("rgb16").raw({ depth: "ushort" }).toBuffer();
    const p3 = [...new Uint16Array(stored.buffer, stored.byteOffset, 3)].map((value) => value / 65535);
    const wanted = displayP3ToSrgb(p3).map((value) => Math.min(255, value * 255));
    // The stored numbers alone would be 10 levels and more away in some channel.
    expect(Math.max(...p3.map((value, i) => Math.abs(value * 255 - (wanted[i] ?? 0))))).toBeGreaterThan(10);
    expectColour(await colourOf(png), wanted, 3);
  });
});

describe("of several frames or pages only the first counts:", () => {
  const frames = async (): Promise<Buffer[]> =>
    Promise.all([
      flat(220, 40, 40).png().toBuffer(),
      flat(40, 40, 220).png().toBuffer(),
      flat(40, 220, 40).png().toBuffer(),
    ]);

  test.each(["gif", "webp"] as const)("in an animated %s", async (format) => {
    const bytes = await sharp(await frames(), { join: { animated: true } })
      .toFormat(format)
      .toBuffer();
    expect((await sharp(bytes).metadata()).pages).toBe(3);
    expectColour(await colourOf(bytes), [220, 40, 40], 8); // WebP is lossy, GIF has a palette
    const outcome = await preparePicture(temporaryFolder().write("a", bytes));
    expect(outcome).toMatchObject({ ok: true, value: { format, width: 40, height: 30 } });
  });

  test("in an AVIF file that calls itself a sequence, which libvips by itself does not know", async () => {
    const bytes = await flat(220, 40, 40).avif({ effort: 0 }).toBuffer();
    bytes.write("avis", 8, "latin1");
    await expect(sharp(bytes).metadata()).rejects.toThrow();
    expectColour(await colourOf(bytes), [220, 40, 40], 8);
    expect(await preparePicture(temporaryFolder().write("a", bytes))).toMatchObject({
      ok: true,
      value: { format: "avif" },
    });
  });
});
