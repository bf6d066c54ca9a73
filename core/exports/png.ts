/**
 * PNG files of one channel, written with node:zlib: exports so need no engine, and index and 16-bit pictures come out
 * exactly as given, without a colour pipeline in between. (PNG specification, third edition, sections 5, 7 and 11.)
 */
import { crc32, deflateSync } from "node:zlib";
import { CoreError } from "../util/errors.ts";

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Red, green and blue of each index. */
export type Palette = readonly (readonly [number, number, number])[];

export interface GreyPicture {
  readonly width: number;
  readonly height: number;
  /** Row by row: bytes for a depth of 1 (0 or 1) and 8, 16-bit numbers for 16. */
  readonly data: Uint8Array | Uint16Array;
  readonly depth: 1 | 8 | 16;
  /** For a depth of 8: colours that viewers show for the values, which stay as they are. */
  readonly palette?: Palette;
}

/** A grey or index picture as the bytes of a PNG file. Throws `picture-size` where the data do not fill it. */
export function encodePng({ width, height, data, depth, palette }: GreyPicture): Uint8Array {
  const fits = (depth === 16) === data instanceof Uint16Array && data.length === width * height && data.length > 0;
  if (!fits) {
    throw new CoreError(
      "picture-size",
      `A picture of ${width} x ${height} needs as many values, found ${data.length}.`,
    );
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, palette === undefined ? 0 : 3, 0, 0, 0], 8);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    ...(palette === undefined ? [] : [chunk("PLTE", Uint8Array.from(palette.flat()))]),
    chunk("IDAT", deflateSync(scanlines(width, height, data, depth))),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** Rows, each behind its filter: none, which suits masks (their runs compress as they are). */
function scanlines(width: number, height: number, data: Uint8Array | Uint16Array, depth: 1 | 8 | 16): Uint8Array {
  const stride = 1 + Math.ceil((width * depth) / 8);
  const rows = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const start = y * stride + 1;
    if (depth === 8) {
      rows.set(data.subarray(y * width, (y + 1) * width), start);
      continue;
    }
    for (let x = 0; x < width; x++) {
      const value = data[y * width + x] ?? 0;
      if (depth === 16) rows.writeUInt16BE(value, start + 2 * x);
      else if (value !== 0) rows[start + (x >> 3)] = (rows[start + (x >> 3)] ?? 0) | (0x80 >> (x & 7));
    }
  }
  return rows;
}

/** Length, type, data, and a checksum of type and data. */
function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}
