import { IdSet } from "../lib/id-set.ts";

/** Images in the order in which they are shown. */
export interface Order {
  readonly count: number;
  idAt(at: number): number | undefined;
  /** Place of an image, or -1 where it is not shown. */
  placeOf(id: number): number;
}

/**
 * The selected images, shared by all views. Kept as bits outside the reactive graph: whoever shows it reads `version` by
 * calling `has`, so selecting 100,000 images costs one change and not as many.
 */
export class Selection {
  /** Whether an image can be seen where the user is: what cannot is no act's target, whatever is remembered of it. */
  isListed: (id: number) => boolean = () => true;
  /** The image that was pointed at last; it has the focus ring. Null before anything was. */
  focus = $state<number | null>(null);
  #version = $state(0);
  #ids = new IdSet();
  /** Where a range starts. */
  #anchor: number | null = null;
  /** What was selected when a range or a box was begun. */
  #base = new IdSet();

  /** Rises with every change; for effects that follow the selection. */
  get version(): number {
    return this.#version;
  }

  get count(): number {
    void this.#version;
    return this.#ids.size;
  }

  has(id: number): boolean {
    void this.#version;
    return this.#ids.has(id);
  }

  /** The selected ids, for who looks at very many at once: reading it is not noticed, unlike `version`. */
  get marks(): { has(id: number): boolean } {
    return this.#ids;
  }

  /** The ids as bits, for going through many images: one dependency and not one for each. Not to be changed. */
  bits(): Pick<IdSet, "has" | "size"> {
    void this.#version;
    return this.#ids;
  }

  /** Ids in rising order. */
  ids(): number[] {
    void this.#version;
    return [...this.#ids.values()];
  }

  /** The focused image where it can be seen; null else. */
  get pointed(): number | null {
    return this.focus !== null && this.isListed(this.focus) ? this.focus : null;
  }

  /** What an act is about: the selected images, or else the focused one; never one that cannot be seen. */
  target(): number[] {
    if (this.count > 0) return this.ids().filter((id) => this.isListed(id));
    return this.pointed === null ? [] : [this.pointed];
  }

  /** Lets go of what is not on a list any more. */
  keepTo(order: Pick<Order, "placeOf">): void {
    const on = (id: number | null): number | null => (id !== null && order.placeOf(id) >= 0 ? id : null);
    const kept = new IdSet([...this.#ids.values()].filter((id) => order.placeOf(id) >= 0));
    const isWhole = kept.size === this.#ids.size && on(this.focus) === this.focus && on(this.#anchor) === this.#anchor;
    if (isWhole) return;
    this.#ids = kept;
    this.#settle(on(this.#anchor), on(this.focus));
  }

  /** One image and no other. */
  only(id: number): void {
    this.#ids.clear();
    this.#ids.add(id);
    this.#settle(id, id);
  }

  /** In or out, beside what is selected. */
  toggle(id: number): void {
    if (this.#ids.has(id)) this.#ids.delete(id);
    else this.#ids.add(id);
    this.#settle(id, id);
  }

  /** All images from where the last click was to this one; with `add`, beside what was selected then. */
  range(order: Order, id: number, add = false): void {
    const from = this.#anchor === null ? -1 : order.placeOf(this.#anchor);
    const to = order.placeOf(id);
    if (from < 0 || to < 0) return this.only(id);
    this.#ids = add ? this.#base.copy() : new IdSet();
    for (let at = Math.min(from, to); at <= Math.max(from, to); at++) this.#addAt(order, at);
    this.focus = id;
    this.#version += 1;
  }

  all(order: Order): void {
    this.#ids.clear();
    for (let at = 0; at < order.count; at++) this.#addAt(order, at);
    this.#settle(this.#anchor, this.focus);
  }

  invert(order: Order): void {
    const before = this.#ids;
    this.#ids = new IdSet();
    for (let at = 0; at < order.count; at++) {
      const id = order.idAt(at);
      if (id !== undefined && !before.has(id)) this.#ids.add(id);
    }
    this.#settle(this.#anchor, this.focus);
  }

  /** These images and no others; the focus stays where it is. */
  replace(ids: Iterable<number>): void {
    this.#ids = new IdSet(ids);
    this.#settle(this.#anchor, this.focus);
  }

  /** Starts a box or a lasso; `add` keeps what is selected. */
  begin(add: boolean): void {
    this.#base = add ? this.#ids.copy() : new IdSet();
  }

  /** What the box or the lasso holds now, beside what was kept. */
  sweep(ids: Iterable<number>): void {
    this.#ids = this.#base.copy();
    for (const id of ids) this.#ids.add(id);
    this.#version += 1;
  }

  clear(): void {
    if (this.#ids.size === 0) return;
    this.#ids.clear();
    this.#settle(this.#anchor, this.focus);
  }

  /** Points at an image without selecting it. */
  point(id: number | null): void {
    this.focus = id;
    this.#anchor = id;
  }

  #addAt(order: Order, at: number): void {
    const id = order.idAt(at);
    if (id !== undefined) this.#ids.add(id);
  }

  #settle(anchor: number | null, focus: number | null): void {
    this.#anchor = anchor;
    this.focus = focus;
    this.#base = this.#ids.copy();
    this.#version += 1;
  }
}
