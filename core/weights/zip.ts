import { crc32, inflateRawSync } from "node:zlib";
import { fromRandomAccessReaderPromise, RandomAccessReader, type Entry, type ZipFile } from "yauzl";
import { CoreError } from "../util/errors.ts";
import type { OpenFile } from "./files.ts";

/** A checkpoint has an entry per tensor: a few thousand. */
const mostEntries = 20_000;

/** An archive whose list of entries was read and checked. */
export interface Archive {
  /** Sizes in bytes, uncompressed, as the list claims; `read` holds it to them. */
  readonly entries: ReadonlyMap<string, ArchiveEntry>;
  /**
   * The bytes of an entry. Throws `archive-damaged` where its sizes or checksum are not what the list says.
   */
  read(entry: ArchiveEntry): Promise<Uint8Array<ArrayBuffer>>;
}

export interface ArchiveEntry {
  readonly name: string;
  readonly byteSize: number;
  readonly compressed: boolean;
  readonly source: Entry;
}

const damaged = (file: OpenFile, what: string, cause?: unknown): CoreError =>
  new CoreError("archive-damaged", `${file.path} is a damaged zip archive: ${what}.`, {
    hint: "Fetch or copy the file again.",
    ...(cause === undefined ? {} : { cause }),
  });

/**
 * Lists a zip archive (zip64 too). Entries may be stored or deflated, not encrypted; names must differ and their bytes
 * must not overlap. Throws `archive-damaged`.
 */
export async function openArchive(file: OpenFile): Promise<Archive> {
  const reader = new BoundedReader(file);
  let zip: ZipFile;
  try {
    zip = await fromRandomAccessReaderPromise(reader, file.byteSize, { lazyEntries: true, autoClose: false });
  } catch (cause) {
    throw damaged(file, cause instanceof Error ? cause.message : "its end is missing", cause);
  }
  // Without a listener, an error that is emitted late would end the process; each is also reported by the call at fault.
  zip.on("error", () => undefined);
  const entries = await listEntries(file, zip);
  return { entries, read: (entry) => readEntry(file, zip, entry) };
}

async function listEntries(file: OpenFile, zip: ZipFile): Promise<Map<string, ArchiveEntry>> {
  if (zip.entryCount > mostEntries)
    throw damaged(file, `it claims ${zip.entryCount} entries, the limit is ${mostEntries}`);
  const entries = new Map<string, ArchiveEntry>();
  try {
    for await (const source of zip.eachEntry()) {
      const name = source.fileName;
      if (entries.has(name)) throw damaged(file, `two entries are named ${name.slice(0, 80)}`);
      if (!source.canDecodeFileData()) throw damaged(file, `${name.slice(0, 80)} is encrypted or oddly compressed`);
      entries.set(name, { name, byteSize: source.uncompressedSize, compressed: source.isCompressed(), source });
    }
  } catch (cause) {
    if (cause instanceof CoreError) throw cause;
    throw damaged(file, cause instanceof Error ? cause.message : "its list of entries ends early", cause);
  }
  checkRanges(file, [...entries.values()]);
  return entries;
}

/** Entries that share bytes are how a small archive unpacks to a huge one. */
function checkRanges(file: OpenFile, entries: readonly ArchiveEntry[]): void {
  let end = 0;
  const sorted = entries.toSorted((one, other) => startOf(one) - startOf(other));
  for (const entry of sorted) {
    if (startOf(entry) < end) throw damaged(file, `the entry ${entry.name.slice(0, 80)} overlaps another`);
    // The local header has 30 bytes and repeats the name; its extra field may make it longer.
    end = startOf(entry) + 30 + entry.source.fileNameLength + entry.source.compressedSize;
  }
  if (!(end <= file.byteSize)) throw damaged(file, "an entry ends beyond the file");
}

const startOf = (entry: ArchiveEntry): number => entry.source.relativeOffsetOfLocalHeader;

async function readEntry(file: OpenFile, zip: ZipFile, entry: ArchiveEntry): Promise<Uint8Array<ArrayBuffer>> {
  const { name, byteSize, source } = entry;
  let start: number;
  try {
    // Checks that the compressed bytes lie inside the file, which bounds the allocation below.
    start = (await zip.readLocalFileHeaderPromise(source, { minimal: true })).fileDataStart;
  } catch (cause) {
    throw damaged(file, cause instanceof Error ? cause.message : `${name} cannot be found`, cause);
  }
  const packed = new Uint8Array(source.compressedSize);
  await file.read(packed, start);
  const bytes = entry.compressed ? inflate(file, entry, packed) : packed;
  if (bytes.byteLength !== byteSize)
    throw damaged(file, `${name} has ${bytes.byteLength} bytes, ${byteSize} were promised`);
  if (crc32(bytes) !== source.crc32) throw damaged(file, `the checksum of ${name} does not match its bytes`);
  return bytes;
}

/** Deflate packs at most 1032 to 1, so a size beyond that is a lie and is refused before anything is allocated. */
function inflate(file: OpenFile, entry: ArchiveEntry, packed: Uint8Array): Uint8Array<ArrayBuffer> {
  const { name, byteSize } = entry;
  if (byteSize > 1032 * packed.byteLength) {
    throw damaged(file, `${name} claims ${byteSize} bytes from ${packed.byteLength} compressed ones`);
  }
  try {
    // One byte more than promised, so that a longer entry is seen as such; zero is no valid bound.
    const unpacked = inflateRawSync(packed, { maxOutputLength: byteSize + 1 });
    // A copy of its own: the result may lie in a shared pool, at an offset that float32 views cannot use.
    return new Uint8Array(unpacked);
  } catch (cause) {
    throw damaged(file, `${name} cannot be unpacked to ${byteSize} bytes`, cause);
  }
}

/** Reads for yauzl, which takes positions from the archive and does not check them all before it reads. */
class BoundedReader extends RandomAccessReader {
  readonly #file: OpenFile;

  constructor(file: OpenFile) {
    super();
    this.#file = file;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (!(position >= 0 && position + length <= this.#file.byteSize)) {
      setImmediate(callback, new Error(`it points to byte ${position} of ${this.#file.byteSize}`));
      return;
    }
    this.#file.read(buffer.subarray(offset, offset + length), position).then(
      () => callback(null),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }

  override _readStreamForRange(): never {
    throw new CoreError("internal", "Entries are read by position, not as streams.");
  }
}
