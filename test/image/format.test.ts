import { expect, test } from "vitest";
import { isPictureFormat, sniffFormat } from "../../core/image/format.ts";
import { from, painted } from "./pictures.ts";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** An ISO media file's first box. */
const ftyp = (major: string, ...compatible: string[]): Uint8Array => {
  const body = `ftyp${major}\0\0\0\0${compatible.join("")}`;
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length + 4);
  return Buffer.concat([size, latin1(body), Buffer.alloc(64)]);
};

test.each(["jpeg", "png", "webp", "avif", "gif", "tiff"] as const)(
  "a %s file is known by its bytes",
  async (format) => {
    const bytes = await from(painted(4, 3, () => [10, 200, 30]))
      .toFormat(format)
      .toBuffer();
    expect(sniffFormat(bytes)).toBe(format);
    expect(isPictureFormat(sniffFormat(bytes))).toBe(true);
  },
);

test.each([
  ["a big-endian TIFF", "MM\0*\0\0\0\b", "tiff"],
  ["a little-endian BigTIFF", "II+\0\b\0\0\0", "tiff"],
  ["a big-endian BigTIFF", "MM\0+\0\b\0\0", "tiff"],
  ["a Canon raw file, although it starts like a TIFF", "II*\0\x10\0\0\0CR\x02\0", "camera-raw"],
  ["a BMP", "BM\x36\x10\0\0\0\0\0\0\x36\0\0\0", "bmp"],
  ["an icon", "\0\0\x01\0\x01\0", "ico"],
  ["JPEG 2000", "\0\0\0\fjP  \r\n\x87\n", "jp2"],
  ["a JPEG 2000 codestream", "\xff\x4f\xff\x51\0\x2f", "jp2"],
  ["JPEG XL", "\xff\x0a\0", "jxl"],
  ["a PDF", "%PDF-1.7\n", "pdf"],
  ["Photoshop", "8BPS\0\x01", "psd"],
  ["an SVG", '<svg xmlns="http://www.w3.org/2000/svg"/>', "svg"],
  ["an SVG behind a byte order mark and an XML head", '\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a -->\n<svg>', "svg"],
  ["a web page that shows an SVG tag", "<!DOCTYPE html><p>", "html"],
  ["text", "Just a few words.\r\n", "text"],
  ["text that speaks of <svg >", "How to write <svg >", "text"],
  ["a RIFF file that is not WebP", "RIFF\x10\0\0\0WAVEfmt ", "unknown"],
  ["a start that is cut off", "\x89PNG\r", "unknown"],
  ["nothing", "", "empty"],
])("%s is told apart", (_, start, format) => {
  expect(sniffFormat(latin1(start))).toBe(format);
});

test("AVIF, HEIC and video share a container and are told apart by their brands", () => {
  expect(sniffFormat(ftyp("avif", "mif1", "miaf"))).toBe("avif");
  expect(sniffFormat(ftyp("avis", "msf1"))).toBe("avif");
  expect(sniffFormat(ftyp("mif1", "avif"))).toBe("avif");
  expect(sniffFormat(ftyp("mif1", "heic"))).toBe("heic");
  expect(sniffFormat(ftyp("heix"))).toBe("heic");
  expect(sniffFormat(ftyp("isom", "mp41"))).toBe("video");
  expect(sniffFormat(ftyp("crx "))).toBe("camera-raw");
});

test("text that ends in the middle of a character is still text", () => {
  const bytes = new TextEncoder().encode(`x${"é".repeat(600)}`); // the 1024 bytes looked at end inside an é
  expect(sniffFormat(bytes)).toBe("text");
});
