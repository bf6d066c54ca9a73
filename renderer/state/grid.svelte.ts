import { beside, boxOf, layRows, picturesBetween, totalHeight, type GridRows } from "../lib/rows.ts";
import type { Images } from "./images.svelte.ts";
import type { Preferences } from "./preferences.svelte.ts";
import type { Selection } from "./selection.svelte.ts";

export type Direction = "left" | "right" | "up" | "down" | "start" | "end" | "page-up" | "page-down";

/** Space between pictures, and around them all. */
const gap = 4;
export const gridMargin = 12;
/** Space below the last row, for what floats there: neither it nor the focus is ever covered. */
const foot = 60;
/** Browsers lose track of positions beyond about 33 million pixels; longer grids scroll faster than the wheel. */
const tallestPage = 15_000_000;
/** Rows above and below the window that are kept ready. */
const spare = 400;
/** After this pause a fast scroll is over, and pictures are fetched again. */
const settleMs = 110;

/** Where the pictures of the grid are, and which of them are on screen. */
export class Grid {
  /** Inner size of the grid's window, in pixels. */
  width = $state(0);
  height = $state(0);
  /** True while the grid flies past: pictures on the way are not fetched. */
  rushing = $state(false);
  #scrolled = $state(0);
  readonly rows: GridRows = $derived.by(() => {
    const { zoom, layout } = this.#preferences.choices;
    const width = Math.max(80, this.width - 2 * gridMargin);
    return layRows(this.#images.columns.aspects, { width, height: Math.min(zoom, width), gap, layout });
  });
  readonly #tall = $derived(totalHeight(this.rows) + 2 * gridMargin + foot);
  readonly pageHeight = $derived(Math.min(this.#tall, tallestPage));
  /** Pixels of the layout a pixel of scrolling. */
  readonly #scale = $derived(
    this.#tall <= tallestPage ? 1 : (this.#tall - this.height) / Math.max(1, this.pageHeight - this.height),
  );
  /** Upper edge of the window in the layout. */
  readonly top = $derived(this.#scrolled * this.#scale);
  /** What to add to a place in the layout to get its place on the page. */
  readonly shift = $derived(this.#scrolled - this.top + gridMargin);
  readonly visible = $derived(picturesBetween(this.rows, this.top - spare, this.top + this.height + spare));
  /** The element that scrolls. */
  viewport: HTMLElement | null = null;
  readonly #images: Images;
  readonly #selection: Selection;
  readonly #preferences: Preferences;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(images: Images, selection: Selection, preferences: Preferences) {
    this.#images = images;
    this.#selection = selection;
    this.#preferences = preferences;
  }

  /** Follows the scroll bar. */
  scrolled(to: number): void {
    const far = Math.abs(to - this.#scrolled) * this.#scale > this.height;
    this.#scrolled = to;
    if (far) this.rushing = true;
    if (!this.rushing) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.rushing = false), settleMs);
  }

  /** Scrolls as little as shows an image whole. */
  reveal(id: number): void {
    const at = this.#images.placeOf(id);
    const { viewport } = this;
    if (at < 0 || viewport === null) return;
    const box = boxOf(this.rows, at);
    const above = box.top < this.top + gridMargin;
    const below = box.top + box.height + 2 * gridMargin + foot > this.top + this.height;
    if (above) viewport.scrollTop = Math.max(0, box.top - gridMargin) / this.#scale;
    else if (below) viewport.scrollTop = (box.top + box.height + 2 * gridMargin + foot - this.height) / this.#scale;
  }

  /** Moves the focus; `extend` selects everything on the way. */
  move(direction: Direction, extend: boolean): void {
    const selection = this.#selection;
    const from = selection.focus === null ? -1 : this.#images.placeOf(selection.focus);
    const id = this.#images.idAt(from < 0 ? 0 : this.#next(direction, from));
    if (id === undefined) return;
    if (extend) selection.range(this.#images, id);
    else {
      selection.clear();
      selection.point(id);
    }
    this.reveal(id);
  }

  #next(direction: Direction, from: number): number {
    const last = this.#images.count - 1;
    switch (direction) {
      case "left":
        return Math.max(0, from - 1);
      case "right":
        return Math.min(last, from + 1);
      case "up":
        return beside(this.rows, from, -1);
      case "down":
        return beside(this.rows, from, 1);
      case "start":
        return 0;
      case "end":
        return last;
      case "page-up":
      case "page-down": {
        const by = direction === "page-down" ? 1 : -1;
        const start = boxOf(this.rows, from).top;
        let at = from;
        for (;;) {
          const next = beside(this.rows, at, by);
          if (next === at || Math.abs(boxOf(this.rows, next).top - start) > this.height * 0.9) return at;
          at = next;
        }
      }
    }
  }
}
