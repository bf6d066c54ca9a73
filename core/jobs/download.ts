import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
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

const mostRedirects = 5;

/**
 * Fetches a file and returns its SHA-256. What has come is kept in `file.part` when the transfer is stopped or breaks,
 * and the next call asks for the rest only; should the server's file have changed meanwhile (its ETag says so), it starts
 * over. `file` appears whole or not at all. Throws `download-refused`, `download-broken`, `download-too-large`,
 * `download-hash`, `disk-full`.
 */
export async function download(options: DownloadOptions): Promise<string> {
  const { file, sha256, signal } = options;
  const part = `${file}.part`;
  // However the transfer ends, the connection is given up: a server that sends on would keep the process alive.
  const connection = new AbortController();
  try {
    await mkdir(dirname(file), { recursive: true });
    await transfer(part, { ...options, signal: AbortSignal.any([signal, connection.signal]) });
  } catch (error) {
    signal.throwIfAborted();
    throw isDiskFull(error) ? diskFull(file, error) : error;
  } finally {
    connection.abort();
  }
  const found = await hashFile(part, signal);
  if (sha256 !== null && found !== sha256.toLowerCase()) {
    await forget(part);
    throw new CoreError("download-hash", `Wanted a file with SHA-256 ${sha256}, got ${found}.`, {
      hint: "The file was thrown away. Check the hash, and whether something between you and the server changes files.",
    });
  }
  await rename(part, file);
  await forget(part);
  return found;
}

/** Brings the part to its whole length. */
async function transfer(part: string, options: DownloadOptions): Promise<void> {
  const { url, signal } = options;
  const { tag, have } = await readPart(part);
  const response = await request(url, have > 0 ? { range: `bytes=${have}-`, "if-range": tag } : {}, signal);
  if (response.status === 416) {
    // There is nothing behind what has come: it was whole, or it is not of this file. Fetching anew settles it.
    await forget(part);
    return transfer(part, options);
  }
  const start = response.status === 206 ? have : 0;
  if (response.status === 206 && !startsAt(response, start)) {
    await forget(part);
    throw broken(`${url.href} sent another part of the file than was asked for`);
  }
  const length = Number(response.headers.get("content-length") ?? 0);
  const total = length > 0 ? start + length : 0;
  refuseLarge(total, options);
  // Before the new tag is written: a tag beside the bytes of another file would join two halves that do not belong.
  if (start === 0) await forget(part);
  const etag = response.headers.get("etag") ?? "";
  // A weak tag does not promise the same bytes, so it must not be used to join two halves either.
  await writeFile(tagFile(part), etag.startsWith('"') ? etag : "");
  const done = await receive(response, part, start, total, options);
  if (total > 0 && done !== total) throw broken(`The transfer of ${url.href} ended after ${done} of ${total} bytes`);
}

const tagFile = (part: string): string => `${part}.etag`;

/** The ETag that a part came with, and its bytes so far: none where it cannot be told what they belong to. */
async function readPart(part: string): Promise<{ tag: string; have: number }> {
  const tag = await readFile(tagFile(part), "utf8").catch(() => "");
  if (tag === "") return { tag, have: 0 };
  const status = await stat(part).catch(() => null);
  return { tag, have: status?.size ?? 0 };
}

async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(tagFile(part), { force: true });
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "127.0.0.1" || hostname === "[::1]" || hostname === "localhost";
}

/** Only encrypted transfers, or this machine itself where the user named it. */
function requireSafe(url: URL, named: URL): void {
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url) && isLoopback(named))) return;
  throw new CoreError("download-refused", `Models are fetched by https only, not from ${url.protocol}//${url.host}.`);
}

/** A response that can be used, after redirects; each stop is checked before it is asked anything. */
async function request(named: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  let url = named;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    requireSafe(url, named);
    const response = await ask(url, headers, signal);
    const location = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
    if (location === null) return usable(response, url, headers["range"] !== undefined);
    const next = URL.parse(location, url.href);
    if (next === null) throw refused(`${url.href} points to ${location}, which is no address`);
    url = next;
  }
  throw refused(`${named.href} leads from one address to the next`);
}

async function ask(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  try {
    // Positions in a packed body would not be those in the file.
    return await fetch(url, { headers: { ...headers, "accept-encoding": "identity" }, redirect: "manual", signal });
  } catch (cause) {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw new CoreError("download-broken", `${url.host} could not be reached: ${errorRecord(inner).message}.`, {
      hint: "Without a network, fetch the file elsewhere and use `dinoscope models import FILE`.",
      cause,
    });
  }
}

function usable(response: Response, url: URL, ranged: boolean): Response {
  if (!response.ok && !(response.status === 416 && ranged)) {
    throw refused(`${url.href} answered ${response.status} ${response.statusText}`.trimEnd());
  }
  const encoding = response.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") throw refused(`${url.href} sends its file packed as ${encoding}`);
  return response;
}

function refused(what: string): CoreError {
  return new CoreError("download-refused", `${what}.`, {
    hint: "Check the name and the base URL (--base-url, DINOSCOPE_MODELS_URL).",
  });
}

function broken(what: string, cause?: unknown): CoreError {
  return new CoreError("download-broken", `${what}.`, {
    hint: "Start the same command again: it goes on from there.",
    cause,
  });
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
      await writeAll(handle, bytes, done);
      done += bytes.length;
      options.onProgress(done, total);
    }
    await handle.sync();
  } catch (error) {
    if (error instanceof CoreError || isDiskFull(error)) throw error;
    throw broken(`The transfer of ${options.url.href} broke after ${done} bytes`, error);
  } finally {
    await handle.close();
  }
  return done;
}

/** One call may write less than it was given, on a disk that is nearly full. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await handle.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function diskFull(file: string, cause: unknown): CoreError {
  return new CoreError("disk-full", `The disk is full: ${file} could not be written to its end.`, {
    hint: "Free some space and start the same command again: it goes on from there.",
    cause,
  });
}

async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { signal })) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
