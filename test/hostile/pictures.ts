/** Makers of hostile pictures: files of a few kilobytes that ask for gigabytes, or say that they are something else. */
import sharp from "sharp";
import { constants, crc32, deflateRawSync, deflateSync } from "node:zlib";
import { createRandom } from "../../core/util/random.ts";
import { pictureSize } from "./core.ts";

function pngChunk(type: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length);
  head.write(type, 4, "latin1");
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(Buffer.concat([head.subarray(4), body])));
  return Buffer.concat([head, body, check]);
}

/** A PNG of grey pixels with these chunks behind its header. */
function png(width: number, height: number, chunks: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([signature, pngChunk("IHDR", header), ...chunks, pngChunk("IEND", Buffer.alloc(0))]);
}

/** A zlib stream of some kilobytes for each of its gigabytes: a block of zeros that stands by itself, again and again. */
function zeros(gigabytes: number): Buffer {
  const block = deflateRawSync(Buffer.alloc(2 ** 24), { level: 9, finishFlush: constants.Z_FULL_FLUSH });
  const blocks = Array.from({ length: 64 * gigabytes }, () => block);
  return Buffer.concat([Buffer.from([0x78, 0x9c]), ...blocks, Buffer.from([3, 0, 0, 0, 0, 1])]);
}

const grey = (width: number, height: number): Buffer => deflateSync(Buffer.alloc((width + 1) * height));

function pngWithProfile(profile: Buffer): Buffer {
  const name = Buffer.from("bomb\0\0", "latin1");
  const idat = pngChunk("IDAT", grey(64, 64));
  return png(64, 64, [pngChunk("iCCP", Buffer.concat([name, profile])), idat]);
}

function pngWithText(text: Buffer): Buffer {
  const name = Buffer.from("Comment\0\0", "latin1");
  return png(64, 64, [pngChunk("zTXt", Buffer.concat([name, text])), pngChunk("IDAT", grey(64, 64))]);
}

function gif(width: number, height: number): Buffer {
  const sides = Buffer.alloc(4);
  sides.writeUInt16LE(width, 0);
  sides.writeUInt16LE(height, 2);
  const colours = Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
  const frame = Buffer.concat([Buffer.from([0x2c, 0, 0, 0, 0]), sides, Buffer.from([0, 2, 2, 0x4c, 1, 0])]);
  return Buffer.concat([Buffer.from("GIF89a"), sides, colours, frame, Buffer.from([0x3b])]);
}

/** A lossless WebP whose header declares 16,384 pixels a side, the most that it can. */
function webp(): Buffer {
  const bits = Buffer.alloc(24);
  bits[0] = 0x2f;
  bits.writeUInt32LE((16_383 | (16_383 << 14)) >>> 0, 1);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bits.length);
  const body = Buffer.concat([Buffer.from("WEBPVP8L"), size, bits]);
  const whole = Buffer.alloc(4);
  whole.writeUInt32LE(body.length);
  return Buffer.concat([Buffer.from("RIFF"), whole, body]);
}

/** A small AVIF whose properties declare another size. */
async function avif(width: number, height: number): Promise<Buffer> {
  const pixels = { create: { width: 32, height: 32, channels: 3 as const, background: "teal" } };
  const bytes = await sharp(pixels).avif({ effort: 0 }).toBuffer();
  const at = bytes.indexOf("ispe");
  bytes.writeUInt32BE(width, at + 8);
  bytes.writeUInt32BE(height, at + 12);
  return bytes;
}

/** A little-endian TIFF of one strip; `next` is where the following directory is said to lie. */
function tiff(width: number, height: number, next: number): Buffer {
  const fields: readonly (readonly [tag: number, type: number, value: number])[] = [
    [256, 4, width],
    [257, 4, height],
    [258, 3, 8],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 0],
    [277, 3, 1],
    [278, 4, height],
    [279, 4, width * height > 2 ** 31 ? 2 ** 31 : width * height],
  ];
  const head = Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0]);
  const directory = Buffer.alloc(2 + 12 * fields.length + 4);
  directory.writeUInt16LE(fields.length, 0);
  fields.forEach(([tag, type, value], i) => {
    const at = 2 + 12 * i;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(1, at + 4);
    directory.writeUInt32LE(tag === 273 ? head.length + directory.length : value, at + 8);
  });
  directory.writeUInt32LE(next, directory.length - 4);
  return Buffer.concat([head, directory, Buffer.alloc(Math.min(width * height, 4096))]);
}

/** A baseline JPEG with another size in its frame header. */
async function jpegOfSize(side: number): Promise<Buffer> {
  const bytes = await jpeg(false);
  const at = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  bytes.writeUInt16BE(side, at + 5);
  bytes.writeUInt16BE(side, at + 7);
  return bytes;
}

function jpeg(progressive: boolean): Promise<Buffer> {
  const random = createRandom(9);
  const { width, height } = pictureSize;
  const data = Uint8Array.from({ length: 3 * width * height }, () => random.integer(256));
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ progressive })
    .toBuffer();
}

/** A progressive JPEG whose last scan is there 20,000 times: each is a pass over the whole picture. */
async function scanBomb(): Promise<Buffer> {
  const bytes = await jpeg(true);
  const last = bytes.lastIndexOf(Buffer.from([0xff, 0xda]));
  const scan = bytes.subarray(last, bytes.length - 2);
  const side = 4000;
  const at = bytes.indexOf(Buffer.from([0xff, 0xc2]));
  bytes.writeUInt16BE(side, at + 5);
  bytes.writeUInt16BE(side, at + 7);
  return Buffer.concat([bytes.subarray(0, -2), ...Array.from({ length: 20_000 }, () => scan), bytes.subarray(-2)]);
}

/** An SVG that would read a file of the system and run a script, were it ever a page. */
const svg = (marker: string): string =>
  `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY file SYSTEM "file:///etc/hostname">]>` +
  `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>fetch("/library.overview")</script>` +
  `<image href="file://${marker}" width="9" height="9"/><text>&file;</text></svg>`;

/** A mask of the right size whose pixels unpack to gigabytes. */
export function maskBomb(): Buffer {
  return png(pictureSize.width, pictureSize.height, [pngChunk("IDAT", zeros(4))]);
}

/** A mask of a size that no picture has. */
export function vastMask(): Buffer {
  return png(60_000, 60_000, [pngChunk("IDAT", grey(64, 64))]);
}

/**
 * The hostile pictures by name, and the code with which each is refused. What is never read is no reason to refuse: text,
 * a profile that is none, later pages, and pixels beyond those that a header declares. Such a picture is "taken".
 */
export async function hostilePictures(
  marker: string,
): Promise<Readonly<Record<string, readonly [string, Uint8Array]>>> {
  const random = createRandom(4);
  const noise = Uint8Array.from({ length: 20_000 }, () => random.integer(256));
  const whole = await jpeg(false);
  const html = `<!doctype html><script>document.title = "run"</script>`;
  return {
    "declares.png": ["picture-too-large", png(60_000, 60_000, [pngChunk("IDAT", grey(64, 64))])],
    "unpacks.png": ["taken", png(64, 64, [pngChunk("IDAT", zeros(4))])],
    "profile.png": ["taken", pngWithProfile(zeros(4))],
    "text.png": ["taken", pngWithText(zeros(4))],
    "declares.gif": ["picture-too-large", gif(65_535, 65_535)],
    "declares.webp": ["picture-broken", webp()],
    "declares.avif": ["picture-too-large", await avif(65_535, 65_535)],
    "declares.tif": ["picture-too-large", tiff(100_000, 100_000, 0)],
    "loop.tif": ["taken", tiff(64, 64, 8)],
    "declares.jpg": ["picture-too-large", await jpegOfSize(65_500)],
    "scans.jpg": ["picture-broken", await scanBomb()],
    "cut.jpg": ["picture-broken", whole.subarray(0, whole.length >> 1)],
    "noise.jpg": ["picture-format", noise],
    "noise.png": ["picture-broken", Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), noise])],
    "drawing.png": ["picture-format", Buffer.from(svg(marker))],
    "drawing.svg": ["picture-format", Buffer.from(svg(marker))],
    "page.jpg": ["picture-format", Buffer.from(html)],
    "empty.jpg": ["picture-format", Buffer.alloc(0)],
  };
}
