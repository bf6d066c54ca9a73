/** A served library, and clients that say exactly what they are told to: also what no browser would. */
import { mkdirSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { afterAll } from "vitest";
import { WebSocket } from "ws";
import { openService, type Service } from "../../core/app.ts";
import type { MethodName, Params, Result } from "../../core/rpc/contract.ts";
import type { EventMessage, EventName, Events, Problem } from "../../core/rpc/messages.ts";
import { socketPath } from "../../core/rpc/paths.ts";
import { startServer, type Server, type ServeOptions } from "../../core/server/http.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { prepareLibrary } from "../helpers/workplace.ts";

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** One line from a page to the core. */
export interface Client {
  readonly socket: WebSocket;
  /** All events so far. */
  readonly events: readonly EventMessage[];
  call<Name extends MethodName>(method: Name, params: Params<Name>): Promise<Result<Name>>;
  /** The code with which a call is refused. */
  refusal(method: string, params: unknown): Promise<string>;
  /** Sends a frame as it is, and waits for the next answer without an id of ours. */
  send(frame: string | Buffer): Promise<Problem>;
  /** The next event of a name that fits, or one that has come already. */
  event<Name extends EventName>(name: Name, fits: (data: Events[Name]) => boolean): Promise<Events[Name]>;
}

export interface Served {
  readonly service: Service;
  readonly server: Server;
  readonly token: string;
  /** Asks for a path exactly as it is written, with the cookie of the owner unless headers say otherwise. */
  ask(path: string, asked?: Asked): Promise<Answered>;
  /** A client with a token; the owner's unless given. */
  connect(token?: string): Promise<Client>;
  cookie(token?: string): string;
}

/** A page of one file, for a server without a build. */
export function makePage(folder: string): string {
  mkdirSync(join(folder, "assets"), { recursive: true });
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>Dinoscope</title>");
  writeFileSync(join(folder, "assets", "page-abc123.js"), "export const page = 1;\n");
  return folder;
}

/** Serves a new library with the tiny model and `count` pictures in `folder`/photos that are not taken in yet. */
export async function serveLibrary(folder: string, count: number, options: ServeOptions = {}): Promise<Served> {
  const library = await prepareLibrary(join(folder, "library"));
  await drawPictures(join(folder, "photos"), count, { seed: 5 });
  const page = makePage(join(folder, "page"));
  const service = openService({ folder: library, holder: "dinoscope test", roots: [folder] });
  const server = await startServer(service, { page, guests: true, ...options });
  afterAll(async () => {
    await server.close();
    await service.close();
  });
  return clientsOf(service, server);
}

/** Clients for a server that runs. */
export function clientsOf(service: Service, server: Server): Served {
  const token = tokenOf(server.startUrl);
  const cookie = (value = token): string => `${server.cookieName}=${value}`;
  return {
    service,
    server,
    token,
    cookie,
    ask: (path, { method = "GET", headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const sent = httpRequest(
          { host: "127.0.0.1", port: server.port, path, method, headers: { cookie: cookie(), ...headers } },
          (response) => {
            const chunks: Buffer[] = [];
            response.on("data", (chunk: Buffer) => chunks.push(chunk));
            response.on("end", () =>
              resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
            );
            response.on("error", reject);
          },
        );
        sent.on("error", reject);
        sent.end(body);
      }),
    connect: (value = token) => connect(server, { cookie: cookie(value), origin: server.origin }),
  };
}

export function tokenOf(url: string | null): string {
  return new URL(url ?? "").searchParams.get("token") ?? "";
}

/** Opens a socket with these headers. Throws what the handshake was answered with. */
export function connect(
  server: Pick<Server, "port">,
  headers: Readonly<Record<string, string>>,
  path = socketPath,
): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers, perMessageDeflate: false });
  const events: EventMessage[] = [];
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (problem: ProblemError) => void }>();
  const listeners = new Set<(message: EventMessage) => void>();
  const strangers: ((problem: Problem) => void)[] = [];
  let nextId = 1;
  socket.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString("utf8")) as
      EventMessage | { readonly id: number | null; readonly result?: unknown; readonly error?: Problem };
    if ("event" in message) {
      events.push(message);
      for (const listener of [...listeners]) listener(message);
      return;
    }
    const asked = message.id === null ? undefined : waiting.get(message.id);
    if (asked === undefined) {
      if (message.error !== undefined) strangers.shift()?.(message.error);
    } else if (message.error === undefined) asked.resolve(message.result);
    else asked.reject(new ProblemError(message.error));
    waiting.delete(message.id ?? -1);
  });
  const call = (method: string, params: unknown): Promise<unknown> => {
    const id = nextId++;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, method, params }));
    });
  };
  const client: Client = {
    socket,
    events,
    call: <Name extends MethodName>(method: Name, params: Params<Name>) =>
      call(method, params) as Promise<Result<Name>>,
    refusal: async (method, params) => {
      try {
        await call(method, params);
      } catch (error) {
        if (error instanceof ProblemError) return error.problem.code;
        throw error;
      }
      throw new Error(`${method} was not refused.`);
    },
    send: (frame) =>
      new Promise((resolve) => {
        strangers.push(resolve);
        socket.send(frame);
      }),
    event: (name, fits) =>
      new Promise((resolve) => {
        const look = (message: EventMessage): void => {
          if (message.event !== name || !fits(message.data as Events[typeof name])) return;
          listeners.delete(look);
          resolve(message.data as Events[typeof name]);
        };
        listeners.add(look);
        [...events].forEach(look);
      }),
  };
  afterAll(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve(client));
    socket.on("error", reject);
  });
}

/** What a call was refused with. */
export class ProblemError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.message}`);
    this.problem = problem;
  }
}

/** Starts a job and waits for its end; throws where it does not end as done. */
export async function runJob(client: Client, request: Params<"jobs.start">): Promise<Events["job"]> {
  const { id } = await client.call("jobs.start", request);
  const view = await client.event("job", ({ job }) => job.id === id && job.finishedAt !== null);
  if (view.job.state !== "done") throw new Error(`${request.kind}: ${JSON.stringify(view.job.problem)}`);
  return view;
}
