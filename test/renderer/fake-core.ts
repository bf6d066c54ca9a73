/** A core at the other end of the line: it answers from a table, says what it was asked, and speaks up by itself. */
import type { EventMessage, EventName, Events } from "../../core/rpc/messages.ts";
import type { CoreClient } from "../../renderer/core-client.ts";

export interface FakeCore {
  readonly client: CoreClient;
  readonly asked: { readonly method: string; readonly params: unknown }[];
  /** What calls are answered with, by method; null where nothing is said. */
  readonly answers: Record<string, unknown>;
  say<Name extends EventName>(event: Name, data: Events[Name]): void;
}

export function fakeCore(): FakeCore {
  const asked: FakeCore["asked"][number][] = [];
  const answers: Record<string, unknown> = {};
  let listener: (message: EventMessage) => void = () => undefined;
  return {
    asked,
    answers,
    client: {
      call: (method, params) => {
        asked.push({ method, params });
        return Promise.resolve(answers[method] ?? null) as never;
      },
      bytes: () => Promise.reject(new Error("This core has no bytes.")),
      onEvent: (hear) => (listener = hear),
      onState: () => undefined,
      retry: () => undefined,
      close: () => undefined,
    },
    say: (event, data) => listener({ event, data } as EventMessage),
  };
}
