import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { Stats } from "node:fs";
import { CoreError, errorRecord } from "../util/errors.ts";
import type { PictureLimits } from "./types.ts";

/**
 * The whole content of a regular file of at most `limits.maxBytes`. Throws `file-not-regular` for folders, pipes,
 * sockets and devices, `picture-too-large`, and the operating system's own codes (`enoent`, `eacces`, ...).
 */
export async function readPictureFile(path: string, limits: PictureLimits): Promise<Uint8Array<ArrayBuffer>> {
  try {
    // Looking before opening: opening some devices already does something.
    checkRegular(await stat(path));
    // Without O_NONBLOCK, a pipe put in the file's place in between would block until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const found = await file.stat();
      checkRegular(found);
      checkSize(found.size, limits);
      const bytes = new Uint8Array(found.size);
      let length = 0;
      while (length < bytes.length) {
        const { bytesRead } = await file.read(bytes, length, bytes.length - length);
        if (bytesRead === 0) break; // It shrank meanwhile: what was there is what counts.
        length += bytesRead;
      }
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    throw fileError(thrown);
  }
}

function checkRegular(found: Stats): void {
  if (found.isFile()) return;
  const what = found.isDirectory()
    ? "a folder"
    : found.isFIFO()
      ? "a named pipe"
      : found.isSocket()
        ? "a socket"
        : "a device";
  throw new CoreError("file-not-regular", `A picture must be a regular file; this is ${what}.`);
}

function checkSize(size: number, limits: PictureLimits): void {
  if (size <= limits.maxBytes) return;
  const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 2 : 0);
  throw new CoreError(
    "picture-too-large",
    `The file has ${megabytes(size)} MB; up to ${megabytes(limits.maxBytes)} MB are taken in.`,
    { hint: "Save a smaller copy of it." },
  );
}

/** Sentences for the refusals of the operating system that users meet. */
const sentences: Readonly<Record<string, string>> = {
  enoent: "There is no such file.",
  enotdir: "There is no such file: a part of its path is not a folder.",
  eacces: "You are not allowed to read this file.",
  eperm: "You are not allowed to read this file.",
  eloop: "The file is a link that leads back to itself.",
  emfile: "Too many files are open.",
  eio: "The disk reported an error while the file was read.",
};

function fileError(thrown: unknown): CoreError {
  if (thrown instanceof CoreError) return thrown;
  const { code, message } = errorRecord(thrown);
  return new CoreError(code, sentences[code] ?? `The file cannot be read: ${message}`, { cause: thrown });
}
