/**
 * The line to the core: calls and events over one WebSocket that comes back by itself, bytes over HTTP. Knows nothing of
 * what is said.
 */
import type { Call, MethodName, Params, Result } from "../core/rpc/contract.ts";
import type { Answer, EventMessage, Problem } from "../core/rpc/messages.ts";
import { socketPath } from "../core/rpc/paths.ts";
import { CallError } from "./lib/problem.ts";

/** What of a WebSocket is used; a test gives its own. */
export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: (() => void) | null;
}

/** `refused`: a core is there, but it was started anew and knows this page no more. */
export type LineState = "connecting" | "open" | "lost" | "refused";

export interface CoreClient {
  readonly call: Call;
  /** Bytes of a path of core/rpc/paths.ts. Throws CallError with what the core said. */
  bytes(path: string, options?: { body?: BodyInit | null; signal?: AbortSignal }): Promise<ArrayBuffer>;
  onEvent(listener: (message: EventMessage) => void): void;
  onState(listener: (state: LineState) => void): void;
  /** Tries again now rather than when the pause is over. */
  retry(): void;
  close(): void;
}

/**
 * Pauses before the line is tried again, in milliseconds; the last one from then on. A core that was killed is back in
 * about a second, and is noticed at once; one that stays away is left in peace.
 */
const pausesMs: readonly number[] = [...new Array<number>(15).fill(200), 500, 1200, 2500, 5000];

const cut: Problem = {
  code: "core-gone",
  message: "Dinoscope's core does not answer.",
  hint: "It is asked again and again; nothing that was saved is lost.",
};

/** Opens the line with `open`, and again whenever it is cut. */
export function connectCore(open: () => Socket): CoreClient {
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: CallError) => void }>();
  const eventListeners: ((message: EventMessage) => void)[] = [];
  const stateListeners: ((state: LineState) => void)[] = [];
  let socket: Socket | null = null;
  let ready = false;
  let closed = false;
  let failures = 0;
  let nextId = 1;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const say = (state: LineState): void => {
    for (const listener of stateListeners) listener(state);
  };

  function start(): void {
    clearTimeout(timer);
    const line = open();
    socket = line;
    line.onopen = () => {
      ready = true;
      failures = 0;
      say("open");
    };
    line.onmessage = ({ data }) => receive(String(data));
    line.onclose = () => {
      if (socket !== line) return;
      socket = null;
      ready = false;
      for (const { reject } of waiting.values()) reject(new CallError(cut));
      waiting.clear();
      if (closed) return;
      say("lost");
      void asked().then((known) => {
        if (!known && !ready && !closed) say("refused");
      });
      timer = setTimeout(start, pausesMs[Math.min(failures, pausesMs.length - 1)]);
      failures += 1;
    };
  }

  function receive(text: string): void {
    const message = JSON.parse(text) as Answer | EventMessage;
    if ("event" in message) {
      for (const listener of eventListeners) listener(message);
      return;
    }
    const asked = message.id === null ? undefined : waiting.get(message.id);
    if (asked === undefined || message.id === null) return;
    waiting.delete(message.id);
    if ("error" in message) asked.reject(new CallError(message.error));
    else asked.resolve(message.result);
  }

  function call<Name extends MethodName>(method: Name, params: Params<Name>): Promise<Result<Name>> {
    const line = socket;
    if (line === null || !ready) return Promise.reject(new CallError(cut));
    const id = nextId++;
    return new Promise<Result<Name>>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      line.send(JSON.stringify({ id, method, params }));
    });
  }

  start();
  return {
    call,
    bytes: fetchBytes,
    onEvent: (listener) => void eventListeners.push(listener),
    onState: (listener) => void stateListeners.push(listener),
    retry: () => {
      if (socket === null && !closed) start();
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
      socket?.close();
    },
  };
}

/** Whether the core, where it answers at all, still lets this page in. */
async function asked(): Promise<boolean> {
  const response = await fetch("/", { method: "HEAD", cache: "no-store" }).catch(() => null);
  return response?.status !== 401;
}

async function fetchBytes(
  path: string,
  { body = null, signal }: { body?: BodyInit | null; signal?: AbortSignal } = {},
): Promise<ArrayBuffer> {
  const response = await fetch(path, {
    method: body === null ? "GET" : "POST",
    body,
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error;
    throw new CallError(cut);
  });
  if (response.ok) return response.arrayBuffer();
  const said = (await response.json().catch(() => null)) as Problem | null;
  throw new CallError(said ?? { code: "http", message: `The core answered ${response.status} to ${path}.` });
}

/** The WebSocket of the core that served this page. */
export function pageSocket(): Socket {
  const address = new URL(socketPath, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(address) as Socket;
}
