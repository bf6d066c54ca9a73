import type { PretrainEstimate } from "../../core/rpc/api.ts";
import type { Problem } from "../../core/rpc/messages.ts";
import type { PretrainParameters } from "../../core/rpc/pretrain-choice.ts";
import type { Run, RunMetrics } from "../../core/rpc/records.ts";
import type { PresetOffer, PresetTable, RunPoint, RunView, WatchedPicture } from "../../core/rpc/views.ts";
import { calmly } from "../lib/calmly.ts";
import { thinned } from "../lib/curve.ts";
import { problemOf } from "../lib/problem.ts";
import { inPageWords, numbersOf } from "../lib/training.ts";
import { Comparison } from "./comparison.svelte.ts";
import type { Core } from "./core.svelte.ts";
import type { History } from "./history.svelte.ts";
import type { Jobs } from "./jobs.svelte.ts";
import type { Library } from "./library.svelte.ts";
import type { Place } from "./place.svelte.ts";
import type { Toasts } from "./toasts.svelte.ts";

/** Points that a curve is drawn of. */
const mostPoints = 400;

/** How long a run that is discarded can be had back. */
const regretMs = 7000;

/** Pretraining as the page sees it: the choice for a new run, the runs that there are, and the one that is looked at. */
export class Training {
  table = $state.raw<PresetTable | null>(null);
  runs = $state.raw<readonly Run[] | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** The run that is shown; null while a new one is made up. */
  shown = $state.raw<RunView | null>(null);
  /** Attention in the fixed pictures by the iteration of its probe. */
  attention = $state.raw<ReadonlyMap<number, readonly WatchedPicture[]>>(new Map());
  /** The probe that is scrubbed to, by its place; null follows the newest. */
  scrubbed = $state<number | null>(null);
  playing = $state(false);

  preset = $state<PresetOffer["name"] | null>(null);
  start = $state<"random" | number>("random");
  name = $state("");
  colour = $state<"mild" | "official">("mild");
  stopOnCollapse = $state(true);
  /** Numbers as they are typed; empty ones come from the preset. */
  numbers = $state<Record<string, string>>({});
  estimate = $state.raw<PretrainEstimate | null>(null);
  measuring = $state(false);
  /** Why the options do not go together. */
  refusal = $state.raw<Problem | null>(null);
  /** Runs that are about to be discarded. */
  leaving = $state.raw<ReadonlySet<number>>(new Set());

  readonly chosen = $derived(this.preset ?? this.table?.recommended ?? "nano");
  readonly listed = $derived((this.runs ?? []).filter(({ id }) => !this.leaving.has(id)));
  readonly running = $derived(this.runs?.find(({ state }) => state === "running") ?? null);
  readonly probes = $derived(this.shown?.probes ?? []);
  readonly probeAt = $derived(Math.min(this.scrubbed ?? Infinity, this.probes.length - 1));
  readonly watched = $derived(this.attention.get(this.probes[this.probeAt]?.iteration ?? -1) ?? null);
  /** The shown run's model beside another one. */
  readonly comparison: Comparison;
  readonly #core: Core;
  readonly #history: History;
  readonly #jobs: Jobs;
  readonly #library: Library;
  readonly #place: Place;
  readonly #toasts: Toasts;
  readonly #soon = calmly(() => this.load(), 300);
  /** One measured time with the work that it stood for: the others go by it. */
  #pace = $state.raw<number | null>(null);

  constructor({
    core,
    history,
    jobs,
    library,
    place,
    toasts,
  }: {
    core: Core;
    history: History;
    jobs: Jobs;
    library: Library;
    place: Place;
    toasts: Toasts;
  }) {
    this.#core = core;
    this.#history = history;
    this.#jobs = jobs;
    this.#library = library;
    this.#place = place;
    this.#toasts = toasts;
    this.comparison = new Comparison({ core, jobs, library });
    core.on("run", ({ runId, event }) => {
      if (event.kind === "begun") {
        if (this.#waiting && this.#place.view === "train") this.open(runId);
        this.#waiting = false;
      }
      if (event.kind === "begun" || event.kind === "saved") this.#soon.ask();
      if (this.shown?.run.id !== runId) return;
      if (event.kind === "metrics") this.#grow(event.metrics);
      if (event.kind === "health") this.shown = { ...this.shown, findings: event.findings };
      if (event.kind === "probe") {
        const { probe } = event;
        const before = this.shown.probes.filter(({ iteration }) => iteration < probe.iteration);
        this.shown = { ...this.shown, probes: [...before, probe] };
        void this.#watch(runId, probe.iteration);
      }
    });
    core.on("job", ({ job }) => {
      if (job.kind !== "pretrain" || job.state === "running" || job.state === "queued") return;
      this.#waiting = false;
      this.#soon.ask(0);
    });
  }

  /** A run was asked for and has not begun: it is opened when it does. */
  #waiting = $state(false);
  readonly preparing = $derived(this.#waiting);

  /** The runs, and again the one that is shown. */
  async load(): Promise<void> {
    try {
      this.runs = await this.#core.call("runs.list", {});
      this.problem = null;
      if (this.shown !== null) await this.#show(this.shown.run.id);
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  /** The presets, and how long the one that fits would take. */
  async offer(): Promise<void> {
    try {
      this.table = await this.#core.call("runs.presets", {});
      this.refusal = null;
    } catch (error) {
      this.refusal = problemOf(error);
      return;
    }
    if (this.#pace === null && !this.#core.guest && this.running === null && !this.preparing) await this.measure();
  }

  /** Milliseconds that a preset would take, about; null while nothing was measured. */
  timeOf({ work }: Pick<PresetOffer, "work">): number | null {
    return this.#pace === null ? null : this.#pace * work;
  }

  /** Measures what the choice would take. */
  async measure(): Promise<void> {
    const choice = this.choice();
    if (choice === undefined || this.measuring) return;
    this.measuring = true;
    try {
      this.estimate = await this.#core.call("runs.estimate", choice);
      this.refusal = null;
      const offer = this.table?.presets.find(({ name }) => name === this.chosen);
      const plain = Object.keys(choice).every((key) => key === "preset" || key === "colour");
      if (offer !== undefined && plain) this.#pace = this.estimate.milliseconds / offer.work;
    } catch (error) {
      const { hint, ...problem } = problemOf(error);
      this.estimate = null;
      this.refusal = {
        ...problem,
        message: inPageWords(problem.message),
        ...(hint === undefined ? {} : { hint: inPageWords(hint) }),
      };
    } finally {
      this.measuring = false;
    }
  }

  /** The choice as the core takes it; undefined, with the reason shown, where a field holds no number. */
  choice(): PretrainParameters | undefined {
    const numbers = numbersOf(this.numbers);
    if (numbers === undefined) {
      this.refusal = { code: "option-invalid", message: "One of the options is not a number." };
      return undefined;
    }
    return {
      preset: this.chosen,
      colour: this.colour,
      ...numbers,
      ...(this.start === "random" ? {} : { start: { kind: "model", modelId: this.start } }),
    };
  }

  /** Chooses a preset; what was measured for another choice no longer holds. */
  choose(preset: PresetOffer["name"]): void {
    this.preset = preset;
    this.changed();
  }

  changed(): void {
    this.estimate = null;
    this.refusal = null;
  }

  async begin(): Promise<void> {
    const choice = this.choice();
    if (choice === undefined) return;
    const name = this.name.trim();
    const named = name === "" ? {} : { name };
    this.#waiting = true;
    // The model in use stays so until another one is kept: where none was chosen, the newest would take its place.
    const inUse = this.#library.model;
    if (inUse !== null && inUse.embedded > 0) await this.#core.change("models.choose", { modelId: inUse.model.id });
    const parameters = { ...choice, ...named, stopOnCollapse: this.stopOnCollapse };
    if ((await this.#jobs.start({ kind: "pretrain", parameters })) === undefined) this.#waiting = false;
    // A name is taken once.
    else this.name = "";
  }

  async stop(): Promise<void> {
    const job = this.#jobs.active.find((view) => view.job.kind === "pretrain");
    if (job !== undefined) await this.#jobs.stop(job.job.id);
  }

  /** Goes on with a run, up to `epochs` passes in all where it was done. A run that is paused is not begun a second time. */
  async resume(runId: number, epochs?: number): Promise<void> {
    const paused = this.#jobs.paused.find(({ job }) => job.kind === "pretrain" && job.parameters["runId"] === runId);
    if (paused !== undefined) return this.#jobs.resume(paused.job.id);
    this.#waiting = true;
    const parameters = { runId, ...(epochs === undefined ? {} : { epochs }) };
    if ((await this.#jobs.start({ kind: "pretrain", parameters })) === undefined) this.#waiting = false;
  }

  /** Makes the model of a run the current one and lets it look at every picture. */
  async use(modelId: number): Promise<void> {
    if ((await this.#core.change("models.choose", { modelId })) === undefined) return;
    await this.#jobs.start({ kind: "embed", parameters: { modelId } });
    this.#toasts.show({ kind: "done", message: "This model is used from now on." });
  }

  /** Discards a run, but for a while in which it can be had back: the core cannot undo it. */
  discard({ id, name }: Run): void {
    this.leaving = new Set([...this.leaving, id]);
    this.compose();
    const summary = `Discarded ${name}; its curves stay.`;
    const stay = (): void => {
      this.leaving = new Set([...this.leaving].filter((other) => other !== id));
    };
    let pending: History["pending"] = null;
    const settled = (): void => {
      if (this.#history.pending === pending) this.#history.pending = null;
    };
    const timer = setTimeout(() => {
      settled();
      void this.#core.change("runs.discard", { runId: id }).then(async () => {
        await this.load();
        stay();
      });
    }, regretMs);
    const toast = this.#toasts.show({ kind: "done", message: summary, action: { title: "Undo", run: () => back() } });
    const back = (): void => {
      clearTimeout(timer);
      settled();
      this.#toasts.dismiss(toast);
      stay();
      this.open(id);
    };
    this.#history.pending = pending = { summary, back };
  }

  /** Goes to the form for a new run. */
  compose(): void {
    this.#place.keep({ run: "" }, "push");
  }

  /** Goes to a run. */
  open(runId: number): void {
    const run = String(runId);
    if (this.#place.view === "train") this.#place.keep({ run }, "push");
    else this.#place.go({ view: "train", imageId: null, extra: { run } });
  }

  /** Shows what the address names: a run, or the form where it names none. */
  async follow(address: string): Promise<void> {
    const runId = Number(address);
    if (address === "") this.shown = null;
    else if (this.shown?.run.id !== runId) {
      try {
        await this.#show(runId);
      } catch (error) {
        this.#core.refused(error);
        this.compose();
      }
    }
  }

  /** Scrubs through the probes. */
  step(by: number): void {
    this.scrubbed = Math.max(0, Math.min(this.probes.length - 1, this.probeAt + by));
  }

  /** The job that trains now. */
  readonly job = $derived.by(() => this.#jobs.active.find(({ job }) => job.kind === "pretrain") ?? null);

  /** Models that a run can start from. */
  readonly starts = $derived.by(() => this.#library.models.filter(({ heads }) => heads !== null));

  async #show(runId: number): Promise<void> {
    const isOther = this.shown?.run.id !== runId;
    const view = await this.#core.call("runs.get", { runId, points: mostPoints });
    if (isOther) {
      this.attention = new Map();
      this.scrubbed = null;
      this.playing = false;
    }
    this.shown = view;
    await Promise.all(view.probes.map(({ iteration }) => this.#watch(runId, iteration)));
  }

  async #watch(runId: number, iteration: number): Promise<void> {
    if (this.attention.has(iteration)) return;
    const pictures = await this.#core.call("runs.attention", { runId, iteration });
    if (this.shown?.run.id === runId) this.attention = new Map([...this.attention, [iteration, pictures]]);
  }

  #grow(metrics: readonly RunMetrics[]): void {
    const first = metrics[0]?.iteration;
    if (this.shown === null || first === undefined) return;
    const { run } = this.shown;
    // A run that resumes gives the iterations after its checkpoint once more.
    const curve = [...this.shown.curve.filter(({ iteration }) => iteration < first), ...metrics.map(pointOf)];
    this.shown = { ...this.shown, run: { ...run, state: "running" }, curve: thinned(curve, mostPoints * 2, middleOf) };
  }
}

function pointOf({ iteration, loss, teacherEntropy, divergence, learningRate }: RunMetrics): RunPoint {
  return { iteration, loss, teacherEntropy, divergence, learningRate };
}

/** Two neighbours as one; the later one says where. */
function middleOf(a: RunPoint, b: RunPoint): RunPoint {
  return {
    iteration: b.iteration,
    loss: (a.loss + b.loss) / 2,
    teacherEntropy: (a.teacherEntropy + b.teacherEntropy) / 2,
    divergence: (a.divergence + b.divergence) / 2,
    learningRate: (a.learningRate + b.learningRate) / 2,
  };
}
