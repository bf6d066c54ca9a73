/**
 * Small writers of the formats that core/weights only reads: pickles as `torch.save` makes them, zip archives, and odd
 * variants of both for hostile tests. They share no code with the readers.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { weightShapes, type Architecture, type Weights } from "../../core/nn/architecture.ts";
import { createRandom } from "../../core/util/random.ts";

/** A folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "dinoscope-weights-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes bytes to a new file of that name. */
export function temporaryFile(name: string, bytes: Uint8Array): string {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, bytes);
  return file;
}

/** A small ViT; every field can be replaced. */
export function smallArchitecture(changes: Partial<Architecture> = {}): Architecture {
  return {
    width: 12,
    depth: 2,
    heads: 3,
    hidden: 48,
    patch: 4,
    grid: 3,
    registers: 0,
    layerScale: false,
    positionOffset: 0.1,
    positionAntialias: false,
    ...changes,
  };
}

/** Seeded normal weights in every shape of an architecture. */
export function randomWeights(architecture: Architecture, seed = 1): Weights {
  const random = createRandom(seed);
  return new Map(
    [...weightShapes(architecture)].map(([name, shape]) => {
      const count = shape.reduce((product, side) => product * side, 1);
      return [name, { shape, data: Float32Array.from({ length: count }, () => random.normal()) }];
    }),
  );
}

const ascii = (letters: string): Buffer => Buffer.from(letters, "latin1");
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

/** Pieces of pickles. A pickle is `pickle(...pieces)`. */
export const op = {
  text: (value: string): Buffer => {
    const bytes = Buffer.from(value, "utf8");
    return Buffer.concat([ascii("X"), int32(bytes.length), bytes]);
  },
  integer: (value: number): Buffer => Buffer.concat([ascii("J"), int32(value)]),
  global: (module: string, name: string): Buffer => ascii(`c${module}\n${name}\n`),
  tuple: (...items: readonly Buffer[]): Buffer => Buffer.concat([ascii("("), ...items, ascii("t")]),
  list: (...items: readonly Buffer[]): Buffer => Buffer.concat([ascii("]("), ...items, ascii("e")]),
  dictionary: (entries: Readonly<Record<string, Buffer>>): Buffer =>
    Buffer.concat([
      ascii("}("),
      ...Object.entries(entries).map(([key, value]) => Buffer.concat([op.text(key), value])),
      ascii("u"),
    ]),
  call: (callee: Buffer, args: Buffer): Buffer => Buffer.concat([callee, args, ascii("R")]),
  storage: (storageClass: string, key: string, count: number): Buffer =>
    Buffer.concat([
      op.tuple(op.text("storage"), op.global("torch", storageClass), op.text(key), op.text("cpu"), op.integer(count)),
      ascii("Q"),
    ]),
  tensor: (storage: Buffer, offset: number, shape: readonly number[], strides: readonly number[]): Buffer =>
    op.call(
      op.global("torch._utils", "_rebuild_tensor_v2"),
      op.tuple(
        storage,
        op.integer(offset),
        op.tuple(...shape.map(op.integer)),
        op.tuple(...strides.map(op.integer)),
        ascii("\x89"),
        op.call(op.global("collections", "OrderedDict"), ascii(")")),
      ),
    ),
  raw: ascii,
};

/** A whole pickle of protocol 2. */
export const pickle = (...pieces: readonly Buffer[]): Buffer =>
  Buffer.concat([ascii("\x80\x02"), ...pieces, ascii(".")]);

/** Strides of a row-major tensor. */
export function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1));
}

/** An entry of an archive; the last three lie about it. */
export interface ZipEntry {
  readonly bytes: Uint8Array;
  readonly deflate?: boolean;
  readonly claimedSize?: number;
  readonly claimedChecksum?: number;
  /** Points to the local header of this entry instead of its own. */
  readonly sameAs?: string;
}

/** A zip archive. */
export function zip(entries: Readonly<Record<string, ZipEntry | Uint8Array>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  const offsets = new Map<string, number>();
  let position = 0;
  for (const [name, value] of Object.entries(entries)) {
    const entry: ZipEntry = value instanceof Uint8Array ? { bytes: value } : value;
    const packed = entry.deflate === true ? deflateRawSync(entry.bytes) : Buffer.from(entry.bytes);
    const fileName = Buffer.from(name, "utf8");
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(0x800, 2);
    shared.writeUInt16LE(entry.deflate === true ? 8 : 0, 4);
    shared.writeUInt32LE(entry.claimedChecksum ?? crc32(entry.bytes), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(entry.claimedSize ?? entry.bytes.byteLength, 18);
    shared.writeUInt16LE(fileName.length, 22);
    const own = offsets.get(entry.sameAs ?? "") ?? position;
    offsets.set(name, own);
    directory.push(ascii("PK\x01\x02\x14\x00"), shared, Buffer.alloc(10), int32(own), fileName);
    if (own !== position) continue;
    const local = Buffer.concat([ascii("PK\x03\x04"), shared, fileName, packed]);
    parts.push(local);
    position += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(Object.keys(entries).length, 8);
  end.writeUInt16LE(Object.keys(entries).length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...parts, list, end]);
}

/** A state dictionary as pieces of a pickle and the entries for its numbers. */
export function stateDictionary(
  weights: Weights,
  keyPrefix = "",
): { state: Buffer; storages: Record<string, Uint8Array> } {
  const storages: Record<string, Uint8Array> = {};
  const entries: Record<string, Buffer> = {};
  for (const [index, [name, { shape, data }]] of [...weights].entries()) {
    const key = `${keyPrefix}${index}`;
    storages[`archive/data/${key}`] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    entries[name] = op.tensor(op.storage("FloatStorage", key, data.length), 0, shape, rowMajor(shape));
  }
  return { state: op.dictionary(entries), storages };
}

/** A file as `torch.save(weights)` writes it. */
export function torchFile(weights: Weights): Buffer {
  const { state, storages } = stateDictionary(weights);
  return zip({ "archive/data.pkl": pickle(state), ...storages, "archive/version": ascii("3\n") });
}
