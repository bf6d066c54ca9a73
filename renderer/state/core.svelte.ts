import type { Call, MethodName, Params, Result } from "../../core/rpc/contract.ts";
import { changeKinds, type EventName, type Events } from "../../core/rpc/messages.ts";
import type { CoreClient, LineState } from "../core-client.ts";
import { problemOf } from "../lib/problem.ts";
import type { Toasts } from "./toasts.svelte.ts";

type Listeners = { [Name in EventName]: ((data: Events[Name]) => void)[] };

/** The line to the core as the page sees it, and how many changes are on their way. */
export class Core {
  line = $state<LineState>("connecting");
  guest = $state(false);
  /** Changes that were asked for and not yet answered. */
  saving = $state(0);
  /** Rises with each change that is asked for, and again with its answer. */
  #turns = 0;
  /** Rises when everything must be asked for again: at the start, and after the core was gone. */
  arrivals = $state(0);
  readonly client: CoreClient;
  readonly #toasts: Toasts;
  /** The last start of the core that was heard of, and how far its changes were. */
  #seen = { instance: "", revision: 0 };
  readonly #listeners: Listeners = { hello: [], changed: [], history: [], job: [], device: [], run: [] };

  constructor(client: CoreClient, toasts: Toasts) {
    this.client = client;
    this.#toasts = toasts;
    client.onState((state) => (this.line = state));
    client.onEvent(({ event, data }) => {
      if (event === "changed") this.#seen = { ...this.#seen, revision: data.revision };
      this.#tell(event, data);
    });
    this.on("hello", ({ guest, instance, revision }) => {
      const seen = this.#seen;
      this.guest = guest;
      this.#seen = { instance, revision };
      this.arrivals += 1;
      if (seen.instance === "" || (seen.instance === instance && seen.revision === revision)) return;
      // What changed meanwhile was told to nobody, so that it may have been anything.
      this.#tell("changed", { kinds: changeKinds, imageIds: null, revision });
    });
  }

  #tell<Name extends EventName>(event: Name, data: Events[Name]): void {
    for (const listener of this.#listeners[event]) listener(data);
  }

  /** Asks for something; the caller handles a refusal. */
  readonly call: Call = (method, params) => this.client.call(method, params);

  on<Name extends EventName>(name: Name, listener: (data: Events[Name]) => void): void {
    this.#listeners[name].push(listener);
  }

  /** Changes something: counted for the saved mark, and a refusal is shown. Returns undefined after a refusal. */
  async change<Name extends MethodName>(method: Name, params: Params<Name>): Promise<Result<Name> | undefined> {
    this.saving += 1;
    this.#turns += 1;
    try {
      return await this.client.call(method, params);
    } catch (error) {
      this.refused(error);
      return undefined;
    } finally {
      this.saving -= 1;
      this.#turns += 1;
    }
  }

  /** Returns whether anything of the page's own was on its way at any time since then: what was asked for may lack it. */
  watchChanges(): () => boolean {
    const { saving } = this;
    const turns = this.#turns;
    return () => saving > 0 || this.#turns !== turns;
  }

  /** Shows why something did not work. */
  refused(error: unknown): void {
    const { message, hint } = problemOf(error);
    this.#toasts.show({ kind: "problem", message, hint });
  }
}
