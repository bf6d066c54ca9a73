import {
  decodeHealth,
  decodeImages,
  decodeMap,
  imageFlags,
  type ImageColumns,
  type MapColumns,
} from "../../core/rpc/columns.ts";
import type { ChangeKind, Problem } from "../../core/rpc/messages.ts";
import { healthPath, imagesRequest, mapPath } from "../../core/rpc/paths.ts";
import type { LibraryMap } from "../../core/rpc/records.ts";
import { calmly } from "../lib/calmly.ts";
import { fitted, withPoint, type Camera, type Size } from "../lib/map-camera.ts";
import {
  colouringOf,
  oklchToRgb,
  rowsAmong,
  slotColours,
  type Colouring,
  type LegendRow,
  type Rgb,
} from "../lib/map-colours.ts";
import { indexPoints, pointTowards, type PointIndex } from "../lib/point-index.ts";
import { problemOf } from "../lib/problem.ts";
import type { Core } from "./core.svelte.ts";
import type { Images } from "./images.svelte.ts";
import type { Labels } from "./labels.svelte.ts";
import type { Library } from "./library.svelte.ts";

export type ColourBy = "label" | "top" | "cluster" | "suggestion" | "certainty" | "health";
export type MapTool = "pan" | "box" | "lasso";

/** What can be chosen, and what it is called. */
export const colourings: readonly {
  readonly id: ColourBy;
  readonly title: string;
  readonly none: string;
  /** What the colours mean, where the names of the rows do not say it. */
  readonly note?: string;
}[] = [
  { id: "label", title: "Label", none: "No label" },
  { id: "top", title: "Top label", none: "No label" },
  { id: "cluster", title: "Cluster", none: "In no cluster" },
  { id: "suggestion", title: "Suggestion", none: "Nothing suggested" },
  { id: "certainty", title: "How sure", none: "Nothing suggested" },
  {
    id: "health",
    title: "Model health",
    none: "Too few labels nearby",
    note: "Whether the labels of the 15 images nearest to each fit together: where they do not, the model is lost or a label is wrong.",
  },
];

/** Pixels at the right that the legend covers. */
export const legendWidth = 208;

/** Lower ends of the steps of certainty; step 1 is the surest. */
const certainties = [0.9, 0.75, 0.5, 0] as const;
const certaintyTitles = ["90 % and more", "75 to 90 %", "50 to 75 %", "Below 50 %"] as const;
/** Names of `healthKinds` from 1 on. */
const healthTitles = ["Neighbours agree", "Neighbours divided", "Neighbours disagree", "Far from all others"] as const;

/** Colourings in steps: step 1 has the first colour, and so on, however many points each has. */
const stepTitles: Partial<Readonly<Record<ColourBy, readonly string[]>>> = {
  certainty: certaintyTitles,
  health: healthTitles,
};
const stepSlots = new Map(certaintyTitles.map((_, at) => [at + 1, at + 2]));

/** Colours of the steps: lightness, chroma and hue. */
const stepColours = {
  certainty: {
    dark: [
      [0.82, 0.14, 150],
      [0.72, 0.13, 190],
      [0.63, 0.13, 245],
      [0.56, 0.12, 300],
    ],
    light: [
      [0.55, 0.15, 150],
      [0.6, 0.12, 195],
      [0.62, 0.13, 245],
      [0.66, 0.11, 300],
    ],
  },
  // What is well stays quiet; what needs a look stands out.
  health: {
    dark: [
      [0.6, 0.08, 165],
      [0.84, 0.15, 85],
      [0.7, 0.19, 25],
      [0.74, 0.17, 320],
    ],
    light: [
      [0.68, 0.09, 165],
      [0.66, 0.14, 70],
      [0.55, 0.21, 27],
      [0.5, 0.2, 315],
    ],
  },
} as const;

/** What of the page's colours the map needs. */
export interface MapTheme {
  readonly dark: boolean;
  readonly accent: Rgb;
}

interface Points {
  readonly map: MapColumns;
  /** [points]: row of each point's image in `images`. */
  readonly rows: Int32Array;
  readonly images: ImageColumns;
}

interface Parts {
  readonly core: Core;
  readonly images: Images;
  readonly labels: Labels;
  readonly library: Library;
}

/** Parts of the library that the map shows. */
const shown: readonly ChangeKind[] = ["map", "annotations", "suggestions", "clusters", "images", "sources", "models"];

/** The map of the current model: its points, what they are coloured by, and what of them is shown. */
export class PictureMap {
  state = $state<"loading" | "ready" | "none" | "failed">("loading");
  problem = $state.raw<Problem | null>(null);
  /** How the map was made; null where there is none. */
  made = $state.raw<LibraryMap | null>(null);
  points = $state.raw<Points | null>(null);
  /** Where the points were on the map before, by their order now; null where they appear. */
  before: { readonly xs: Float32Array; readonly ys: Float32Array } | null = null;
  theme = $state.raw<MapTheme>({ dark: false, accent: oklchToRgb(0.53, 0.155, 250) });
  tool = $state<MapTool>("pan");
  /** Where the user went; null while the whole map is shown. */
  camera = $state.raw<Camera | null>(null);
  /** Of the canvas, in pixels. */
  size = $state.raw<Size>({ width: 0, height: 0 });
  colourBy = $state<ColourBy>("label");
  /** Slots of the legend that are not shown. */
  hidden = $state.raw<ReadonlySet<number>>(new Set());
  /** [points]: places in `healthKinds`; empty where nothing was compared, null until it is asked for. */
  #health = $state.raw<Uint8Array | null>(null);
  /** The row of the legend that is pointed at: the others step back. */
  lit = $state<number | null>(null);
  #clusterNames = $state.raw<ReadonlyMap<number, string>>(new Map());
  readonly count = $derived(this.points?.map.ids.length ?? 0);
  /** [points]: whether the filter has each point's image. */
  readonly #listed: Uint8Array = $derived.by(() =>
    Uint8Array.from(this.points?.map.ids ?? [], (id) => (this.#parts.images.placeOf(id) < 0 ? 0 : 1)),
  );
  /** Points whose image the filter has. */
  readonly listedCount = $derived(this.#listed.reduce((sum, one) => sum + one, 0));
  readonly index: PointIndex = $derived(
    indexPoints(this.points?.map.x ?? new Float32Array(), this.points?.map.y ?? new Float32Array()),
  );
  /** Colour of each slot of the legend. */
  readonly colours: readonly Rgb[] = $derived(coloursFor(this.colourBy, this.theme.dark));
  /** The camera that shows all. */
  readonly whole: Camera = $derived(fitted(this.index.bounds, this.size, legendWidth));
  readonly seen: Camera = $derived(this.camera ?? this.whole);
  /** How far one can zoom, in pixels a unit. */
  readonly limits = $derived({ least: this.whole.scale / 4, most: this.whole.scale * 4000 });
  readonly colouring: Colouring = $derived(this.#colour(this.#values()));
  /** The colouring's rows as far as the filter goes: how many of each it has, without those that it has none of. */
  readonly legend: readonly LegendRow[] = $derived(rowsAmong(this.colouring, this.#listed));
  /** Places of points by the id of their image; -1 for images without one. */
  readonly #places: Int32Array = $derived(placesOf(this.points?.map.ids ?? new Uint32Array()));
  readonly #parts: Parts;
  readonly #soon;
  readonly #kept = new Map<ColourBy, Map<number, number>>();
  #open = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#soon = calmly(() => this.#load(), 500);
    parts.core.on("changed", ({ kinds }) => {
      if (this.#open && kinds.some((kind) => shown.includes(kind))) this.#soon.ask();
    });
  }

  /** Keeps the map in step with the library while it is looked at; returns how to stop. */
  open(): () => void {
    this.#open = true;
    this.#soon.ask(0);
    return () => (this.#open = false);
  }

  reload(): void {
    this.#soon.ask(0);
  }

  idAt(at: number): number | undefined {
    return this.points?.map.ids[at];
  }

  placeOf(imageId: number): number {
    return this.#places[imageId] ?? -1;
  }

  /** Whether a point can be pointed at and selected: it is drawn, and the filter has its image. */
  canPick(at: number): boolean {
    return this.isShown(at) && this.#parts.images.placeOf(this.idAt(at) ?? 0) >= 0;
  }

  /** Whether a point is drawn. */
  isShown(at: number): boolean {
    return !this.hidden.has(this.colouring.slots[at] ?? 0);
  }

  colour(by: ColourBy): void {
    if (by === this.colourBy) return;
    this.colourBy = by;
    this.hidden = new Set();
    this.lit = null;
    if (by === "health" && this.state === "ready") void this.#loadHealth();
  }

  /** Hides a row of the legend, or shows it again. */
  toggle(slot: number): void {
    const hidden = new Set(this.hidden);
    if (!hidden.delete(slot)) hidden.add(slot);
    this.hidden = hidden;
  }

  /** Shows one row alone, or all again where it is alone already. */
  isolate(slot: number): void {
    const others = this.colouring.rows.map((row) => row.slot).filter((other) => other !== slot);
    const alone = others.every((other) => this.hidden.has(other)) && !this.hidden.has(slot);
    this.hidden = new Set(alone ? [] : others);
  }

  /** What the colours mean, or why there are none; empty where the rows say it. */
  get note(): string {
    if (this.colourBy === "health" && this.#health?.length === 0) {
      return "The images were not compared with each other yet. Draw the map again to see this.";
    }
    return colourings.find(({ id }) => id === this.colourBy)?.note ?? "";
  }

  /** What a row of the legend is called. */
  nameOf({ values }: LegendRow): string {
    const [value = 0] = values;
    if (values.length > 1) return `Other (${values.length})`;
    if (value === 0) return colourings.find(({ id }) => id === this.colourBy)?.none ?? "";
    const steps = stepTitles[this.colourBy];
    if (steps !== undefined) return steps[value - 1] ?? "";
    if (this.colourBy === "cluster") return this.#clusterNames.get(value) ?? `Cluster ${value}`;
    return this.#parts.labels.nameOf(value) ?? "";
  }

  /** The image of a point with what is known of it, for the card under the pointer. */
  about(at: number): { id: number; version: number; aspect: number; said: string; sure: number | null } | null {
    const { points } = this;
    const id = this.idAt(at);
    if (points === null || id === undefined) return null;
    const { images, rows } = points;
    const row = rows[at] ?? -1;
    const { labels } = this.#parts;
    const label = labels.nameOf(this.#labelAt(at));
    const suggested = labels.nameOf(images.suggestedLabelIds[row] ?? 0);
    return {
      id,
      version: images.versions[row] ?? 0,
      aspect: images.aspects[row] ?? 1,
      said: label ?? suggested ?? "No label",
      sure: label === undefined && suggested !== undefined ? (images.confidences[row] ?? 0) : null,
    };
  }

  /** The point next to an image in a direction that can be picked; the first such without an image. */
  towards(imageId: number | null, direction: { dx: number; dy: number }): number {
    const from = imageId === null ? -1 : this.placeOf(imageId);
    if (from < 0) return this.index.xs.findIndex((_, at) => this.canPick(at));
    return pointTowards(this.index, from, direction, (at) => this.canPick(at));
  }

  /** Moves the map, if it must, so that an image is seen. */
  bringIntoView(imageId: number): void {
    const at = this.placeOf(imageId);
    if (at < 0) return;
    const moved = withPoint(this.seen, this.size, { x: this.index.xs[at] ?? 0, y: this.index.ys[at] ?? 0 });
    if (moved.x !== this.seen.x || moved.y !== this.seen.y) this.camera = moved;
  }

  #labelAt(at: number): number {
    const { images } = this.#parts;
    const place = images.placeOf(this.idAt(at) ?? 0);
    // The grid's list knows the newest label, before the core has answered.
    if (place >= 0) return images.columns.labelIds[place] ?? 0;
    return this.points?.images.labelIds[this.points.rows[at] ?? -1] ?? 0;
  }

  /** The label at the top of the tree above a label. */
  #topOf(labelId: number): number {
    const { byId } = this.#parts.labels;
    let top = labelId;
    // The tree is 8 levels deep at most.
    for (let level = 0; level < 8; level++) top = byId.get(top)?.label.parentId ?? top;
    return top;
  }

  #values(): Uint32Array {
    const { points } = this;
    const values = new Uint32Array(this.count);
    if (points === null) return values;
    const { images, rows } = points;
    void this.#parts.images.touched;
    if (this.colourBy === "health") return values.map((_, at) => this.#health?.[at] ?? 0);
    for (let at = 0; at < values.length; at++) {
      const row = rows[at] ?? -1;
      values[at] =
        this.colourBy === "label"
          ? this.#labelAt(at)
          : this.colourBy === "top"
            ? this.#topOf(this.#labelAt(at))
            : this.colourBy === "cluster"
              ? (images.clusterIds[row] ?? 0)
              : this.colourBy === "suggestion"
                ? (images.suggestedLabelIds[row] ?? 0)
                : certaintyOf(images, row);
    }
    return values;
  }

  #colour(values: Uint32Array): Colouring {
    const by = this.colourBy;
    const isStepped = stepTitles[by] !== undefined;
    const colouring = colouringOf(values, isStepped ? stepSlots : this.#kept.get(by));
    if (isStepped) return { ...colouring, rows: colouring.rows.toSorted(byStep) };
    this.#kept.set(by, new Map(colouring.rows.flatMap(({ slot, values: [value] }) => (value ? [[value, slot]] : []))));
    return colouring;
  }

  async #load(): Promise<void> {
    const { core, library } = this.#parts;
    const { modelId } = library;
    if (modelId === undefined) return;
    try {
      const made = modelId === null ? null : await core.call("map.get", { modelId });
      if (made === null || modelId === null) {
        [this.made, this.points, this.state] = [null, null, "none"];
        return;
      }
      const request = imagesRequest({ filter: { state: "any" }, sort: { by: "added" }, modelId });
      const [mapBytes, imageBytes, wall] = await Promise.all([
        core.client.bytes(mapPath(modelId)),
        core.client.bytes(request.path, { body: request.body }),
        core.call("clusters.list", { modelId, typical: 0 }),
      ]);
      const map = decodeMap(mapBytes).columns;
      const images = decodeImages(imageBytes).columns;
      const imageRows = placesOf(images.ids);
      this.#clusterNames = new Map(
        wall.clusters.map(({ id, proposal }, at) => [
          id,
          proposal === null ? `Cluster ${at + 1}` : `Cluster ${at + 1} · ${proposal.label}`,
        ]),
      );
      this.#moveFrom(map, made.createdAt !== this.made?.createdAt);
      this.made = made;
      this.points = { map, images, rows: Int32Array.from(map.ids, (id) => imageRows[id] ?? -1) };
      this.problem = null;
      this.state = "ready";
      if (this.colourBy === "health") await this.#loadHealth();
    } catch (error) {
      this.problem = problemOf(error);
      this.state = "failed";
    }
  }

  /** How well the model knows each point's image: asked for only where it is shown. */
  async #loadHealth(): Promise<void> {
    const { core, library } = this.#parts;
    const { modelId } = library;
    if (modelId === undefined || modelId === null) return;
    try {
      const { ids, health } = decodeHealth(await core.client.bytes(healthPath(modelId))).columns;
      const values = new Uint8Array(ids.length === 0 ? 0 : this.count);
      ids.forEach((id, at) => {
        const place = this.placeOf(id);
        if (place >= 0) values[place] = health[at] ?? 0;
      });
      this.#health = values;
    } catch (error) {
      core.refused(error);
    }
  }

  /** Remembers where the points were, so that they glide to where a new map has them. */
  #moveFrom(map: MapColumns, refitted: boolean): void {
    const old = this.points?.map;
    if (old === undefined || !refitted) {
      this.before = null;
      return;
    }
    const from = (values: Float32Array, now: Float32Array): Float32Array =>
      Float32Array.from(map.ids, (id, at) => values[this.placeOf(id)] ?? now[at] ?? 0);
    this.before = { xs: from(old.x, map.x), ys: from(old.y, map.y) };
    this.camera = null;
  }
}

/** What comes in steps has colours of its own; what is else coloured has colours far apart. */
function coloursFor(by: ColourBy, dark: boolean): readonly Rgb[] {
  const [none = [0, 0, 0] as const, other = none, ...colours] = slotColours(dark);
  if (by !== "certainty" && by !== "health") return [none, other, ...colours];
  const steps = stepColours[by][dark ? "dark" : "light"];
  return [none, other, ...steps.map(([lightness, chroma, hue]) => oklchToRgb(lightness, chroma, hue))];
}

function byStep({ values: [a = 0] }: LegendRow, { values: [b = 0] }: LegendRow): number {
  return (a === 0 ? Infinity : a) - (b === 0 ? Infinity : b);
}

function certaintyOf(images: ImageColumns, row: number): number {
  const suggested = imageFlags.suggestionOffered | imageFlags.suggestionAbstained;
  if (((images.flags[row] ?? 0) & suggested) === 0) return 0;
  const sure = images.confidences[row] ?? 0;
  return certainties.findIndex((low) => sure >= low) + 1;
}

function placesOf(ids: Uint32Array): Int32Array {
  let largest = 0;
  for (const id of ids) if (id > largest) largest = id;
  const places = new Int32Array(largest + 1).fill(-1);
  for (let at = 0; at < ids.length; at++) places[ids[at] ?? 0] = at;
  return places;
}
