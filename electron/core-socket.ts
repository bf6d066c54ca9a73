/** Main's own connection to the core, by the same contract as the page's: it follows jobs and stops them. */
import { WebSocket } from "ws";
import type { Call, MethodName, Params, Result } from "../core/rpc/contract.ts";
import type { Answer, EventMessage } from "../core/rpc/messages.ts";
import { socketPath } from "../core/rpc/paths.ts";
import type { CoreReady } from "./core-process.ts";

export interface CoreSocket {
  readonly call: Call;
  close(): void;
}

/** Milliseconds before a connection that broke is tried again. */
const retryMs = 500;
/** Milliseconds that an answer may take. */
const answerMs = 15_000;

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/** Connects, and again whenever the connection breaks, until `close`. `onOpen` comes with every connection. */
export function openCoreSocket(
  { origin, token }: CoreReady,
  onEvent: (message: EventMessage) => void,
  onOpen: () => void,
): CoreSocket {
  let nextId = 1;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;
  const pending = new Map<number, Pending>();

  const failAll = (reason: string): void => {
    for (const { reject } of pending.values()) reject(new Error(reason));
    pending.clear();
  };

  const connect = (): WebSocket => {
    const opened = new WebSocket(`${origin.replace("http:", "ws:")}${socketPath}`, {
      origin,
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
    });
    opened.on("open", onOpen);
    opened.on("message", (data: Buffer) => {
      // The core is ours and on this machine: what it sends is of the contract.
      const message = JSON.parse(data.toString("utf8")) as Answer | EventMessage;
      if ("event" in message) return onEvent(message);
      if (message.id === null) return;
      const call = pending.get(message.id);
      pending.delete(message.id);
      if ("result" in message) call?.resolve(message.result as never);
      else call?.reject(new Error(message.error.message));
    });
    opened.on("error", () => {});
    opened.on("close", () => {
      failAll("The connection to the core broke.");
      if (!closed) retry = setTimeout(() => (socket = connect()), retryMs);
    });
    return opened;
  };
  let socket = connect();

  const call = <Name extends MethodName>(method: Name, params: Params<Name>): Promise<Result<Name>> =>
    new Promise((resolve, reject) => {
      if (socket.readyState !== WebSocket.OPEN) throw new Error("The core is not connected.");
      const id = nextId++;
      const overdue = setTimeout(() => {
        if (pending.delete(id)) reject(new Error(`The core did not answer ${method} in ${answerMs / 1000} s.`));
      }, answerMs);
      const settled = <Value>(settle: (value: Value) => void) => {
        return (value: Value): void => {
          clearTimeout(overdue);
          settle(value);
        };
      };
      pending.set(id, { resolve: settled(resolve), reject: settled(reject) });
      socket.send(JSON.stringify({ id, method, params }));
    });

  return {
    call,
    close: () => {
      closed = true;
      clearTimeout(retry);
      socket.close();
      failAll("The connection to the core was closed.");
    },
  };
}
