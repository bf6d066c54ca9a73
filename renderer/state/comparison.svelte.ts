import { decodeImages, decodeMap, type MapColumns } from "../../core/rpc/columns.ts";
import type { Accuracy } from "../../core/rpc/api.ts";
import type { Problem } from "../../core/rpc/messages.ts";
import { imagesRequest, mapPath } from "../../core/rpc/paths.ts";
import type { ModelRow } from "../../core/rpc/views.ts";
import { problemOf } from "../lib/problem.ts";
import type { Core } from "./core.svelte.ts";
import type { Jobs } from "./jobs.svelte.ts";
import type { Library } from "./library.svelte.ts";

/** One of two models that are compared. */
export interface Side {
  readonly row: ModelRow;
  /** Null where it has none yet. */
  readonly map: MapColumns | null;
  /** How well the neighbours tell the labels; null where there are too few, or it has not looked at every image. */
  readonly accuracy: (Accuracy & { readonly count: number }) | null;
}

/** Neighbours that vote: as many as in the figures of a run, so that the two go together. */
const neighbours = 5;

interface Parts {
  readonly core: Core;
  readonly jobs: Jobs;
  readonly library: Library;
}

/** The model of a run beside another one: their maps, and how well each tells the labels by its neighbours. */
export class Comparison {
  sides = $state.raw<readonly [Side, Side] | null>(null);
  /** Label of each image, by its id. */
  labels = $state.raw<ReadonlyMap<number, number>>(new Map());
  problem = $state.raw<Problem | null>(null);
  preparing = $state(false);
  #afterId = $state<number | null>(null);
  /** The model that the user wants to compare with. */
  #wanted = $state<number | null>(null);
  readonly #parts: Parts;
  readonly #measured = new Map<string, Side["accuracy"]>();
  #asked = 0;
  readonly after: ModelRow | null = $derived.by(() => this.#row(this.#afterId));
  /** Models that it can be compared with. */
  readonly others: readonly ModelRow[] = $derived.by(() =>
    this.#parts.library.models.filter(({ model }) => model.id !== this.#afterId),
  );
  /** The one it is compared with: the chosen one, or the one in use, or the one that has looked at most images. */
  readonly before: ModelRow | null = $derived.by(
    () =>
      this.others.find(({ model }) => model.id === this.#wanted) ??
      this.others.find(({ model }) => model.id === this.#parts.library.modelId) ??
      this.others.toSorted((a, b) => b.embedded - a.embedded)[0] ??
      null,
  );
  /** What has to be done before the two can be seen: models that have not looked at every image, or have no map. */
  readonly missing: readonly ModelRow[] = $derived.by(() =>
    [this.before, this.after]
      .filter((row) => row !== null)
      .filter((row) => this.#lacksEmbedding(row) || row.mapped < 3),
  );

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The model whose run is shown. */
  open(modelId: number | null): void {
    if (modelId === this.#afterId) return;
    this.#afterId = modelId;
    this.#wanted = null;
    this.sides = null;
  }

  choose(modelId: number): void {
    this.#wanted = modelId;
  }

  /** Asks for what there is of the two models. */
  async load(): Promise<void> {
    const { before, after } = this;
    const asked = ++this.#asked;
    if (before === null || after === null) {
      this.sides = null;
      return;
    }
    try {
      const [first, second, labels] = await Promise.all([this.#map(before), this.#map(after), this.#labels()]);
      if (asked !== this.#asked) return;
      this.problem = null;
      this.labels = labels;
      const sides: [Side, Side] = [
        { row: before, map: first, accuracy: null },
        { row: after, map: second, accuracy: null },
      ];
      this.sides = [...sides];
      // The maps do not wait for the measurement.
      for (const side of [0, 1] as const) {
        const accuracy = await this.#accuracy(sides[side].row);
        if (asked !== this.#asked) return;
        sides[side] = { ...sides[side], accuracy };
        this.sides = [...sides];
      }
    } catch (error) {
      if (asked === this.#asked) this.problem = problemOf(error);
    }
  }

  /** Lets the models look at the images that they have not seen, and draws the maps that are not there. */
  async prepare(): Promise<void> {
    const { jobs } = this.#parts;
    this.preparing = true;
    try {
      for (const row of this.missing) {
        const parameters = { modelId: row.model.id };
        const looked = this.#lacksEmbedding(row) ? await jobs.finish({ kind: "embed", parameters }) : null;
        if (looked === undefined || (looked !== null && looked.job.state !== "done")) return;
        const drawn = await jobs.finish({ kind: "map", parameters });
        if (drawn?.job.state !== "done") return;
      }
    } finally {
      this.preparing = false;
    }
  }

  #row(id: number | null): ModelRow | null {
    return this.#parts.library.models.find(({ model }) => model.id === id) ?? null;
  }

  #lacksEmbedding({ embedded }: ModelRow): boolean {
    return embedded < this.#parts.library.images.ready;
  }

  async #map({ model, mapped }: ModelRow): Promise<MapColumns | null> {
    if (mapped < 3) return null;
    return decodeMap(await this.#parts.core.client.bytes(mapPath(model.id))).columns;
  }

  /** Measured again only after labels or embeddings changed in number; guests may not measure. */
  async #accuracy(row: ModelRow): Promise<Side["accuracy"]> {
    const { core } = this.#parts;
    const { id } = row.model;
    if (core.guest || this.#lacksEmbedding(row) || row.labelled < 10) return null;
    const key = `${id} ${row.embedded} ${row.labelled}`;
    const known = this.#measured.get(key);
    if (known !== undefined) return known;
    // Labels all of one kind leave nothing to tell: that is no fault to show.
    const summary = await core.call("models.evaluate", { modelId: id, neighbours }).catch(() => null);
    const [first] = summary?.accuracies ?? [];
    const accuracy = first === undefined || summary === null ? null : { ...first, count: summary.count };
    this.#measured.set(key, accuracy);
    return accuracy;
  }

  async #labels(): Promise<ReadonlyMap<number, number>> {
    const { path, body } = imagesRequest({ filter: { labelled: true, state: "any" }, sort: { by: "added" } });
    const { ids, labelIds } = decodeImages(await this.#parts.core.client.bytes(path, { body })).columns;
    return new Map(Array.from(ids, (id, at) => [id, labelIds[at] ?? 0] as const));
  }
}
