import type { ExportSummary } from "../../core/rpc/api.ts";
import type { ExportFormatName, Params } from "../../core/rpc/contract.ts";
import type { Problem } from "../../core/rpc/messages.ts";
import type { ExportFormatRow, ExportPreview, ExportSample } from "../../core/rpc/views.ts";
import { calmly } from "../lib/calmly.ts";
import { pageDesktop } from "../lib/desktop.ts";
import { familyOf, folderName, sharesOf, type Shares } from "../lib/export-formats.ts";
import { problemOf } from "../lib/problem.ts";
import type { Core } from "./core.svelte.ts";
import { Destination } from "./destination.svelte.ts";
import type { Jobs } from "./jobs.svelte.ts";
import type { Library } from "./library.svelte.ts";
import type { Place } from "./place.svelte.ts";
import type { Selection } from "./selection.svelte.ts";

export type Scope = "labelled" | "suggested" | "all" | "filter" | "selection";

interface Rooms {
  readonly core: Core;
  readonly jobs: Jobs;
  readonly library: Library;
  readonly place: Place;
  readonly selection: Selection;
}

/** An export that is put together, what it would hold, and what the last one came to. */
export class Exporting {
  format = $state<ExportFormatName>("csv");
  scope = $state<Scope>("labelled");
  /** Least confidence of the scope `suggested`. */
  confidence = $state(0.9);
  isSplit = $state(false);
  shares = $state.raw<Shares>({ train: 80, val: 10 });
  seed = $state(0);
  wholeImages = $state(false);
  link = $state(false);
  upright = $state(false);
  readonly target: Destination;

  rows = $state.raw<readonly ExportFormatRow[]>([]);
  preview = $state.raw<ExportPreview | null>(null);
  sample = $state.raw<ExportSample | null>(null);
  loading = $state(false);
  /** Why there is nothing to show. */
  problem = $state.raw<Problem | null>(null);
  result = $state.raw<ExportSummary | null>(null);
  /** Why the last export ended without a result, and what it was to be. */
  #failed = $state.raw<{ readonly problem: Problem | null; readonly path: string; readonly replace: boolean } | null>(
    null,
  );
  /** Images of the scope `suggested`; null where that is not known. */
  suggestedCount = $state<number | null>(null);
  /** Files of the preview: the one whose text is shown. */
  shownFile = $state<string | null>(null);

  readonly #rooms: Rooms;
  readonly #soon = calmly(() => this.#look(), 250);
  #asked = 0;
  readonly family = $derived(familyOf(this.format));
  readonly row = $derived(this.rows.find(({ name }) => name === this.format));
  /** Said for as long as the export that is put together is the one that failed. */
  readonly failure = $derived.by(() => {
    const { path, replace } = this.target;
    return this.#failed?.path === path && this.#failed.replace === replace ? this.#failed.problem : null;
  });
  readonly job = $derived.by(() => this.#rooms.jobs.active.find(({ job }) => job.kind === "export") ?? null);
  readonly ready = $derived.by(() => {
    const { path, problem } = this.target;
    const isWhole = path !== "" && problem === undefined && this.problem === null;
    return isWhole && this.job === null && (this.preview?.images ?? 0) > 0;
  });
  /** The choice as the core takes it. */
  readonly choice: Params<"exports.preview"> = $derived.by(() => ({
    format: this.format,
    scope: this.#scope(),
    split: this.isSplit ? sharesOf(this.shares) : null,
    seed: this.seed,
    wholeImages: this.wholeImages && this.row?.needs.mask === true,
  }));

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
    this.target = new Destination(rooms, () => folderName(rooms.library.overview?.name ?? "", this.format));
    rooms.core.on("changed", ({ kinds }) => {
      if (this.preview !== null && kinds.some((kind) => kind !== "settings" && kind !== "map")) this.#soon.ask(1000);
    });
  }

  /** Formats, and a folder to begin with. */
  async load(): Promise<void> {
    const { core } = this.#rooms;
    try {
      this.rows = await core.call("exports.formats", {});
      await this.target.begin();
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  /** Asks for the preview of the choice as it is now, soon. */
  ask(): void {
    this.loading = true;
    this.#soon.ask();
  }

  /** Chooses a folder with the system's dialog; false where there is none, and the page has to ask. */
  async chooseFolder(): Promise<boolean> {
    const desktop = pageDesktop();
    if (desktop === null) return false;
    const folder = await desktop.chooseFolder("export");
    if (folder !== null) await this.target.choose(folder);
    return true;
  }

  async start(): Promise<void> {
    if (!this.ready) return;
    const { jobs } = this.#rooms;
    this.result = null;
    this.#failed = null;
    const { link, upright } = this;
    const { replace, path: folder } = this.target;
    const ended = await jobs.finish({ kind: "export", parameters: { ...this.choice, folder, link, upright, replace } });
    if (ended?.job.state === "done") this.result = ended.result as ExportSummary;
    else if (ended?.job.state === "failed") this.#failed = { problem: ended.job.problem, path: folder, replace };
    await this.target.look();
  }

  async stop(): Promise<void> {
    if (this.job !== null) await this.#rooms.jobs.stop(this.job.job.id);
  }

  /** Shows the last export in the file manager, where the desktop program can. */
  async reveal(): Promise<void> {
    const folder = this.result?.folder;
    if (folder === undefined) return;
    await pageDesktop()
      ?.reveal(folder)
      .catch((error: unknown) => this.#rooms.core.refused(error));
  }

  #scope(): NonNullable<Params<"exports.preview">["scope"]> {
    switch (this.scope) {
      case "suggested":
        return { kind: "suggested", confidence: this.confidence };
      case "filter":
        return { kind: "filter", filter: this.#rooms.place.filter };
      case "selection":
        void this.#rooms.selection.version;
        return { kind: "images", imageIds: this.#rooms.selection.ids() };
      case "labelled":
      case "all":
        return { kind: this.scope };
    }
  }

  /** Counted as the other scopes are, whether an image has a mask or not. */
  async #countSuggested(): Promise<number | null> {
    const { core, library } = this.#rooms;
    if ((library.model?.suggestions ?? 0) === 0) return null;
    const scope = { kind: "suggested" as const, confidence: this.confidence };
    const counted = await core
      .call("exports.preview", { format: "csv", scope, split: null, seed: 0 })
      .catch(() => null);
    return counted?.images ?? null;
  }

  async #look(): Promise<void> {
    const { core } = this.#rooms;
    const asked = ++this.#asked;
    const { choice } = this;
    try {
      const [preview, sample, suggested] = await Promise.all([
        core.call("exports.preview", choice),
        core.guest ? null : core.call("exports.sample", choice),
        this.#countSuggested(),
      ]);
      if (asked !== this.#asked) return;
      this.suggestedCount = suggested;
      this.preview = preview;
      this.sample = sample;
      this.problem = null;
      const texts = sample?.files.filter(({ lines }) => lines !== null) ?? [];
      if (!texts.some(({ path }) => path === this.shownFile)) this.shownFile = texts[0]?.path ?? null;
    } catch (error) {
      if (asked === this.#asked) this.problem = problemOf(error);
    } finally {
      if (asked === this.#asked) this.loading = false;
    }
  }
}
