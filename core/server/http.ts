/** The server: the page, bytes and messages on one origin. */
import { readFile } from "node:fs/promises";
import {
  createServer as createHttp,
  type IncomingMessage,
  type RequestListener,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Service } from "../app.ts";
import { socketPath, ticketPath } from "../rpc/paths.ts";
import { CoreError } from "../util/errors.ts";
import { refuseConnection, sendError, sendText } from "./answer.ts";
import { builtPage, sendPageFile } from "./files.ts";
import { createGuard, createToken, type Guard } from "./guard.ts";
import { pageHeaders } from "./headers.ts";
import { createRoutes } from "./routes.ts";
import { createSockets, socketLimits, type SocketLimits } from "./socket.ts";

export interface ServeOptions {
  /** 0 takes any free one. */
  readonly port?: number;
  /** 32 bytes in hex; a new one unless given. */
  readonly token?: string;
  /** Also lets in those who may only look, with a token of their own. */
  readonly guests?: boolean;
  /** Name or address by which other machines reach this one; needs `tls`. Only this machine unless given. */
  readonly host?: string;
  /** Files with the certificate and its key, in PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Folder of the built page. */
  readonly page?: string;
  readonly limits?: Partial<SocketLimits>;
  readonly timeouts?: Partial<Timeouts>;
}

export interface Server {
  readonly port: number;
  /** What the address of the page begins with. */
  readonly origin: string;
  /** The address to open once: it brings the token. */
  readonly startUrl: string;
  readonly guestUrl: string | null;
  /** The cookie that a token is kept in; Electron sets it by itself. */
  readonly cookieName: string;
  /** Ends all connections, and stops listening. The service stays open. */
  close(): Promise<void>;
}

/** Connections at once, sockets among them. */
const maximalConnections = 512;

/** How long a client may take. */
export interface Timeouts {
  readonly headersMs: number;
  /** For a whole request. */
  readonly requestMs: number;
  /** While nothing moves, either way. */
  readonly idleMs: number;
}

const usualTimeouts: Timeouts = { headersMs: 10_000, requestMs: 60_000, idleMs: 30_000 };

/** How long a refused request is listened to. */
const lastWordMs = 2000;

const loopback = "127.0.0.1";

/**
 * Serves a library. Throws `tls-missing` for another machine without a certificate, `host-invalid` for an address that
 * means all of them, `port-taken`.
 */
export async function startServer(service: Service, options: ServeOptions = {}): Promise<Server> {
  const { port = 0, token = createToken(), guests = false, page = builtPage, limits } = options;
  const host = checkedHost(options);
  const http = await createListener(options.tls, { ...usualTimeouts, ...options.timeouts });
  await listen(http, host, port);
  const actual = (http.address() as AddressInfo).port;
  const scheme = options.tls === undefined ? "http" : "https";
  const named = host.includes(":") ? `[${host}]` : host;
  // URL leaves out the port that a scheme has by itself, as browsers do.
  const { origin } = new URL(`${scheme}://${named}:${actual}`);
  const guestToken = guests ? createToken() : null;
  const guard = createGuard({ token, guestToken, origin });
  const sockets = createSockets(service, { ...socketLimits, ...limits });
  const routes = createRoutes(service);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isPost = request.method === "POST";
    if (!isPost && request.method !== "GET" && request.method !== "HEAD") {
      throw new CoreError("method-refused", "Only GET, HEAD and POST are answered.");
    }
    const purpose = isPost ? "post" : "get";
    const { url: path = "" } = request;
    // Not by resolving: to a browser `//name/` is another server.
    const url = new URL(path.startsWith("/") ? origin + path : origin);
    const enters = !isPost && url.pathname === "/";
    const hasTicket = enters && url.searchParams.has("ticket");
    const place = guard.checkPlace(request.headers, hasTicket ? "ticket" : purpose);
    if (!place.ok) return refuse(response, place);
    if (!path.startsWith("/")) throw new CoreError("not-found", "There is no such page.");
    if (hasTicket) return enterByTicket(guard, url, response);
    if (enters && url.searchParams.has("token")) return enter(guard, url, response);
    const verdict = guard.check(request.headers, purpose);
    if (!verdict.ok) return refuse(response, verdict);
    if (isPost && url.pathname === ticketPath && !verdict.guest) {
      return sendText(response, 200, guard.createTicket());
    }
    if (isPost ? await routes.post(request, response, url, verdict.guest) : await routes.get(request, response, url))
      return;
    if (isPost) throw new CoreError("not-found", "There is nothing to post to here.");
    await sendPageFile(request, response, page, url.pathname);
  };
  const onRequest: RequestListener = (request, response) => {
    request.on("error", () => {});
    answer(request, response).catch((error: unknown) => {
      if (!request.complete) letGo(request, response);
      sendError(response, error);
    });
  };
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => {});
    const verdict = guard.check(request.headers, "socket");
    const isOurs = request.url === socketPath && request.headers.upgrade?.toLowerCase() === "websocket";
    if (verdict.ok && isOurs) {
      sockets.accept(request, socket, head, verdict);
      return;
    }
    refuseConnection(socket, verdict.ok ? 404 : verdict.status);
  };
  http.on("request", onRequest).on("upgrade", onUpgrade);
  // After the caller has said where we listen: the page that comes then is met half way.
  const preparing = setImmediate(() => service.prepare());
  return {
    port: actual,
    origin,
    startUrl: `${origin}/?token=${token}`,
    guestUrl: guestToken === null ? null : `${origin}/?token=${guestToken}`,
    cookieName: guard.cookieName,
    close: async () => {
      clearImmediate(preparing);
      sockets.close();
      await new Promise<void>((resolve) => {
        http.close(() => resolve());
        http.closeIdleConnections();
        setTimeout(() => http.closeAllConnections(), 500).unref();
      });
    },
  };
}

/**
 * Ends the connection of a request that was refused before all of it had come. What still comes is thrown away for a
 * moment: a connection that is cut at once takes the refusal with it.
 */
function letGo(request: IncomingMessage, response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("Connection", "close");
  request.resume();
  const cut = setTimeout(() => request.destroy(), lastWordMs).unref();
  request.once("close", () => clearTimeout(cut));
}

/** The start address: its token goes into a cookie that no script reads, and out of the address. */
function enter(guard: Guard, url: URL, response: ServerResponse): void {
  const token = url.searchParams.get("token") ?? "";
  if (guard.callerOf(token) === null) return refuseEntry(response);
  url.searchParams.delete("token");
  response.writeHead(303, { ...pageHeaders, Location: `/${url.search}`, "Set-Cookie": guard.cookie(token) });
  response.end();
}

/**
 * The same for a ticket, which comes from a file: a browser sends no strict cookie to where another site's page leads, so
 * that it is a page of ours which leads on.
 */
function enterByTicket(guard: Guard, url: URL, response: ServerResponse): void {
  const token = guard.redeem(url.searchParams.get("ticket") ?? "");
  if (token === null) return refuseEntry(response);
  response.setHeader("Set-Cookie", guard.cookie(token));
  const page = '<!doctype html><meta http-equiv="refresh" content="0; url=/"><title>Dinoscope</title>';
  sendText(response, 200, page, "text/html; charset=utf-8");
}

function refuseEntry(response: ServerResponse): void {
  sendText(response, 401, "This address is of an earlier start. Open the one that Dinoscope printed last.\n");
}

function refuse(
  response: ServerResponse,
  verdict: { readonly status: 401 | 403; readonly code: string; readonly message: string },
): void {
  sendError(response, new CoreError(verdict.code, verdict.message), verdict.status);
}

function checkedHost({ host = loopback, tls }: ServeOptions): string {
  if (host === loopback) return host;
  if (meansEveryAddress(host)) {
    throw new CoreError(
      "host-invalid",
      `${host === "" ? "An empty host" : host} means every address of this machine.`,
      {
        hint: "Name the one that others use, such as --host shelf.example.org or --host 192.168.1.20.",
      },
    );
  }
  if (tls === undefined) {
    throw new CoreError("tls-missing", `Serving other machines (--host ${host}) needs a certificate.`, {
      hint:
        "Give --tls-cert FILE and --tls-key FILE. For a network of your own: openssl req -x509 -newkey rsa:3072 -nodes " +
        `-days 365 -subj /CN=${host} -addext subjectAltName=DNS:${host} -keyout key.pem -out cert.pem`,
    });
  }
  return host;
}

/** Whether a host is all addresses at once, in any spelling: `0`, `0x0` and `::0` are, too. */
function meansEveryAddress(host: string): boolean {
  if (host === "*" || host === "") return true;
  const name = URL.parse(`http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}`)?.hostname;
  return ["0.0.0.0", "[::]", "[::ffff:0:0]"].includes(name ?? "");
}

async function createListener(tls: ServeOptions["tls"], timeouts: Timeouts): Promise<HttpServer> {
  const limits = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: 5000,
    connectionsCheckingInterval: Math.min(2000, timeouts.headersMs / 2),
    maxHeaderSize: 16_384,
  };
  const http = tls === undefined ? createHttp(limits) : createSecure({ ...limits, ...(await readPair(tls)) });
  http.maxConnections = maximalConnections;
  http.maxHeadersCount = 100;
  // Counts only while nothing moves: a client that takes nothing of an answer is let go of.
  http.setTimeout(timeouts.idleMs, (socket) => socket.destroy());
  http.on("clientError", (_, socket) => {
    if (socket.writable) refuseConnection(socket, 400);
    else socket.destroy();
  });
  return http;
}

function createSecure(options: Parameters<typeof createHttps>[0]): HttpServer {
  try {
    return createHttps(options);
  } catch (cause) {
    throw new CoreError("tls-invalid", "The certificate and its key cannot be used.", {
      hint: "Both must be PEM files, and the key must be that of the certificate.",
      cause,
    });
  }
}

async function readPair({
  certificate,
  key,
}: NonNullable<ServeOptions["tls"]>): Promise<{ cert: Buffer; key: Buffer }> {
  const read = (path: string): Promise<Buffer> =>
    readFile(path).catch((cause: unknown) => {
      throw new CoreError("tls-missing", `The file ${path} cannot be read.`, { cause });
    });
  return { cert: await read(certificate), key: await read(key) };
}

function listen(http: HttpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      reject(
        taken
          ? new CoreError("port-taken", `Another program has port ${port}.`, {
              hint: "Choose another, or none: --port 0.",
            })
          : new CoreError("host-invalid", `${host}:${port} cannot be listened on: ${error.message}`, { cause: error }),
      );
    });
    http.listen({ host, port }, () => resolve());
  });
}
