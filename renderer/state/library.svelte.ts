import type { ModelRow, Overview } from "../../core/rpc/views.ts";
import type { Problem } from "../../core/rpc/messages.ts";
import { problemOf } from "../lib/problem.ts";
import { calmly } from "../lib/calmly.ts";
import type { Core } from "./core.svelte.ts";

/** What the frame shows of the library: sources, counts, models, device. Asked for again when something changed. */
export class Library {
  overview = $state.raw<Overview | null>(null);
  problem = $state.raw<Problem | null>(null);
  readonly images = $derived(this.overview?.images ?? { total: 0, ready: 0, problem: 0, missing: 0 });
  readonly models = $derived(this.overview?.models ?? []);
  /** The model that is meant where none is named; null without any, undefined while not known. */
  readonly modelId = $derived(this.overview?.currentModelId);
  readonly model: ModelRow | null = $derived(this.models.find(({ model }) => model.id === this.modelId) ?? null);
  readonly unlabelled = $derived(Math.max(0, this.images.ready - (this.overview?.annotated ?? 0)));
  /** No picture was ever taken in: the first run. */
  readonly isEmpty = $derived(this.overview !== null && this.overview.sources.length === 0);
  readonly #core: Core;
  readonly #soon;

  constructor(core: Core) {
    this.#core = core;
    this.#soon = calmly(() => this.load(), 250);
    core.on("changed", () => this.#soon.ask());
    core.on("job", ({ job }) => {
      if (job.state !== "running") this.#soon.ask();
    });
  }

  async load(): Promise<void> {
    try {
      this.overview = await this.#core.call("library.overview", {});
      this.problem = null;
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  async useModel(modelId: number): Promise<void> {
    await this.#core.change("models.choose", { modelId });
  }
}
