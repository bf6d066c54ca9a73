import { inflateSync } from "node:zlib";
import { CoreError } from "../util/errors.ts";

/** A PNG picture with its numbers as stored: grey values or palette indexes, or the brightest of red, green and blue. */
export interface PngValues {
  readonly width: number;
  readonly height: number;
  /** Row by row. */
  readonly data: Uint16Array;
  readonly depth: number;
  /** Whether the values are exact: grey or palette, not mixed from colours. */
  readonly exact: boolean;
}

/** What the header says. */
interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
}

const signature = "89504e470d0a1a0a";

/** Numbers a pixel by colour type: grey, RGB, palette, grey and alpha, RGB and alpha; and the depths each may have. */
const colourTypes: ReadonlyMap<number, { readonly channels: number; readonly depths: readonly number[] }> = new Map([
  [0, { channels: 1, depths: [1, 2, 4, 8, 16] }],
  [2, { channels: 3, depths: [8, 16] }],
  [3, { channels: 1, depths: [1, 2, 4, 8] }],
  [4, { channels: 2, depths: [8, 16] }],
  [6, { channels: 4, depths: [8, 16] }],
]);

/**
 * Reads a PNG that is a mask (PNG specification, third edition). Picture decoders turn indexes into colours and 16 bits
 * into 8; a mask needs the numbers themselves. The size must be that of its picture, and is checked before anything is
 * unpacked; what unpacks to more is refused. Interlaced files are refused. Throws `png-invalid`, `mask-size`.
 */
export function decodePng(bytes: Uint8Array, wanted: { readonly width: number; readonly height: number }): PngValues {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.toString("hex", 0, 8) !== signature) throw invalid("it does not start as one");
  const { header, data } = readChunks(file);
  const { width, height, depth, colour } = header;
  if (width !== wanted.width || height !== wanted.height) {
    throw new CoreError(
      "mask-size",
      `The mask has ${width} x ${height} pixels, the upright picture ${wanted.width} x ${wanted.height}.`,
    );
  }
  const { channels } = colourTypes.get(colour) ?? { channels: 1 };
  const stride = Math.ceil((width * channels * depth) / 8);
  const raw = inflate(data, (stride + 1) * height);
  unfilter(raw, stride, height, Math.max(1, (channels * depth) / 8));
  const values = new Uint16Array(width * height);
  const colours = channels >= 3 ? 3 : 1;
  for (let y = 0; y < height; y++) {
    const row = raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    for (let x = 0; x < width; x++) {
      let value = 0;
      for (let channel = 0; channel < colours; channel++) {
        value = Math.max(value, sample(row, x * channels + channel, depth));
      }
      values[y * width + x] = value;
    }
  }
  return { width, height, data: values, depth, exact: channels === 1 };
}

function readChunks(file: Buffer): { header: Header; data: Buffer } {
  let header: Header | undefined;
  const parts: Buffer[] = [];
  for (let at = 8; at + 12 <= file.length;) {
    const length = file.readUInt32BE(at);
    const type = file.toString("latin1", at + 4, at + 8);
    if (at + 12 + length > file.length) throw invalid("it ends early");
    const chunk = file.subarray(at + 8, at + 8 + length);
    if (type === "IHDR" && header === undefined && length === 13) header = readHeader(chunk);
    if (type === "IDAT") parts.push(chunk);
    if (type === "IEND") break;
    at += 12 + length;
  }
  if (header === undefined || parts.length === 0) throw invalid("it has no header or no pixels");
  return { header, data: Buffer.concat(parts) };
}

function readHeader(chunk: Buffer): Header {
  const [depth = 0, colour = 0, compression, filter, interlace] = chunk.subarray(8);
  const known = colourTypes.get(colour)?.depths.includes(depth) === true && compression === 0 && filter === 0;
  if (!known) throw invalid(`it has an unknown kind of pixels (${depth} bits, colour type ${colour})`);
  if (interlace !== 0) throw invalid("it is interlaced, which masks may not be");
  return { width: chunk.readUInt32BE(0), height: chunk.readUInt32BE(4), depth, colour };
}

function inflate(data: Buffer, size: number): Buffer {
  try {
    const raw = inflateSync(data, { maxOutputLength: size });
    if (raw.length === size) return raw;
  } catch (cause) {
    throw invalid("its pixels cannot be unpacked", cause);
  }
  throw invalid("it has too few pixels");
}

/** Undoes the filter of each row in place (specification, section 9). */
function unfilter(raw: Buffer, stride: number, height: number, step: number): void {
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1) + 1;
    const type = raw[start - 1] ?? 0;
    if (type > 4) throw invalid(`row ${y} has an unknown filter`);
    for (let i = 0; type !== 0 && i < stride; i++) {
      const left = i >= step ? (raw[start + i - step] ?? 0) : 0;
      const above = y > 0 ? (raw[start + i - stride - 1] ?? 0) : 0;
      const corner = y > 0 && i >= step ? (raw[start + i - stride - 1 - step] ?? 0) : 0;
      const predicted = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][type] ?? 0;
      raw[start + i] = ((raw[start + i] ?? 0) + predicted) & 255;
    }
  }
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

function sample(row: Buffer, index: number, depth: number): number {
  if (depth === 8) return row[index] ?? 0;
  if (depth === 16) return ((row[2 * index] ?? 0) << 8) | (row[2 * index + 1] ?? 0);
  const bit = index * depth;
  return ((row[bit >> 3] ?? 0) >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}

function invalid(problem: string, cause?: unknown): CoreError {
  return new CoreError("png-invalid", `The mask is no PNG that can be read: ${problem}.`, { cause });
}
