/** How answers are written: whole bytes, files, refusals. */
import { constants, type ReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Content } from "../app.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { foreignHeaders, pageHeaders } from "./headers.ts";

/** HTTP states of errors; any other is the server's own fault. */
const states: Readonly<Record<string, number>> = {
  "not-found": 404,
  "image-unknown": 404,
  "model-unknown": 404,
  "query-unknown": 404,
  "embedding-missing": 409,
  "path-outside": 403,
  "guest-refused": 403,
  "params-invalid": 400,
  "too-large": 413,
  "method-refused": 405,
};

/** Sends text that is ours, such as a refusal. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { ...pageHeaders, "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

/** Milliseconds in which a refusal must have left on a bare connection. */
const refusalMs = 2000;

/** Refuses on a connection that has no response, and ends it, whatever the other side does with its own half. */
export function refuseConnection(socket: Duplex, status: number): void {
  const headers = { ...pageHeaders, Connection: "close", "Content-Length": "0" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const overdue = setTimeout(() => socket.destroy(), refusalMs).unref();
  socket.once("close", () => clearTimeout(overdue));
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n`, () => socket.destroy());
}

/** Sends an error as JSON, `{ code, message, hint? }`. */
export function sendError(response: ServerResponse, error: unknown, status?: number): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const record = errorRecord(error);
  const known = error instanceof CoreError ? (states[record.code] ?? 422) : 500;
  // What went wrong inside is not for whoever asks.
  const shown = known === 500 ? { code: "internal", message: "Something went wrong here." } : record;
  sendText(response, status ?? known, JSON.stringify(shown), "application/json; charset=utf-8");
}

/**
 * Sends bytes by their tag: nothing where the browser has them. `version` is what the address says that they are; where
 * it is right, the browser need never ask again.
 */
export async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  content: Content,
  version: string | null = null,
): Promise<void> {
  const etag = `"${content.tag}"`;
  const isFixed = version !== null && version === content.version;
  const headers = {
    ...foreignHeaders,
    ETag: etag,
    "Cache-Control": isFixed ? "private, max-age=31536000, immutable" : "private, no-cache",
    Vary: "Cookie",
  };
  if (request.headers["if-none-match"]?.split(/\s*,\s*/).includes(etag) === true) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  const body = await content.body();
  if (body instanceof Uint8Array) {
    response.writeHead(200, { ...headers, "Content-Type": content.type, "Content-Length": body.byteLength });
    response.end(request.method === "HEAD" ? undefined : body);
    return;
  }
  await sendFile(request, response, body.file, { ...headers, "Content-Type": content.type });
}

/** Sends a file by its real path. Throws `not-found` for anything but a file. */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  // Links were followed already: one that was put in its place since is not. Nor is a pipe waited for.
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)).catch(
    (cause: unknown) => {
      throw new CoreError("not-found", "The file is not there.", { cause });
    },
  );
  let stream: ReadStream | undefined;
  try {
    const { size } = await requireFile(file);
    response.writeHead(200, { ...headers, "Content-Length": size });
    if (request.method === "HEAD" || size === 0) {
      response.end();
      return;
    }
    // No more than was promised, should the file grow meanwhile.
    stream = file.createReadStream({ start: 0, end: size - 1, autoClose: false });
    await pipeline(stream, response);
  } catch (error) {
    // A browser that turns away in the middle is no fault.
    if (!response.destroyed) throw error;
  } finally {
    stream?.destroy();
    await file.close().catch(() => {});
  }
}

async function requireFile(file: Awaited<ReturnType<typeof open>>): Promise<{ readonly size: number }> {
  const found = await file.stat();
  if (!found.isFile()) throw new CoreError("not-found", "The file is not there.");
  return found;
}

/** The bytes of a request, up to a limit. Throws `too-large`, and `params-invalid` for one that breaks off. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const declared = Number(request.headers["content-length"] ?? 0);
  const chunks: Buffer[] = [];
  let size = 0;
  if (declared <= limit) {
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > limit) break;
        chunks.push(chunk);
      }
    } catch (cause) {
      throw new CoreError("params-invalid", "The request broke off.", { cause });
    }
  }
  if (declared <= limit && size <= limit) return Buffer.concat(chunks);
  throw new CoreError("too-large", `A request may have ${limit} bytes at most.`);
}
