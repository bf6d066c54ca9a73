import type { Core } from "./core.svelte.ts";
import type { History } from "./history.svelte.ts";
import type { Images } from "./images.svelte.ts";
import { namesOf, type Labels } from "./labels.svelte.ts";
import type { Place } from "./place.svelte.ts";
import type { Order, Selection } from "./selection.svelte.ts";

/** A label that is there, or a path of names with slashes to be made. */
export type LabelChoice = { readonly labelId: number } | { readonly path: string };

/** A view that has images of its own to label, in an order of its own. */
export interface Within {
  /** Images that acts are about; none where it labels in its own way. */
  target(): readonly number[];
  /** Goes on from images that are decided about. */
  moveOn(ids: readonly number[]): void;
  /** Its images in their order, for who opens one and steps on; null where it has none of its own. */
  sequence?(): Sequence | null;
  /** Labels in its own way. */
  assign?(choice: LabelChoice): Promise<void>;
}

/** Images to step through, and what they are. */
export interface Sequence {
  readonly ids: readonly number[];
  /** As in `3 of 12 in this cluster`. */
  readonly name: string;
}

interface Parts {
  readonly core: Core;
  readonly history: History;
  readonly images: Images;
  readonly labels: Labels;
  readonly place: Place;
  readonly selection: Selection;
}

/** So many labels are remembered as used last. */
const mostRecent = 6;

/** Puts labels on what is selected, and goes on to the next image. */
export class Labelling {
  readonly #parts: Parts;
  /** Shows the image that was gone to; the grid scrolls there. */
  reveal: (id: number) => void = () => undefined;
  /** The view whose images are labelled rather than the grid's; null for those of the grid. */
  within: Within | null = $state.raw(null);

  /** Labels that were put on last, newest first. */
  recent = $state.raw<readonly number[]>([]);
  /** What an open picture was opened from; null for the grid's list. */
  through = $state.raw<Sequence | null>(null);
  /** Place in `through` of the picture that was last there: a neighbour that one strays to has none. */
  #last = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The images that one steps through. */
  get order(): Order {
    const { through } = this;
    if (through === null) return this.#parts.images;
    const { ids } = through;
    return { count: ids.length, idAt: (at) => ids[at], placeOf: (id) => ids.indexOf(id) };
  }

  /** A picture is open: what the view below it showed is what one steps through, until the picture is closed. */
  follow(imageId: number): void {
    this.through ??= this.#sequenceOf(imageId);
    const at = this.through?.ids.indexOf(imageId) ?? -1;
    if (at >= 0) this.#last = at;
  }

  /** The picture was closed. */
  unfollow(): void {
    this.through = null;
  }

  /** What is labelled now: the open picture, or else the selection, or else the focused image. */
  target(): number[] {
    const { place, selection } = this.#parts;
    if (place.imageId !== null) return [place.imageId];
    return this.within === null ? selection.target() : [...this.within.target()];
  }

  /** Labels what the label of a typed sign is for now; false where nothing is. */
  assignByKey(labelId: number): boolean {
    const own = this.#own;
    if (own?.assign !== undefined) void own.assign({ labelId });
    else if (this.target().length === 0) return false;
    else void this.assign({ labelId });
    return true;
  }

  /** A label was put on: it is likely to be wanted again. */
  remember(labelId: number): void {
    this.recent = [labelId, ...this.recent.filter((id) => id !== labelId)].slice(0, mostRecent);
  }

  /** What is suggested for the target, commonest first, as far as the list knows it. */
  suggested(): number[] {
    const { images } = this.#parts;
    const counts = new Map<number, number>();
    for (const id of this.target()) {
      const labelId = images.columns.suggestedLabelIds[images.placeOf(id)] ?? 0;
      if (labelId !== 0) counts.set(labelId, (counts.get(labelId) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]).map(([labelId]) => labelId);
  }

  /** The view that has images of its own, unless a picture is open above it. */
  get #own(): Within | null {
    return this.#parts.place.imageId === null ? this.within : null;
  }

  /** Labels the target and moves on; more than one image is said, with a way back. */
  async assign(choice: LabelChoice, ids = this.target()): Promise<void> {
    if (ids.length === 0) return;
    const { core, history, images } = this.#parts;
    if ("path" in choice) return this.#assignNew(namesOf(choice.path), ids);
    const takeBack = images.putLabel(ids, choice.labelId);
    this.remember(choice.labelId);
    this.#advance(ids);
    const done = await core.change("labels.assign", { target: { ids }, label: choice });
    if (done === undefined) takeBack();
    else if (ids.length > 1) history.told(done.operation);
  }

  /** The same with a label that is made for it: a name may be refused, so nothing moves before the core has answered. */
  async #assignNew(path: string[], ids: number[]): Promise<void> {
    const { core, history, images, labels } = this.#parts;
    const done = await core.change("labels.assign", { target: { ids }, label: { path } });
    if (done === undefined) return;
    this.#advance(ids);
    if (ids.length > 1) history.told(done.operation);
    await labels.load();
    const made = labels.rows.find((row) => row.path === path.join(" / "));
    if (made === undefined) return;
    images.putLabel(ids, made.label.id);
    this.remember(made.label.id);
  }

  /** Takes the labels off the target, which stays selected. */
  async remove(ids = this.target()): Promise<void> {
    if (ids.length === 0) return;
    const { core, history, images } = this.#parts;
    const takeBack = images.putLabel(ids, 0);
    const done = await core.change("labels.remove", { target: { ids } });
    if (done === undefined) takeBack();
    else if (ids.length > 1) history.told(done.operation);
  }

  /** Accepts the suggestions for these images. */
  async accept(ids = this.target()): Promise<void> {
    if (ids.length === 0) return;
    const { core, history } = this.#parts;
    this.#advance(ids);
    const done = await core.change("suggestions.accept", { which: { imageIds: ids } });
    if (done !== undefined && ids.length > 1) history.told(done.operation);
  }

  /** Says that these images are not what is suggested. */
  async reject(ids = this.target()): Promise<void> {
    if (ids.length === 0) return;
    const { core, history } = this.#parts;
    const done = await core.change("suggestions.reject", { imageIds: ids });
    if (done !== undefined && ids.length > 1) history.told(done);
  }

  /** Goes to the next image without a label. */
  nextUnlabelled(): void {
    const { images, selection, place } = this.#parts;
    const from = place.imageId ?? selection.focus;
    const { through } = this;
    const id =
      through === null
        ? images.idAt(images.nextUnlabelled(from === null ? -1 : images.placeOf(from)))
        : [...through.ids.slice(this.#last + 1), ...through.ids.slice(0, this.#last)].find(
            (other) => images.placeOf(other) >= 0 && images.labelOf(other) === 0,
          );
    if (id !== undefined) this.goTo(id);
  }

  /** Shows an image: as the open picture where one is open, else in the grid. */
  goTo(id: number): void {
    const { place, selection } = this.#parts;
    // A selection that is stepped through stays.
    if (this.through === null) selection.clear();
    selection.point(id);
    if (place.imageId !== null) place.go({ imageId: id }, "replace");
    this.reveal(id);
  }

  /** One step from the focused image or the open picture. */
  step(by: 1 | -1): void {
    const { place, selection } = this.#parts;
    const { order } = this;
    const from = place.imageId ?? selection.focus;
    const at = from === null ? -1 : order.placeOf(from);
    // From a picture that is not among them one comes back to where one left.
    const strayed = at < 0 && this.through !== null;
    const id = order.idAt(strayed ? this.#last + Math.max(0, by) : from === null ? 0 : at + by);
    if (id !== undefined) this.goTo(id);
  }

  #advance(ids: readonly number[]): void {
    const own = this.#own;
    if (own !== null) {
      own.moveOn(ids);
      return;
    }
    const { order } = this;
    const last = ids.reduce((most, id) => Math.max(most, order.placeOf(id)), -1);
    const next = order.idAt(last + 1) ?? order.idAt(last);
    if (next !== undefined) this.goTo(next);
  }

  /** What is stepped through from an image: the view's own images, or the selection of the map; null for the grid's. */
  #sequenceOf(imageId: number): Sequence | null {
    const { images, place, selection } = this.#parts;
    const own = this.within?.sequence?.() ?? null;
    if (own?.ids.includes(imageId) === true) return own;
    if (place.view !== "map" || selection.count < 2 || !selection.has(imageId)) return null;
    const ids = selection.ids().sort((a, b) => images.placeOf(a) - images.placeOf(b) || a - b);
    return { ids, name: "the selection" };
  }
}
