/** Renders assets/icons/icon.svg into the icons of all platforms: `npm run icons`. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import sharp from "sharp";

interface Picture {
  readonly size: number;
  readonly png: Buffer;
}

/** Windows: a directory of 16 bytes an entry, then PNG files (since Vista). A size of 256 is written as 0. */
export function icoFile(pictures: readonly Picture[]): Buffer {
  const head = Buffer.alloc(6 + 16 * pictures.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(pictures.length, 4);
  let offset = head.length;
  pictures.forEach(({ size, png }, index) => {
    const at = 6 + 16 * index;
    head.writeUInt8(size % 256, at);
    head.writeUInt8(size % 256, at + 1);
    head.writeUInt16LE(1, at + 4);
    head.writeUInt16LE(32, at + 6);
    head.writeUInt32LE(png.length, at + 8);
    head.writeUInt32LE(offset, at + 12);
    offset += png.length;
  });
  return Buffer.concat([head, ...pictures.map(({ png }) => png)]);
}

/** The types under which macOS looks for PNG files of a size in an icns file. */
const icnsTypes: readonly (readonly [type: string, size: number])[] = [
  ["icp4", 16],
  ["icp5", 32],
  ["ic11", 32],
  ["ic12", 64],
  ["ic07", 128],
  ["ic08", 256],
  ["ic13", 256],
  ["ic09", 512],
  ["ic14", 512],
  ["ic10", 1024],
];

/** macOS: `icns`, the length of all, then for each picture its type and its length with both (big-endian). */
export function icnsFile(pictures: readonly Picture[]): Buffer {
  const parts = icnsTypes.flatMap(([type, size]) => {
    const png = pictures.find((picture) => picture.size === size)?.png;
    return png === undefined ? [] : [chunk(type, png)];
  });
  return chunk("icns", Buffer.concat(parts));
}

function chunk(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(type, "latin1");
  head.writeUInt32BE(body.length + 8, 4);
  return Buffer.concat([head, body]);
}

if (import.meta.main) {
  const folder = resolve(import.meta.dirname, "../assets/icons");
  const svg = readFileSync(resolve(folder, "icon.svg"));
  const render = async (size: number): Promise<Picture> => ({
    size,
    png: await sharp(svg, { density: (72 * Math.max(size, 512)) / 512 })
      .resize(size)
      .png({ compressionLevel: 9 })
      .toBuffer(),
  });
  const sizes = [16, 24, 32, 48, 64, 128, 256, 512, 1024];
  const pictures = await Promise.all(sizes.map(render));
  const largest = pictures.find(({ size }) => size === 512);
  if (largest !== undefined) writeFileSync(resolve(folder, "icon.png"), largest.png);
  writeFileSync(resolve(folder, "icon.ico"), icoFile(pictures.filter(({ size }) => size <= 256)));
  writeFileSync(resolve(folder, "icon.icns"), icnsFile(pictures));
}
