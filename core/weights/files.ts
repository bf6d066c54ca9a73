import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { CoreError } from "../util/errors.ts";

/** One read or write call is kept below the 2 GiB that the operating systems allow. */
const longestCall = 2 ** 30;

/** A file that is open for reading. `byteSize` was measured when it was opened. */
export interface OpenFile {
  readonly path: string;
  readonly byteSize: number;
  /** Fills `target` with the bytes at `position`. Throws `file-truncated` where the file ends before. */
  read(target: Uint8Array, position: number): Promise<void>;
}

/**
 * Opens a file, hands it to `use`, and closes it however that ends. Throws `file-unreadable` for what is missing, is a
 * folder, or may not be read.
 */
export async function withFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK, a pipe would be waited for until somebody writes to it.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CoreError("file-unreadable", `Cannot open ${path}: ${reason}.`, { cause });
  }
  try {
    const status = await handle.stat();
    if (!status.isFile()) {
      throw new CoreError("file-unreadable", `Expected a file at ${path}, found a folder or a device.`, {
        hint: "Name the weights file inside it.",
      });
    }
    const read = (target: Uint8Array, position: number): Promise<void> => readExactly(handle, path, target, position);
    return await use({ path, byteSize: status.size, read });
  } finally {
    await handle.close();
  }
}

async function readExactly(handle: FileHandle, path: string, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const length = Math.min(longestCall, target.byteLength - done);
    const { bytesRead } = await handle.read(target, done, length, position + done);
    if (bytesRead === 0) {
      throw new CoreError(
        "file-truncated",
        `${path} ends at byte ${position + done}; ${target.byteLength - done} more bytes were expected there.`,
        { hint: "Fetch or copy the file again." },
      );
    }
    done += bytesRead;
  }
}

/** What was written: SHA-256 of the whole file in hex, and its size. */
export interface WrittenFile {
  readonly hash: string;
  readonly byteSize: number;
}

/**
 * Writes a file beside its place (`<path>.part`), flushes it to the disk and renames it, so that `path` holds either what
 * it held before or all of `chunks`.
 */
export async function writeWhole(path: string, chunks: Iterable<Uint8Array>): Promise<WrittenFile> {
  const part = `${path}.part`;
  const digest = createHash("sha256");
  let byteSize = 0;
  try {
    const handle = await open(part, "w");
    try {
      for (const chunk of chunks) {
        digest.update(chunk);
        let done = 0;
        while (done < chunk.byteLength) {
          const length = Math.min(longestCall, chunk.byteLength - done);
          done += (await handle.write(chunk, done, length, byteSize + done)).bytesWritten;
        }
        byteSize += chunk.byteLength;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  return { hash: digest.digest("hex"), byteSize };
}
