import type { Dirent } from "node:fs";
import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { CoreError } from "../util/errors.ts";

/** A file of a source, as the folder tells it. */
export interface ScannedFile {
  /** Relative to the source, with forward slashes. */
  readonly path: string;
  readonly byteSize: number;
  /** Whole milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** What a scan found. */
export interface Scan {
  /** By path. */
  readonly files: ReadonlyMap<string, ScannedFile>;
  /** Links and names that are not Unicode: left out, by path. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/** What picture programs and systems leave in folders; nobody means these as pictures. */
const clutter = /^(thumbs\.db|desktop\.ini|ehthumbs\.db|@eadir|__macosx|\$recycle\.bin|system volume information)$/i;

/**
 * All files below a folder, except hidden ones (names with a leading dot). Links are not followed: a link out of the
 * source would take in files that nobody chose, a link upwards would never end. Throws `source-missing` when the folder
 * itself is not there, so that an unplugged disk does not look like ten thousand deleted files.
 */
export async function scanFolder(folder: string, signal: AbortSignal, onFile: (count: number) => void): Promise<Scan> {
  const files = new Map<string, ScannedFile>();
  const skipped: { path: string; reason: string }[] = [];
  const pending = [""];
  for (let inner = pending.pop(); inner !== undefined; inner = pending.pop()) {
    signal.throwIfAborted();
    for await (const entry of await openFolder(folder, inner, skipped)) {
      if (entry.name.startsWith(".") || clutter.test(entry.name)) continue;
      const path = inner === "" ? entry.name : `${inner}/${entry.name}`;
      if (entry.name.includes("\uFFFD")) {
        skipped.push({ path, reason: "The name is not valid Unicode." });
      } else if (entry.isSymbolicLink()) {
        skipped.push({ path, reason: "It is a link; links are not followed." });
      } else if (entry.isDirectory()) {
        pending.push(path);
      } else if (entry.isFile()) {
        // A file may be gone by now, or on a share that dropped out: the next scan tells.
        const found = await stat(join(folder, path)).catch(() => null);
        if (found === null) continue;
        files.set(path, { path, byteSize: found.size, modifiedAt: Math.trunc(found.mtimeMs) });
        onFile(files.size);
      }
    }
  }
  return { files, skipped };
}

async function openFolder(
  folder: string,
  inner: string,
  skipped: { path: string; reason: string }[],
): Promise<AsyncIterable<Dirent> | []> {
  try {
    return await opendir(join(folder, inner), { bufferSize: 256 });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (inner !== "") {
      skipped.push({ path: inner, reason: `The folder cannot be read: ${message}` });
      return [];
    }
    throw new CoreError("source-missing", `The folder ${folder} cannot be read (${code ?? message}).`, {
      hint: "Check that the disk is connected and that you may read the folder. Nothing in the library was changed.",
      cause,
    });
  }
}
