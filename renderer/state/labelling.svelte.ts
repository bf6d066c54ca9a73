import type { Core } from "./core.svelte.ts";
import type { History } from "./history.svelte.ts";
import type { Images } from "./images.svelte.ts";
import { namesOf, type Labels } from "./labels.svelte.ts";
import type { Place } from "./place.svelte.ts";
import type { Selection } from "./selection.svelte.ts";

/** A label that is there, or a path of names with slashes to be made. */
export type LabelChoice = { readonly labelId: number } | { readonly path: string };

/** A view that has images of its own to label, in an order of its own. */
export interface Within {
  /** Images that acts are about; none where it labels in its own way. */
  target(): readonly number[];
  /** Goes on from images that are decided about. */
  moveOn(ids: readonly number[]): void;
  /** Labels in its own way. */
  assign?(choice: LabelChoice): Promise<void>;
}

interface Parts {
  readonly core: Core;
  readonly history: History;
  readonly images: Images;
  readonly labels: Labels;
  readonly place: Place;
  readonly selection: Selection;
}

/** Puts labels on what is selected, and goes on to the next image. */
export class Labelling {
  readonly #parts: Parts;
  /** Shows the image that was gone to; the grid scrolls there. */
  reveal: (id: number) => void = () => undefined;
  /** The view whose images are labelled rather than the grid's; null for those of the grid. */
  within: Within | null = $state.raw(null);

  constructor(parts: Parts) {
    this.#parts = parts;
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

  /** The view that has images of its own, unless a picture is open above it. */
  get #own(): Within | null {
    return this.#parts.place.imageId === null ? this.within : null;
  }

  /** Labels the target and moves on; more than one image is said, with a way back. */
  async assign(choice: LabelChoice, ids = this.target()): Promise<void> {
    if (ids.length === 0) return;
    const { core, history, images, labels } = this.#parts;
    if ("labelId" in choice) images.putLabel(ids, choice.labelId);
    this.#advance(ids);
    const label = "labelId" in choice ? { labelId: choice.labelId } : { path: namesOf(choice.path) };
    const done = await core.change("labels.assign", { target: { ids }, label });
    if (done === undefined) images.reload();
    else if (ids.length > 1) history.told(done.operation);
    if ("labelId" in choice) return;
    await labels.load();
    const made = labels.rows.find(({ path }) => path === namesOf(choice.path).join(" / "));
    if (made !== undefined) images.putLabel(ids, made.label.id);
  }

  /** Takes the labels off the target, which stays selected. */
  async remove(ids = this.target()): Promise<void> {
    if (ids.length === 0) return;
    const { core, history, images } = this.#parts;
    images.putLabel(ids, 0);
    const done = await core.change("labels.remove", { target: { ids } });
    if (done === undefined) images.reload();
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
    const id = images.idAt(images.nextUnlabelled(from === null ? -1 : images.placeOf(from)));
    if (id !== undefined) this.goTo(id);
  }

  /** Shows an image: as the open picture where one is open, else in the grid. */
  goTo(id: number): void {
    const { place, selection } = this.#parts;
    selection.clear();
    selection.point(id);
    if (place.imageId !== null) place.go({ imageId: id }, "replace");
    this.reveal(id);
  }

  /** One step from the focused image or the open picture. */
  step(by: 1 | -1): void {
    const { images, place, selection } = this.#parts;
    const from = place.imageId ?? selection.focus;
    const id = images.idAt(from === null ? 0 : images.placeOf(from) + by);
    if (id !== undefined) this.goTo(id);
  }

  #advance(ids: readonly number[]): void {
    const { images } = this.#parts;
    const own = this.#own;
    if (own !== null) {
      own.moveOn(ids);
      return;
    }
    const last = ids.reduce((most, id) => Math.max(most, images.placeOf(id)), -1);
    const next = images.idAt(last + 1) ?? images.idAt(last);
    if (next !== undefined) this.goTo(next);
  }
}
