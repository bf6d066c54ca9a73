import { decodeImages, imageFlags, type ImageColumns } from "../../core/rpc/columns.ts";
import type { ImageQuery } from "../../core/rpc/contract.ts";
import type { ChangeKind, Problem } from "../../core/rpc/messages.ts";
import { imagesRequest } from "../../core/rpc/paths.ts";
import { problemOf } from "../lib/problem.ts";
import { calmly } from "../lib/calmly.ts";
import type { Core } from "./core.svelte.ts";
import type { Order } from "./selection.svelte.ts";

const none: ImageColumns = {
  ids: new Uint32Array(),
  sourceIds: new Uint32Array(),
  labelIds: new Uint32Array(),
  suggestedLabelIds: new Uint32Array(),
  clusterIds: new Uint32Array(),
  versions: new Uint32Array(),
  aspects: new Float32Array(),
  scores: new Float32Array(),
  confidences: new Float32Array(),
  flags: new Uint8Array(),
};

/** Parts of the library that the list shows. */
const shown: readonly ChangeKind[] = [
  "sources",
  "images",
  "annotations",
  "suggestions",
  "clusters",
  "masks",
  "embeddings",
  "models",
  "labels",
];

/** Changes so soon after a label was put on here are that label's. */
const ownMs = 1200;

/**
 * The images of the filter in their order, as columns: 100,000 of them are ten arrays and not as many objects. `at` is a
 * place in the list, `id` an image.
 */
export class Images implements Order {
  columns = $state.raw<ImageColumns>(none);
  state = $state<"loading" | "ready" | "failed">("loading");
  problem = $state.raw<Problem | null>(null);
  /** Rises when columns were changed in place. */
  touched = $state(0);
  readonly count = $derived(this.columns.ids.length);
  /** Place of each id; -1 for ids that are not in the list. */
  readonly #places: Int32Array = $derived(placesOf(this.columns.ids));
  readonly #core: Core;
  readonly #soon;
  #query: ImageQuery = {};
  #asked: AbortController | null = null;
  /** The library's revision that the list is of, and the one that the core told when the line was opened. */
  #revision = 0;
  #told = 0;
  /** When a label was last put on here. */
  #labelledAt = -Infinity;
  /** Labels that were put on here since then, by image: an answer that was under way knows nothing of them. */
  readonly #put = new Map<number, number>();

  constructor(core: Core) {
    this.#core = core;
    this.#soon = calmly(() => this.#load(), 200);
    // The list is asked for before the line is open, so that nothing need wait for the other. It may have come too early.
    core.on("hello", ({ revision }) => {
      this.#told = revision;
      if (this.state === "failed" || (this.state === "ready" && this.#revision !== revision)) this.#soon.ask(0);
    });
    core.on("changed", ({ kinds }) => {
      // What was labelled here is shown already: it leaves a filter a moment later, so that the grid does not move
      // under every key.
      const own = performance.now() - this.#labelledAt < ownMs;
      if (kinds.some((kind) => shown.includes(kind))) this.#soon.ask(own ? ownMs : 200);
    });
  }

  /** Shows the images of a query from now on. */
  show(query: ImageQuery): void {
    const isAsked = this.#asked !== null && this.state === "loading" && isSame(query, this.#query);
    this.#query = query;
    if (isAsked) return;
    if (this.count === 0) this.state = "loading";
    // The first is asked for at once: drawing the page would come before any timer.
    if (this.#asked === null) void this.#load();
    else this.#soon.ask(0);
  }

  idAt(at: number): number | undefined {
    return this.columns.ids[at];
  }

  placeOf(id: number): number {
    return this.#places[id] ?? -1;
  }

  /** The label of an image; 0 where it has none or is not in the list. */
  labelOf(id: number): number {
    void this.touched;
    return this.columns.labelIds[this.placeOf(id)] ?? 0;
  }

  versionOf(id: number): number {
    return this.columns.versions[this.placeOf(id)] ?? 0;
  }

  /**
   * Shows labels at once, before the core has answered. 0 takes the label off. What it returns shows again what was there,
   * for changes that the core refused.
   */
  putLabel(ids: Iterable<number>, labelId: number): () => void {
    if (performance.now() - this.#labelledAt > ownMs) this.#put.clear();
    this.#labelledAt = performance.now();
    const { columns } = this;
    const before: { at: number; id: number; labelId: number; suggestedLabelId: number }[] = [];
    for (const id of ids) {
      const at = this.placeOf(id);
      if (at < 0) continue;
      const [was, suggested] = [columns.labelIds[at] ?? 0, columns.suggestedLabelIds[at] ?? 0];
      before.push({ at, id, labelId: was, suggestedLabelId: suggested });
      this.#put.set(id, labelId);
      columns.labelIds[at] = labelId;
      if (labelId !== 0) columns.suggestedLabelIds[at] = 0;
    }
    this.touched += 1;
    return () => {
      for (const { at, id, labelId: was, suggestedLabelId } of before) {
        this.#put.delete(id);
        columns.labelIds[at] = was;
        columns.suggestedLabelIds[at] = suggestedLabelId;
      }
      this.touched += 1;
    };
  }

  /** The next place from `at` on whose image has no label and can be seen; wraps round; -1 where there is none. */
  nextUnlabelled(at: number): number {
    const { labelIds, flags } = this.columns;
    const hidden = imageFlags.problem | imageFlags.missing;
    for (let step = 1; step <= this.count; step++) {
      const next = (at + step) % this.count;
      if (labelIds[next] === 0 && ((flags[next] ?? 0) & hidden) === 0) return next;
    }
    return -1;
  }

  /** Asks again, and forgets what was put on here. */
  reload(): void {
    this.#put.clear();
    this.#soon.ask(0);
  }

  #relabel(id: number, labelId: number): void {
    const at = this.placeOf(id);
    if (at >= 0) this.columns.labelIds[at] = labelId;
  }

  async #load(): Promise<void> {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    const { path, body } = imagesRequest(this.#query);
    try {
      const list = decodeImages(await this.#core.client.bytes(path, { body, signal: asked.signal }));
      this.columns = list.columns;
      this.#revision = list.revision;
      if (list.revision < this.#told) this.#soon.ask(0);
      if (performance.now() - this.#labelledAt < ownMs)
        for (const [id, labelId] of this.#put) this.#relabel(id, labelId);
      this.problem = null;
      this.state = "ready";
    } catch (error) {
      if (asked.signal.aborted) return;
      // Without a line what is there stays: the core's first word asks for it anew.
      if (this.state === "ready" && this.#core.line !== "open") return void (this.#revision = 0);
      this.problem = problemOf(error);
      this.state = "failed";
    }
  }
}

function isSame(query: ImageQuery, other: ImageQuery): boolean {
  return JSON.stringify(query) === JSON.stringify(other);
}

function placesOf(ids: Uint32Array): Int32Array {
  let largest = 0;
  for (const id of ids) if (id > largest) largest = id;
  const places = new Int32Array(largest + 1).fill(-1);
  for (let at = 0; at < ids.length; at++) places[ids[at] ?? 0] = at;
  return places;
}
