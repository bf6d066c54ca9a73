import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
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
  /** Links, names that are not Unicode, and what could not be looked at: left out, by path. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  /** Of those, files and folders that may well be there: nobody knows what is at and below these paths now. */
  readonly unseen: ReadonlySet<string>;
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
  const unseen = new Set<string>();
  const pending = [""];
  for (let inner = pending.pop(); inner !== undefined; inner = pending.pop()) {
    let entries: Dirent[];
    try {
      entries = await readdir(join(folder, inner), { withFileTypes: true });
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (inner === "") throw missingError(folder, code ?? message, cause);
      skipped.push({ path: inner, reason: `The folder cannot be read: ${message}` });
      unseen.add(inner);
      continue;
    }
    for (const entry of entries) {
      signal.throwIfAborted();
      if (entry.name.startsWith(".") || clutter.test(entry.name)) continue;
      const path = inner === "" ? entry.name : `${inner}/${entry.name}`;
      if (entry.isSymbolicLink()) {
        skipped.push({ path, reason: "It is a link; links are not followed." });
        continue;
      }
      if (!entry.isFile() && !entry.isDirectory()) continue;
      const found = await stat(join(folder, path)).catch((error: NodeJS.ErrnoException) => error);
      if (!(found instanceof Error)) {
        if (entry.isDirectory()) pending.push(path);
        else files.set(path, { path, byteSize: found.size, modifiedAt: Math.trunc(found.mtimeMs) });
        onFile(files.size);
      } else if (entry.name.includes("\uFFFD")) {
        // Bytes that are no UTF-8 are read as this character, and then no file has the name.
        skipped.push({ path, reason: "The name is not valid Unicode." });
      } else if (found.code !== "ENOENT") {
        skipped.push({ path, reason: `It cannot be looked at: ${found.message}` });
        unseen.add(path);
      }
    }
  }
  return { files, skipped, unseen };
}

function missingError(folder: string, reason: string, cause: unknown): CoreError {
  return new CoreError("source-missing", `The folder ${folder} cannot be read (${reason}).`, {
    hint: "Check that the disk is connected and that you may read the folder. Nothing in the library was changed.",
    cause,
  });
}
