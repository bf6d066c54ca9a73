import { createContext, untrack } from "svelte";
import { queryPath } from "../../core/rpc/paths.ts";
import { connectCore, pageSocket, type CoreClient } from "../core-client.ts";
import { idsFromText, idsToText, longestLink, mostLinked } from "../lib/id-set.ts";
import type { Stroke } from "../lib/keys.ts";
import { picturesAgain } from "../lib/pictures-again.ts";
import { Checks } from "./checks.svelte.ts";
import { Clusters } from "./clusters.svelte.ts";
import { Commands, type Command } from "./commands.svelte.ts";
import { Core } from "./core.svelte.ts";
import { Exporting } from "./exporting.svelte.ts";
import { Grid } from "./grid.svelte.ts";
import { History } from "./history.svelte.ts";
import { Images } from "./images.svelte.ts";
import { Jobs } from "./jobs.svelte.ts";
import { Labelling } from "./labelling.svelte.ts";
import { Labels } from "./labels.svelte.ts";
import { Library } from "./library.svelte.ts";
import { Panels } from "./panels.svelte.ts";
import { Picture } from "./picture.svelte.ts";
import { PictureMap } from "./picture-map.svelte.ts";
import { Place, pageAddress, type Address } from "./place.svelte.ts";
import { Preferences } from "./preferences.svelte.ts";
import { Review } from "./review.svelte.ts";
import { Selection } from "./selection.svelte.ts";
import { Toasts } from "./toasts.svelte.ts";
import { Training } from "./training.svelte.ts";

export type AppCommand = Command<App>;

/** Views that show the images of the filter: in others nobody sees what is selected. */
const listViews: readonly string[] = ["grid", "map"];

/** Everything that the page knows, one class per concern. A new concern is one more field here. */
export class App {
  readonly toasts = new Toasts();
  readonly core: Core;
  readonly place: Place;
  readonly preferences: Preferences;
  readonly library: Library;
  readonly labels: Labels;
  readonly images: Images;
  readonly jobs: Jobs;
  readonly history: History;
  readonly selection = new Selection();
  readonly grid: Grid;
  readonly map: PictureMap;
  readonly picture: Picture;
  readonly panels = new Panels();
  readonly labelling: Labelling;
  readonly training: Training;
  readonly exporting: Exporting;
  readonly checks: Checks;
  readonly clusters: Clusters;
  readonly review: Review;
  readonly commands: Commands<App>;

  constructor(client: CoreClient, address: Address, commands: readonly AppCommand[]) {
    this.core = new Core(client, this.toasts);
    this.place = new Place(address);
    this.preferences = new Preferences(this.core);
    this.library = new Library(this.core);
    this.labels = new Labels(this.core);
    this.images = new Images(this.core);
    this.jobs = new Jobs(this.core, this.toasts);
    this.history = new History(this.core, this.toasts);
    this.grid = new Grid(this.images, this.selection, this.preferences);
    this.map = new PictureMap(this);
    this.picture = new Picture(this);
    this.labelling = new Labelling(this);
    this.training = new Training(this);
    this.exporting = new Exporting(this);
    this.history.after = () => this.images.reload();
    this.labelling.reveal = (id) => this.grid.reveal(id);
    this.selection.isListed = (id) =>
      listViews.includes(this.place.view) && this.images.state !== "failed" && this.images.placeOf(id) >= 0;
    this.checks = new Checks(this);
    this.clusters = new Clusters(this);
    this.review = new Review(this);
    this.commands = new Commands<App>(this, commands);
    this.labels.taken = (key) => this.commands.takes(key);
  }

  /** Keeps what is shown in step with the core and the address; returns how to stop. */
  start(): () => void {
    const linked = idsFromText(this.place.route.selected, mostLinked);
    if (linked !== null) this.selection.replace(linked);
    const stopPlace = this.place.start();
    const stop = $effect.root(() => {
      $effect(() => {
        if (this.core.arrivals > 0) untrack(() => void this.#loadAll());
      });
      $effect(() => {
        if (this.core.arrivals > 1) picturesAgain(document.images);
      });
      $effect(() => {
        this.commands.own = this.preferences.choices.keys;
      });
      $effect(() => {
        const { filter, sort } = this.place;
        untrack(() => this.images.show({ filter, sort }));
      });
      $effect(() => {
        void this.images.columns;
        untrack(() => {
          if (this.images.state === "ready") this.selection.keepTo(this.images);
        });
      });
      $effect(() => {
        void this.selection.version;
        const timer = setTimeout(() => this.#linkSelection(), 300);
        return () => clearTimeout(timer);
      });
    });
    return () => {
      stop();
      stopPlace();
    };
  }

  /** Assigns the label of a single typed sign; false where it is no label's. */
  labelByKey({ key, ctrlKey, metaKey, altKey }: Stroke): boolean {
    if (ctrlKey || metaKey || altKey || this.core.guest) return false;
    const row = this.labels.ofKey(key);
    return row !== undefined && this.labelling.assignByKey(row.label.id);
  }

  /** Sorts the grid by similarity to a picture from elsewhere. */
  async findLike(picture: Blob): Promise<void> {
    const { modelId } = this.library;
    if (modelId === null || modelId === undefined) {
      this.toasts.show({ kind: "problem", message: "Searching by picture needs a model.", hint: "Choose one first." });
      return;
    }
    try {
      const answer = await this.core.client.bytes(queryPath(modelId), { body: picture });
      const { queryId } = JSON.parse(new TextDecoder().decode(answer)) as { queryId: string };
      this.place.go({ view: "grid", imageId: null, sort: { by: "similarity", to: { queryId } } });
    } catch (error) {
      this.core.refused(error);
    }
  }

  /** Whether a side is shown: as chosen where there is room, on request where it lies over the pictures. */
  sideShown(side: "rail" | "inspector"): boolean {
    if (side === "rail") return this.panels.cramped ? this.panels.railOver : this.preferences.choices.rail;
    return this.panels.narrow ? this.panels.inspectorOver : this.preferences.choices.inspector;
  }

  toggleSide(side: "rail" | "inspector"): void {
    const over = side === "rail" ? this.panels.cramped : this.panels.narrow;
    if (!over) this.preferences.set(side, !this.preferences.choices[side]);
    else if (side === "rail") this.panels.railOver = !this.panels.railOver;
    else this.panels.inspectorOver = !this.panels.inspectorOver;
  }

  async #loadAll(): Promise<void> {
    try {
      await Promise.all([
        this.library.load(),
        this.labels.load(),
        this.preferences.load(),
        this.jobs.load(),
        this.history.load(),
      ]);
    } catch (error) {
      // A line that is cut again is said by the banner.
      if (this.core.line === "open") this.core.refused(error);
    }
  }

  #linkSelection(): void {
    const { count } = this.selection;
    const text = count === 0 || count > mostLinked ? "" : idsToText(this.selection.ids());
    // A longer selection stays out of the address.
    const selected = text.length > longestLink ? "" : text;
    if (selected !== this.place.route.selected) this.place.go({ selected }, "replace");
  }
}

/** The app of this page, for every component below the frame. */
export const [useApp, provideApp] = createContext<App>();

/** The app on the core that served this page. Its images are under way before anything is drawn. */
export function openApp(commands: readonly AppCommand[]): App {
  const app = new App(connectCore(pageSocket), pageAddress(window), commands);
  const { filter, sort } = app.place;
  app.images.show({ filter, sort });
  return app;
}
