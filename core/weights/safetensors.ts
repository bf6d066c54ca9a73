/**
 * The safetensors format: 8 bytes of length, a JSON header, and the tensors' values one after another.
 * https://github.com/huggingface/safetensors#format
 */
import type { WeightTensor, Weights } from "../nn/architecture.ts";
import { CoreError } from "../util/errors.ts";
import { withFile, writeWhole, type OpenFile, type WrittenFile } from "./files.ts";
import {
  float16Bytes,
  float32Bytes,
  floatBytes,
  floatsFrom,
  shapeText,
  valueCount,
  type FloatType,
} from "./numbers.ts";
import {
  formatHeader,
  headerLength,
  parseHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  type SafetensorsType,
} from "./safetensors-header.ts";

/** Weights and the text that was stored with them. */
export interface SafetensorsContent {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the file's header, or of the names that were asked for. */
  readonly tensors: Map<string, WeightTensor>;
}

/** A tensor of any type. float16 and bfloat16 are widened to float32. */
export interface RawTensor {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  readonly data:
    | Float32Array
    | Float64Array
    | BigInt64Array
    | BigUint64Array
    | Int32Array
    | Uint32Array
    | Int16Array
    | Uint16Array
    | Int8Array
    | Uint8Array;
}

/** Names, types and shapes of a file's tensors, and its metadata. Throws `safetensors-invalid`. */
export function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, headerOf);
}

/**
 * Reads tensors as float32: all of them, or the `wanted` ones in that order. F32, F16, BF16 and F64 (rounded) can be
 * weights; throws `weights-type` for integers, `safetensors-missing` for a name that is not there, and
 * `safetensors-invalid`.
 */
export function readSafetensors(path: string, wanted?: Iterable<string>): Promise<SafetensorsContent> {
  return withFile(path, async (file) => {
    const { metadata, tensors: entries } = await headerOf(file);
    return { metadata, tensors: await readWeights(file, entries, wanted ?? entries.keys()) };
  });
}

/** Reads every tensor in its own type, integers included. Throws `safetensors-invalid`. */
export function readSafetensorsRaw(
  path: string,
): Promise<{ metadata: ReadonlyMap<string, string>; tensors: Map<string, RawTensor> }> {
  return withFile(path, async (file) => {
    const { metadata, tensors: entries } = await headerOf(file);
    const tensors = new Map<string, RawTensor>();
    for (const [name, entry] of entries) {
      const { dtype, shape } = entry;
      tensors.set(name, { dtype, shape, data: typed(await bytesOf(file, entry), dtype) });
    }
    return { metadata, tensors };
  });
}

/** The header of an open file. Throws `safetensors-invalid`. */
export async function headerOf(file: OpenFile): Promise<SafetensorsHeader> {
  const first = new Uint8Array(Math.min(8, file.byteSize));
  await file.read(first, 0);
  const json = new Uint8Array(headerLength(file.path, first, file.byteSize));
  await file.read(json, 8);
  return parseHeader(file.path, json, file.byteSize);
}

/** Reads the `wanted` tensors of an open file as float32; see `readSafetensors`. */
export async function readWeights(
  file: OpenFile,
  entries: SafetensorsHeader["tensors"],
  wanted: Iterable<string>,
): Promise<Map<string, WeightTensor>> {
  const tensors = new Map<string, WeightTensor>();
  for (const name of wanted) {
    const entry = entries.get(name);
    if (entry === undefined) throw new CoreError("safetensors-missing", `${file.path} has no tensor named ${name}.`);
    if (!isFloatType(entry.dtype)) {
      throw new CoreError("weights-type", `${name} of ${file.path} holds ${entry.dtype}; weights are real numbers.`);
    }
    tensors.set(name, { shape: entry.shape, data: floatsFrom(await bytesOf(file, entry), entry.dtype) });
  }
  return tensors;
}

async function bytesOf(file: OpenFile, entry: SafetensorsEntry): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(entry.end - entry.start);
  await file.read(bytes, entry.start);
  return bytes;
}

const isFloatType = (dtype: SafetensorsType): dtype is FloatType => Object.hasOwn(floatBytes, dtype);

function typed({ buffer }: Uint8Array<ArrayBuffer>, dtype: SafetensorsType): RawTensor["data"] {
  switch (dtype) {
    case "F32":
    case "F16":
    case "BF16":
      return floatsFrom(new Uint8Array(buffer), dtype);
    case "F64":
      return new Float64Array(buffer);
    case "I64":
      return new BigInt64Array(buffer);
    case "U64":
      return new BigUint64Array(buffer);
    case "I32":
      return new Int32Array(buffer);
    case "U32":
      return new Uint32Array(buffer);
    case "I16":
      return new Int16Array(buffer);
    case "U16":
      return new Uint16Array(buffer);
    case "I8":
      return new Int8Array(buffer);
    case "U8":
    case "BOOL":
    case "F8_E4M3":
    case "F8_E5M2":
      return new Uint8Array(buffer);
  }
}

/** How weights are written. */
export interface SafetensorsOptions {
  /** F32 by default. F16 rounds, and throws `weights-overflow` for values above 65504. */
  readonly dtype?: "F32" | "F16";
}

/** A whole file in memory: the tensors in the order of the map. */
export function encodeSafetensors(
  tensors: Weights,
  metadata: ReadonlyMap<string, string> = new Map(),
  options: SafetensorsOptions = {},
): Uint8Array {
  return Buffer.concat([...chunks(tensors, metadata, options)]);
}

/** Writes a file whole or not at all: the tensors in the order of the map. */
export function writeSafetensors(
  path: string,
  tensors: Weights,
  metadata: ReadonlyMap<string, string> = new Map(),
  options: SafetensorsOptions = {},
): Promise<WrittenFile> {
  return writeWhole(path, chunks(tensors, metadata, options));
}

function* chunks(
  tensors: Weights,
  metadata: ReadonlyMap<string, string>,
  { dtype = "F32" }: SafetensorsOptions,
): Generator<Uint8Array> {
  const entries = [...tensors].map(([name, { shape, data }]) => {
    if (valueCount(shape) !== data.length) {
      throw new CoreError("weights-shape", `${name} has ${data.length} values for the shape ${shapeText(shape)}.`);
    }
    return { name, dtype, shape, byteSize: data.length * floatBytes[dtype] };
  });
  yield formatHeader(entries, metadata);
  for (const [name, { data }] of tensors) yield dtype === "F32" ? float32Bytes(data) : float16Bytes(name, data);
}
