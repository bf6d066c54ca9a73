/**
 * Checks the files beside the archive before any of them is run. Electron checks the archive itself (a fuse, on Windows
 * and macOS), but not what lies unpacked beside it, where the core, its Node and its native packages live. The archive's
 * header holds a SHA-256 of each of those files, so the list is as safe as the archive.
 */
import { createHash } from "node:crypto";
import { createReadStream, type readFileSync, type openSync, type readSync, type closeSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { join } from "node:path";
import * as v from "valibot";
import { filesBelow } from "./places.ts";

/** The file functions that read an archive as a file; Electron's own `fs` would show it as a folder. */
export interface PlainFiles {
  readonly openSync: typeof openSync;
  readonly readSync: typeof readSync;
  readonly closeSync: typeof closeSync;
  readonly readFileSync: typeof readFileSync;
}

/** A header larger than this is none of ours: a thousand files take a few hundred kilobytes. */
const maximalHeader = 16 * 2 ** 20;

interface Entry {
  readonly files?: Readonly<Record<string, Entry>> | undefined;
  readonly unpacked?: boolean | undefined;
  readonly integrity?: { readonly hash: string } | undefined;
}

const entry: v.GenericSchema<Entry> = v.object({
  files: v.optional(
    v.record(
      v.string(),
      v.lazy(() => entry),
    ),
  ),
  unpacked: v.optional(v.boolean()),
  integrity: v.optional(v.object({ hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) })),
});

/** The hash of each unpacked file by its path, from an archive's header. Throws when it cannot be read as one. */
export function unpackedHashes(archive: string, files: PlainFiles): Map<string, string | null> {
  const descriptor = files.openSync(archive, "r");
  try {
    // Two Chromium pickles: the first holds the second's size, the second a JSON text after its own two lengths.
    const sizes = Buffer.alloc(16);
    files.readSync(descriptor, sizes, 0, 16, 0);
    const length = sizes.readUInt32LE(12);
    if (length > maximalHeader) throw new Error(`The archive's header says it has ${length} bytes.`);
    const text = Buffer.alloc(length);
    if (files.readSync(descriptor, text, 0, length, 16) !== length) throw new Error("The archive is cut short.");
    const hashes = new Map<string, string | null>();
    collect(v.parse(entry, JSON.parse(text.toString("utf8"))), "", hashes);
    return hashes;
  } finally {
    files.closeSync(descriptor);
  }
}

function collect(folder: Entry, path: string, into: Map<string, string | null>): void {
  for (const [name, child] of Object.entries(folder.files ?? {})) {
    const at = path === "" ? name : `${path}/${name}`;
    if (child.files !== undefined) collect(child, at, into);
    else if (child.unpacked === true) into.set(at, child.integrity?.hash ?? null);
  }
}

/** Programs and libraries of macOS: signing rewrites them after packing, and the system itself checks the signature. */
const signedOnMac = /(\.node|\.dylib|^node\/node)$/;

/**
 * What is wrong with the files beside an archive, a line each: changed, missing, not of the program, or without a hash.
 * Empty when all is well.
 */
export async function findTampering(
  archive: string,
  files: PlainFiles,
  platform = process.platform,
): Promise<string[]> {
  const folder = `${archive}.unpacked`;
  const hashes = unpackedHashes(archive, files);
  if (hashes.size === 0) return ["The archive names no files beside it."];
  const present = new Set(filesBelow(folder));
  const extra = [...present].filter((path) => !hashes.has(path)).map((path) => `${path} does not belong there`);
  const wrong: string[] = [];
  for (const [path, hash] of hashes) {
    if (!present.has(path)) wrong.push(`${path} is missing`);
    else if (platform === "darwin" && signedOnMac.test(path)) continue;
    else if (hash === null) wrong.push(`${path} has no hash`);
    else if ((await hashOf(join(folder, path))) !== hash) wrong.push(`${path} was changed`);
  }
  return [...wrong, ...extra];
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash);
  return hash.digest("hex");
}
