/** A short word at the lower edge: what was done, with a way back, or what went wrong. */
export interface Toast {
  readonly id: number;
  readonly kind: "done" | "problem";
  readonly message: string;
  readonly hint?: string | undefined;
  /** What it is about: it takes the place of an older one about the same. */
  readonly topic?: string;
  readonly action?: { readonly title: string; readonly run: () => void } | undefined;
}

/** Long enough to read a line and reach for its button. */
const shownMs = 7000;
const mostAtOnce = 3;

export class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  #next = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  /** Shows a word; a problem stays until it is dismissed. */
  show(toast: Omit<Toast, "id">): number {
    const id = this.#next++;
    const isSame = (old: Toast): boolean =>
      (toast.topic !== undefined && old.topic === toast.topic) ||
      (old.kind === toast.kind && old.message === toast.message);
    const kept = this.list.filter((old) => !isSame(old)).slice(-(mostAtOnce - 1));
    for (const old of this.list) if (!kept.includes(old)) this.#forget(old.id);
    this.list = [...kept, { ...toast, id }];
    if (toast.kind === "done") this.#start(id);
    return id;
  }

  dismiss(id: number): void {
    this.#forget(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  /** Takes the newest word away; false where there is none. */
  dismissNewest(): boolean {
    const newest = this.list.at(-1);
    if (newest === undefined) return false;
    this.dismiss(newest.id);
    return true;
  }

  /** While the pointer or the focus is on the words, they stay. */
  hold(): void {
    for (const { id } of this.list) this.#forget(id);
  }

  release(): void {
    for (const { id, kind } of this.list) if (kind === "done") this.#start(id);
  }

  #start(id: number): void {
    this.#forget(id);
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), shownMs),
    );
  }

  #forget(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }
}
