/** A server on this machine that behaves as a test wants: whole, broken, changed, or lying. */
import { statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Server {
  /** With a slash at its end. */
  readonly url: string;
  /** What was asked: path and headers, in order. */
  readonly asked: { readonly path: string; readonly headers: IncomingMessage["headers"] }[];
}

/** Starts a server that is closed after the test, connections and all. */
export async function serve(handler: Handler): Promise<Server> {
  const asked: Server["asked"] = [];
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? "", headers: request.headers });
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked };
}

/** What a file server says of a file. */
export interface ServedFile {
  readonly body: Uint8Array;
  readonly etag?: string;
}

/** Where a transfer breaks. */
export interface Cut {
  /** Bytes of the body that are sent before. */
  readonly after: number;
  /** The file that the client writes: the cut waits until it holds them, since what is on its way would be lost. */
  readonly part: string;
}

/**
 * Answers as RFC 9110 asks: a whole file, the rest of it for a Range whose If-Range fits, 416 for a Range behind its
 * end. With `cut` the connection is given up on the way.
 */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { body, etag }: ServedFile,
  cut?: Cut,
): void {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1];
  const fits = range !== undefined && request.headers["if-range"] === etag;
  const start = fits ? Number(range) : 0;
  const tags = etag === undefined ? {} : { etag };
  if (start >= body.length) {
    response.writeHead(416, { ...tags, "content-range": `bytes */${body.length}` }).end();
    return;
  }
  const rest = body.subarray(start);
  const part = fits ? { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` } : {};
  response.writeHead(fits ? 206 : 200, { ...tags, ...part, "content-length": rest.length });
  if (cut === undefined) {
    response.end(rest);
    return;
  }
  response.write(rest.subarray(0, cut.after));
  const arrived = setInterval(() => {
    if ((statSync(cut.part, { throwIfNoEntry: false })?.size ?? 0) !== start + cut.after) return;
    clearInterval(arrived);
    response.destroy();
  }, 5);
  response.once("close", () => clearInterval(arrived));
}
