import { decodeGrid, type PatchGrid } from "../../core/rpc/columns.ts";
import type { SearchHit } from "../../core/rpc/api.ts";
import { patchesPath } from "../../core/rpc/paths.ts";
import { cosineHeat, cosinesWith, meanOf, patchOf, type Heat } from "../lib/patch-heat.ts";
import type { Core } from "./core.svelte.ts";

/** Pictures beside the open one that are looked through for the spot. */
const nearest = 8;

/** Where the spot's like is in another picture. */
export interface SpotMatch {
  readonly heat: Heat;
  /** Cosine of the best patch. */
  readonly best: number;
}

/** What else looks like the spot under the pointer, in this picture and in its neighbours. */
export class Spots {
  #imageId = $state(0);
  neighbours = $state.raw<readonly SearchHit[] | null>(null);
  grids = $state.raw<ReadonlyMap<number, PatchGrid>>(new Map());
  /** The patch pointed at, and whether a click holds it. */
  patch = $state<number | null>(null);
  held = $state(false);
  /** Whether the model is asked for the open picture's patches. */
  looking = $state(false);
  readonly own = $derived(this.grids.get(this.#imageId) ?? null);
  readonly #query = $derived(this.own === null || this.patch === null ? null : patchOf(this.own, this.patch));
  readonly #cosines = $derived(this.own === null || this.#query === null ? null : cosinesWith(this.#query, this.own));
  readonly #floor = $derived(this.#cosines === null ? 0 : meanOf(this.#cosines));
  readonly heat: Heat | null = $derived(
    this.own === null || this.#cosines === null
      ? null
      : cosineHeat(this.#cosines, this.own.rows, this.own.columns, this.#floor),
  );
  /** By image; a picture whose features are not there yet is left out. */
  readonly matches: ReadonlyMap<number, SpotMatch> = $derived.by(() => {
    const query = this.#query;
    if (query === null) return new Map();
    const found = (this.neighbours ?? []).flatMap(({ image }): [number, SpotMatch][] => {
      const grid = this.grids.get(image.id);
      if (grid === undefined) return [];
      const cosines = cosinesWith(query, grid);
      const heat = cosineHeat(cosines, grid.rows, grid.columns, this.#floor);
      return [[image.id, { heat, best: cosines.reduce((most, cosine) => Math.max(most, cosine), -1) }]];
    });
    return new Map(found);
  });
  readonly #core: Core;
  #asked: AbortController | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Another picture: asks for its nearest; `withFeatures` also for what the model sees of all of them, one by one. */
  async open(imageId: number, modelId: number, size: number, withFeatures: boolean): Promise<void> {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    if (this.#imageId !== imageId) {
      this.#imageId = imageId;
      [this.neighbours, this.patch, this.held, this.grids] = [null, null, false, new Map()];
    }
    const add = async (id: number): Promise<void> => {
      if (this.grids.has(id)) return;
      const grid = decodeGrid(
        await this.#core.client.bytes(patchesPath(id, { modelId, size }), { signal: asked.signal }),
      );
      if (!asked.signal.aborted) this.grids = new Map([...this.grids, [id, grid]]);
    };
    this.looking = withFeatures && !this.grids.has(imageId);
    if (withFeatures) await add(imageId).catch((error: unknown) => this.#refused(error, asked));
    if (this.#asked === asked) this.looking = false;
    if (asked.signal.aborted) return;
    this.neighbours ??= await this.#core
      .call("images.neighbours", { imageId, modelId, count: nearest })
      .catch((): readonly SearchHit[] => []);
    for (const { image } of withFeatures ? this.neighbours : []) {
      if (asked.signal.aborted) return;
      // A neighbour whose file is gone has no features; the others have.
      await add(image.id).catch(() => undefined);
    }
  }

  /** Moves the spot by patches, from the middle where there is none; it is held then, whatever the pointer does. */
  move(across: number, down: number): void {
    const { own, patch } = this;
    if (own === null) return;
    const { rows, columns } = own;
    const from = patch ?? Math.floor(rows / 2) * columns + Math.floor(columns / 2);
    const [x, y] = patch === null ? [0, 0] : [across, down];
    const within = (value: number, count: number): number => Math.max(0, Math.min(count - 1, value));
    this.patch = within(Math.floor(from / columns) + y, rows) * columns + within((from % columns) + x, columns);
    this.held = true;
  }

  close(): void {
    this.#asked?.abort();
    this.looking = false;
    this.#imageId = 0;
  }

  #refused(error: unknown, asked: AbortController): void {
    if (!asked.signal.aborted) this.#core.refused(error);
  }
}
