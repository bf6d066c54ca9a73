/** Messages and events: one WebSocket for each page. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import type { Service } from "../app.ts";
import { closeCodes, type Answer, type EventMessage } from "../rpc/messages.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { refuseConnection } from "./answer.ts";

export interface SocketLimits {
  /** Pages at once, and how many of them may be guests': the owner finds room whatever they do. */
  readonly connections: number;
  readonly guests: number;
  /** Bytes of a message that is answered; twice as many end the connection. */
  readonly messageBytes: number;
  /** Messages a second, on average, and at once. */
  readonly messagesPerSecond: number;
  readonly burst: number;
  /** Calls of one page that are not answered yet. */
  readonly pending: number;
  /** Bytes that wait to be taken; a page that lets more gather is dropped. */
  readonly bufferedBytes: number;
  /** How often a page must show that it is there. */
  readonly pingMs: number;
}

export const socketLimits: SocketLimits = {
  connections: 32,
  guests: 24,
  messageBytes: 16 * 2 ** 20,
  messagesPerSecond: 200,
  burst: 1000,
  pending: 256,
  bufferedBytes: 32 * 2 ** 20,
  pingMs: 30_000,
};

export interface Sockets {
  /** Takes over a connection that the guard let in. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, caller: { readonly guest: boolean }): void;
  close(): void;
}

export function createSockets(service: Service, limits: SocketLimits = socketLimits): Sockets {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 2 * limits.messageBytes,
    // The guard has looked at everything; there is nothing to agree on.
    handleProtocols: () => false,
  });
  const alive = new WeakSet<WebSocket>();
  const guests = new WeakSet<WebSocket>();
  const send = (socket: WebSocket, text: string): void => {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > limits.bufferedBytes) {
      // It takes nothing, so it would not take a farewell either.
      socket.terminate();
      return;
    }
    socket.send(text);
  };
  const off = service.on((message: EventMessage) => {
    if (server.clients.size === 0) return;
    const text = JSON.stringify(message);
    let guestText: string | undefined;
    for (const socket of server.clients) {
      if (guests.has(socket)) send(socket, (guestText ??= JSON.stringify(service.forGuests(message))));
      else send(socket, text);
    }
  });
  const pings = setInterval(() => {
    for (const socket of server.clients) {
      if (!alive.has(socket)) socket.terminate();
      alive.delete(socket);
      socket.ping();
    }
  }, limits.pingMs).unref();

  const listen = (socket: WebSocket, caller: { readonly guest: boolean }): void => {
    const takeMessage = createBucket(limits);
    let pending = 0;
    alive.add(socket);
    if (caller.guest) guests.add(socket);
    socket.on("pong", () => alive.add(socket));
    // A frame that breaks the protocol ends its connection, which ws does by itself.
    socket.on("error", () => {});
    const reply = (answer: Answer): void => send(socket, JSON.stringify(answer));
    socket.on("message", (data, isBinary) => {
      const verdict = takeMessage();
      if (verdict === "end") {
        socket.close(closeCodes.tooFast, "too many messages");
        return;
      }
      void (async () => {
        let id: number | null = null;
        try {
          const request = readRequest(data, isBinary, limits.messageBytes);
          ({ id } = request);
          if (verdict === "refuse" || pending >= limits.pending) {
            throw new CoreError("too-many-calls", "Calls come faster than they can be answered.", {
              hint: "Wait for answers before asking more.",
            });
          }
          pending += 1;
          try {
            reply({ id, result: (await service.call(request.method, request.params, caller)) ?? null });
          } finally {
            pending -= 1;
          }
        } catch (error) {
          if (id === null && error instanceof BadMessage) id = error.id;
          reply({ id, error: errorRecord(error instanceof BadMessage ? error.problem : error) });
        }
      })();
    });
    send(socket, JSON.stringify(service.hello(caller)));
  };

  return {
    accept: (request, socket, head, caller) => {
      const guestsHere = [...server.clients].filter((client) => guests.has(client)).length;
      if (server.clients.size >= limits.connections || (caller.guest && guestsHere >= limits.guests)) {
        refuseConnection(socket, 503);
        return;
      }
      server.handleUpgrade(request, socket, head, (webSocket) => {
        server.clients.add(webSocket);
        listen(webSocket, caller);
      });
    },
    close: () => {
      off();
      clearInterval(pings);
      for (const socket of server.clients) socket.close(closeCodes.goingAway, "closing");
      server.close();
      // Whoever does not answer the farewell is cut off.
      setTimeout(() => server.clients.forEach((socket) => socket.terminate()), 1000).unref();
    },
  };
}

/** A message that is no call; `id` is what it said it was, as far as it could be read. */
class BadMessage extends Error {
  readonly id: number | null;
  readonly problem: CoreError;
  constructor(id: number | null, problem: CoreError) {
    super(problem.message);
    this.id = id;
    this.problem = problem;
  }
}

function readRequest(
  data: RawData,
  isBinary: boolean,
  limit: number,
): { readonly id: number; readonly method: string; readonly params: unknown } {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
  if (bytes.length > limit) {
    throw new BadMessage(null, new CoreError("message-too-large", `A message may have ${limit} bytes at most.`));
  }
  let message: unknown;
  try {
    message = isBinary ? undefined : JSON.parse(bytes.toString("utf8"));
  } catch {
    message = undefined;
  }
  const { id, method, params } = (typeof message === "object" && message !== null ? message : {}) as Record<
    string,
    unknown
  >;
  const known = typeof id === "number" && Number.isSafeInteger(id) ? id : null;
  if (known === null || typeof method !== "string") {
    throw new BadMessage(
      known,
      new CoreError(
        "message-invalid",
        "A message must be JSON text: { id, method, params }, with a whole number as id.",
      ),
    );
  }
  return { id: known, method, params: params ?? {} };
}

/** Lets messages through at a rate: first with calls refused, and the connection ended for who goes on regardless. */
function createBucket({ burst, messagesPerSecond }: SocketLimits): () => "take" | "refuse" | "end" {
  let level = burst;
  let at = Date.now();
  return () => {
    const now = Date.now();
    level = Math.min(burst, level + ((now - at) / 1000) * messagesPerSecond) - 1;
    at = now;
    return level >= 0 ? "take" : level > -2 * burst ? "refuse" : "end";
  };
}
