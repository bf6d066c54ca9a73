import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { encodePng } from "../../core/exports/png.ts";
import { decodePng } from "../../core/imports/png.ts";
import { createRandom } from "../../core/util/random.ts";
import { refusalOf } from "../helpers/refusal.ts";

const sizes = fc.record({ width: fc.integer({ min: 1, max: 40 }), height: fc.integer({ min: 1, max: 40 }) });

function values(seed: number, count: number, bound: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.integer(bound));
}

describe("PNG files", () => {
  test("libpng, by way of sharp, reads the values that were written, at 1, 8 and 16 bits", async () => {
    for (const [depth, bound] of [
      [1, 2],
      [8, 256],
      [16, 65536],
    ] as const) {
      const [width, height] = [37, 11];
      const list = values(depth, width * height, bound);
      const data = depth === 16 ? Uint16Array.from(list) : Uint8Array.from(list);
      const png = encodePng({ width, height, data, depth });
      const raw = await sharp(png)
        .toColourspace(depth === 16 ? "grey16" : "b-w")
        .raw({ depth: depth === 16 ? "ushort" : "uchar" })
        .toBuffer();
      const read = depth === 16 ? new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2) : raw;
      // One bit is black or white to a decoder.
      expect([...read].map((value) => (depth === 1 ? value / 255 : value))).toEqual(list);
    }
  });

  test("what sharp writes is read as it was, whatever the filters of its rows", async () => {
    for (const palette of [false, true]) {
      const [width, height] = [29, 31];
      const list = values(3, width * height, 6).map((value) => 40 * value);
      const grey = sharp(Uint8Array.from(list), { raw: { width, height, channels: 1 } });
      const png = await grey.png({ adaptiveFiltering: true, palette, progressive: false }).toBuffer();
      const read = decodePng(png, { width, height });
      if (!palette) expect([...read.data]).toEqual(list);
      else expect(new Set(read.data).size).toBe(new Set(list).size);
    }
  });

  test("colours are read by their brightest channel, for masks that painting programs saved", async () => {
    const rgba = Uint8Array.from([255, 255, 255, 255, 0, 0, 0, 255, 200, 10, 10, 255, 0, 0, 0, 0]);
    const png = await sharp(rgba, { raw: { width: 2, height: 2, channels: 4 } })
      .png()
      .toBuffer();
    expect(decodePng(png, { width: 2, height: 2 })).toMatchObject({
      data: Uint16Array.of(255, 0, 200, 0),
      exact: false,
    });
  });

  test("a round trip gives the values back", () => {
    fc.assert(
      fc.property(
        sizes,
        fc.constantFrom(1 as const, 8 as const, 16 as const),
        fc.integer(),
        ({ width, height }, depth, seed) => {
          const list = values(seed, width * height, 2 ** depth);
          const data = depth === 16 ? Uint16Array.from(list) : Uint8Array.from(list);
          expect([...decodePng(encodePng({ width, height, data, depth }), { width, height }).data]).toEqual(list);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("files of another size, cut short, or that unpack to more are refused before they cost memory", () => {
    const png = encodePng({ width: 20, height: 20, data: new Uint8Array(400), depth: 8 });
    expect(refusalOf(() => decodePng(png, { width: 21, height: 20 }))).toContain("mask-size");
    for (let length = 0; length < png.length - 12; length++) {
      expect(refusalOf(() => decodePng(png.subarray(0, length), { width: 20, height: 20 }))).toContain("png-invalid");
    }
    const bomb = encodePng({ width: 5000, height: 5000, data: new Uint8Array(25_000_000), depth: 8 });
    // The header of the small one before the pixels of the large one.
    const mixed = Buffer.concat([png.subarray(0, 33), bomb.subarray(33)]);
    expect(refusalOf(() => decodePng(mixed, { width: 20, height: 20 }))).toContain("png-invalid");
  });

  test("damaged bytes are refused or read, and nothing else", () => {
    const png = encodePng({ width: 9, height: 9, data: Uint8Array.from(values(1, 81, 256)), depth: 8 });
    fc.assert(
      fc.property(fc.nat(png.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Uint8Array.from(png);
        damaged[at] = byte;
        try {
          expect(decodePng(damaged, { width: 9, height: 9 }).data.length).toBe(81);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(png-invalid|mask-size)$/) as string });
        }
      }),
      { numRuns: 300 },
    );
  });
});
