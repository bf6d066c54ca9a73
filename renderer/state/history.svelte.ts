import type { Operation } from "../../core/rpc/records.ts";
import type { HistoryState } from "../../core/rpc/views.ts";
import type { Core } from "./core.svelte.ts";
import type { Toasts } from "./toasts.svelte.ts";

/** What was done and can be taken back: kept in the library, so it survives a restart. */
export class History {
  next = $state.raw<HistoryState>({ undo: null, redo: null });
  operations = $state.raw<readonly Operation[]>([]);
  /** Something that is not done yet and would be the last: undoing it first is what people mean. */
  pending = $state.raw<{ readonly summary: string; readonly back: () => void } | null>(null);
  /** Called when something was taken back or done again, so that it is shown at once. */
  after: () => void = () => undefined;
  readonly #core: Core;
  readonly #toasts: Toasts;

  constructor(core: Core, toasts: Toasts) {
    this.#core = core;
    this.#toasts = toasts;
    core.on("history", (state) => (this.next = state));
  }

  /** The list for the history panel, newest first. */
  async load(): Promise<void> {
    const { operations, undo, redo } = await this.#core.call("history.list", { limit: 200 });
    this.operations = operations;
    this.next = { undo, redo };
  }

  async undo(): Promise<void> {
    const { pending } = this;
    if (pending !== null) {
      this.pending = null;
      return pending.back();
    }
    const undone = await this.#core.change("history.undo", {});
    if (undone === undefined) return;
    this.after();
    if (undone === null) this.#toasts.show({ kind: "done", topic: "history", message: "There is nothing to undo." });
    else this.#say("Undone", undone, { title: "Redo", run: () => void this.redo() });
  }

  async redo(): Promise<void> {
    const redone = await this.#core.change("history.redo", {});
    if (redone === undefined) return;
    this.after();
    if (redone === null) this.#toasts.show({ kind: "done", topic: "history", message: "There is nothing to redo." });
    else this.#say("Done again", redone, { title: "Undo", run: () => void this.undo() });
  }

  /** Goes back or forth until this operation is the newest that is done; 0 undoes all. */
  async goTo(operationId: number): Promise<void> {
    await this.#core.change("history.goTo", { operationId });
    this.after();
    await this.load();
  }

  /** Says what was done, with a way back. Nothing for null: nothing changed. */
  told(operation: Operation | null): void {
    if (operation === null) return;
    const { id } = operation;
    this.#toasts.show({
      kind: "done",
      topic: "history",
      message: operation.summary,
      action: { title: "Undo", run: () => void this.#takeBack(id) },
    });
  }

  /** Undoes one operation where it is the newest, and opens no surprises where it is not. */
  async #takeBack(id: number): Promise<void> {
    if (this.next.undo?.id === id) return this.undo();
    this.#toasts.show({
      kind: "done",
      topic: "history",
      message: "Something else was done since. The history shows it.",
    });
  }

  #say(word: string, { summary }: Operation, action: { title: string; run: () => void }): void {
    this.#toasts.show({ kind: "done", topic: "history", message: `${word}: ${summary}`, action });
  }
}
