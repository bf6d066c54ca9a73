import { CoreError } from "../util/errors.ts";
import { shapeText, valueCount } from "./numbers.ts";

/** Bytes of one number of every type that safetensors names and this reader knows. */
const bytesOfType = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

export type SafetensorsType = keyof typeof bytesOfType;

/** Where one tensor lies. `start` and `end` are byte offsets from the beginning of the file. */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** What a safetensors file holds, without its values. */
export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

/**
 * Bytes: room for some 50,000 tensors, where a full checkpoint has 2,000. The format's own reader takes 100 MB, but JSON of
 * that size, made for it, was measured to take 3 GB and minutes to parse.
 */
const longestHeader = 8 * 2 ** 20;
const mostSides = 16;

const invalid = (path: string, what: string, cause?: unknown): CoreError =>
  new CoreError("safetensors-invalid", `${path} is not a valid safetensors file: ${what}.`, {
    hint: "The file is damaged or of another format; fetch it again.",
    ...(cause === undefined ? {} : { cause }),
  });

/**
 * The length in bytes of the JSON header, from the first 8 bytes of a file of `byteSize` bytes. Throws
 * `safetensors-invalid` where the file cannot hold it.
 */
export function headerLength(path: string, first: Uint8Array, byteSize: number): number {
  if (first.byteLength < 8 || byteSize < 8)
    throw invalid(path, `it has ${byteSize} bytes, fewer than the 8 of a length`);
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(longestHeader))
    throw invalid(path, `its header claims ${length} bytes, the limit is ${longestHeader}`);
  if (length > BigInt(byteSize - 8)) throw invalid(path, `its header claims ${length} bytes of a file of ${byteSize}`);
  return Number(length);
}

/**
 * Reads the JSON header of a file of `byteSize` bytes. As the format demands, the tensors must cover the rest of the file
 * without holes or overlaps, each with exactly the bytes of its shape. Throws `safetensors-invalid`.
 */
export function parseHeader(path: string, json: Uint8Array, byteSize: number): SafetensorsHeader {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json));
  } catch (cause) {
    throw invalid(path, "its header is not JSON", cause);
  }
  if (json[0] !== 0x7b || !isRecord(parsed)) throw invalid(path, "its header is not a JSON object");

  const dataStart = 8 + json.byteLength;
  let metadata = new Map<string, string>();
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "__metadata__") metadata = parseMetadata(path, value);
    else tensors.set(name, parseEntry(path, name, value, dataStart, byteSize));
  }

  let end = dataStart;
  for (const [name, entry] of [...tensors].sort(
    ([, one], [, other]) => one.start - other.start || one.end - other.end,
  )) {
    if (entry.start !== end) {
      throw invalid(path, `${quoted(name)} starts at byte ${entry.start}, the tensor before it ends at ${end}`);
    }
    end = entry.end;
  }
  if (end !== byteSize) throw invalid(path, `its tensors end at byte ${end} of ${byteSize}`);
  return { metadata, tensors };
}

function parseMetadata(path: string, value: unknown): Map<string, string> {
  if (!isRecord(value)) throw invalid(path, "__metadata__ is not an object");
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw invalid(path, `__metadata__ holds something other than text at ${quoted(key)}`);
    metadata.set(key, text);
  }
  return metadata;
}

function parseEntry(path: string, name: string, value: unknown, dataStart: number, byteSize: number): SafetensorsEntry {
  if (!isRecord(value)) throw invalid(path, `${quoted(name)} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const extra = Object.keys(value).find((key) => !["dtype", "shape", "data_offsets"].includes(key));
  if (extra !== undefined) throw invalid(path, `${quoted(name)} has an unknown field ${quoted(extra)}`);
  if (!isType(dtype))
    throw invalid(path, `${quoted(name)} has the unknown type ${quoted(JSON.stringify(dtype) ?? "nothing")}`);
  if (!isCounts(shape) || shape.length > mostSides) {
    throw invalid(path, `the shape of ${quoted(name)} is not a list of at most ${mostSides} counts`);
  }
  if (!isCounts(offsets) || offsets.length !== 2)
    throw invalid(path, `the offsets of ${quoted(name)} are not two counts`);

  const [from, to] = offsets as [number, number];
  if (from > to || to > byteSize - dataStart) {
    throw invalid(path, `${quoted(name)} claims the bytes ${from} to ${to} of ${byteSize - dataStart}`);
  }
  const count = valueCount(shape);
  if (count === undefined || count * bytesOfType[dtype] !== to - from) {
    throw invalid(path, `${quoted(name)} has ${to - from} bytes for ${dtype} ${shapeText(shape)}`);
  }
  return { dtype, shape, start: dataStart + from, end: dataStart + to };
}

/** Names come from the file and may be of any length; a sentence needs only their beginning. */
const quoted = (text: string): string => `"${text.length > 80 ? `${text.slice(0, 80)}...` : text}"`;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isType = (value: unknown): value is SafetensorsType =>
  typeof value === "string" && Object.hasOwn(bytesOfType, value);

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && (side as number) >= 0);

/** One tensor to be written: its name, type, shape and bytes. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  readonly byteSize: number;
}

/** The first bytes of a file: length and JSON header, padded with spaces so that the values start on a multiple of 8. */
export function formatHeader(entries: Iterable<HeaderEntry>, metadata: ReadonlyMap<string, string>): Uint8Array {
  const fields: string[] = [];
  if (metadata.size > 0) {
    const pairs = [...metadata].map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
    fields.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  let start = 0;
  for (const { name, dtype, shape, byteSize } of entries) {
    if (name === "__metadata__") {
      throw new CoreError("safetensors-invalid", "A tensor cannot be named __metadata__: safetensors keeps that name.");
    }
    const entry = { dtype, shape, data_offsets: [start, start + byteSize] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    start += byteSize;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const length = Math.ceil(json.byteLength / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return header;
}
