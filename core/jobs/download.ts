import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { CoreError, errorRecord } from "../util/errors.ts";

/** What to fetch and where to put it. */
export interface DownloadOptions {
  readonly url: URL;
  readonly file: string;
  /** More bytes than this are refused, before or while they come. */
  readonly maxBytes: number;
  /** SHA-256 that the file must have, in hex; null where nobody published one. */
  readonly sha256: string | null;
  readonly signal: AbortSignal;
  /** Bytes so far, and all of them (0 while not known). */
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Fetches a file and returns its SHA-256. What has come is kept in `file.part` when the transfer is stopped or breaks,
 * and the next call asks for the rest only; should the server's file have changed meanwhile (its ETag says so), it starts
 * over. `file` appears whole or not at all. Throws `download-refused`, `download-broken`, `download-too-large`,
 * `download-hash`.
 */
export async function download(options: DownloadOptions): Promise<string> {
  const { url, file, sha256, signal } = options;
  requireSafe(url);
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.part`;
  const tagFile = `${file}.part.etag`;
  const tag = await readFile(tagFile, "utf8").catch(() => "");
  const have =
    tag === ""
      ? 0
      : await stat(part).then(
          ({ size }) => size,
          () => 0,
        );

  const response = await request(url, have > 0 ? { range: `bytes=${have}-`, "if-range": tag } : {}, signal);
  requireSafe(new URL(response.url));
  if (response.status === 416) {
    // There is nothing behind what has come: it was whole, or it is not of this file. Fetching anew settles it.
    await rm(part, { force: true });
    await rm(tagFile, { force: true });
    return download(options);
  }
  const resumed = response.status === 206 && startsAt(response, have);
  const start = resumed ? have : 0;
  const length = Number(response.headers.get("content-length") ?? 0);
  const total = length > 0 ? start + length : 0;
  refuseLarge(total, options);
  const etag = response.headers.get("etag") ?? "";
  // A weak tag does not promise the same bytes, so it must not be used to join two halves.
  await writeFile(tagFile, etag.startsWith('"') ? etag : "");

  const done = await receive(response, part, start, total, options);
  if (total > 0 && done !== total) {
    throw new CoreError("download-broken", `The transfer of ${url.href} ended after ${done} of ${total} bytes.`, {
      hint: "Start the same command again: it goes on from there.",
    });
  }
  const found = await hashFile(part, signal);
  if (sha256 !== null && found !== sha256.toLowerCase()) {
    await rm(part, { force: true });
    throw new CoreError("download-hash", `Wanted a file with SHA-256 ${sha256}, got ${found}.`, {
      hint: "The file was thrown away. Check the hash, and whether something between you and the server changes files.",
    });
  }
  await rename(part, file);
  await rm(tagFile, { force: true });
  return found;
}

/** Only encrypted transfers, or this machine itself. */
function requireSafe(url: URL): void {
  const loopback = url.hostname === "127.0.0.1" || url.hostname === "[::1]" || url.hostname === "localhost";
  if (url.protocol === "https:" || (url.protocol === "http:" && loopback)) return;
  throw new CoreError("download-refused", `Models are fetched by https only, not from ${url.protocol}//${url.host}.`);
}

async function request(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers, signal });
  } catch (cause) {
    signal.throwIfAborted();
    const inner =
      cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : errorRecord(cause).message;
    throw new CoreError("download-broken", `${url.host} could not be reached: ${inner}.`, {
      hint: "Without a network, fetch the file elsewhere and use `dinoscope models import FILE`.",
      cause,
    });
  }
  const usable = response.ok || (response.status === 416 && headers["range"] !== undefined);
  if (!usable) {
    throw new CoreError("download-refused", `${url.href} answered ${response.status} ${response.statusText}.`, {
      hint: "Check the name and the base URL (DINOSCOPE_MODELS_URL).",
    });
  }
  return response;
}

function startsAt(response: Response, offset: number): boolean {
  return response.headers.get("content-range")?.startsWith(`bytes ${offset}-`) ?? false;
}

function refuseLarge(bytes: number, { url, maxBytes }: DownloadOptions): void {
  if (bytes <= maxBytes) return;
  throw new CoreError(
    "download-too-large",
    `${url.href} has ${bytes} bytes or more; at most ${maxBytes} were expected.`,
  );
}

/** Writes the body behind `start`; returns the length of the file so far. */
async function receive(
  response: Response,
  part: string,
  start: number,
  total: number,
  options: DownloadOptions,
): Promise<number> {
  const handle = await open(part, start > 0 ? "r+" : "w");
  let done = start;
  try {
    options.onProgress(done, total);
    for await (const chunk of response.body ?? []) {
      const bytes = chunk as Uint8Array;
      refuseLarge(done + bytes.length, options);
      await handle.write(bytes, 0, bytes.length, done);
      done += bytes.length;
      options.onProgress(done, total);
    }
    await handle.sync();
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof CoreError || (error as NodeJS.ErrnoException).code === "ENOSPC") throw error;
    throw new CoreError("download-broken", `The transfer of ${options.url.href} broke after ${done} bytes.`, {
      hint: "Start the same command again: it goes on from there.",
      cause: error,
    });
  } finally {
    await handle.close();
  }
  return done;
}

async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { signal })) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
