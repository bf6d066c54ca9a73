import type { JobRequest } from "../../core/rpc/contract.ts";
import { canPause } from "../../core/rpc/pausing.ts";
import type { Job, JobKind } from "../../core/rpc/records.ts";
import type { JobView } from "../../core/rpc/views.ts";
import type { Core } from "./core.svelte.ts";
import type { Toasts } from "./toasts.svelte.ts";

/** What a job is called where people see it. */
export const jobTitles: Readonly<Record<JobKind, string>> = {
  ingest: "Adding pictures",
  embed: "Looking at pictures",
  suggest: "Suggesting labels",
  download: "Downloading a model",
  check: "Checking labels",
  masks: "Making masks",
  cluster: "Grouping by look",
  map: "Drawing the map",
  export: "Exporting",
  import: "Importing",
  pretrain: "Training",
};

/** Long work: what waits, runs, is paused, was stopped or failed, and what it came to. */
export class Jobs {
  views = $state.raw<readonly JobView[]>([]);
  /** Halted jobs that the user took out of the tray. */
  hidden = $state.raw<ReadonlySet<number>>(new Set());
  /** Waiting or running, oldest first: what the tray shows. */
  readonly active = $derived(
    this.views.filter(({ job }) => job.state === "running" || job.state === "queued").toReversed(),
  );
  /** Paused, oldest first: they keep their place until somebody goes on with them. */
  readonly paused = $derived(this.views.filter(({ job }) => job.state === "paused").toReversed());
  /** Those that a pause would be heard by. */
  readonly pausable = $derived(this.active.filter(({ job, halting }) => canPause(job.kind) && halting === null));
  /** The newest job of each kind that was stopped or failed and that nobody went on with. */
  readonly halted = $derived(haltedOf(this.views, this.hidden));
  readonly #core: Core;
  readonly #toasts: Toasts;
  /** The word about the last failure of each kind of job, which a later success takes away. */
  readonly #told = new Map<JobKind, number>();
  readonly #ended = new Map<number, ((view: JobView) => void)[]>();

  constructor(core: Core, toasts: Toasts) {
    this.#core = core;
    this.#toasts = toasts;
    core.on("job", (view) => this.#take(view));
  }

  /** All that there is; what ended while the core was away is noticed now. */
  async load(): Promise<void> {
    const views = await this.#core.call("jobs.list", {});
    for (const view of views) if (isOver(view.job)) this.#settle(view);
    this.views = views;
  }

  /** Starts a job; undefined after a refusal, which is shown. */
  async start(request: JobRequest): Promise<Job | undefined> {
    return this.#core.change("jobs.start", request);
  }

  /** Starts a job and waits until it ended; undefined where it was refused. */
  async finish(request: JobRequest): Promise<JobView | undefined> {
    const job = await this.start(request);
    if (job === undefined) return undefined;
    const known = this.views.find((view) => view.job.id === job.id);
    if (known !== undefined && isOver(known.job)) return known;
    return new Promise((resolve) => this.#ended.set(job.id, [...(this.#ended.get(job.id) ?? []), resolve]));
  }

  async stop(jobId: number): Promise<void> {
    await this.#core.change("jobs.stop", { jobId });
  }

  async pause(jobId: number): Promise<void> {
    await this.#core.change("jobs.pause", { jobId });
  }

  async resume(jobId: number): Promise<void> {
    await this.#core.change("jobs.resume", { jobId });
  }

  /** Pauses all that can be paused. */
  async pauseAll(): Promise<void> {
    await Promise.all(this.pausable.map(({ job }) => this.pause(job.id)));
  }

  /** Goes on with all that is paused, in the order in which it was begun. */
  async resumeAll(): Promise<void> {
    // The last one that goes on is the first in its line.
    for (const { job } of this.paused.toReversed()) await this.resume(job.id);
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.active.map(({ job }) => this.stop(job.id)));
  }

  /** Takes a stopped or failed job out of the tray; it stays in the list. */
  hide(jobId: number): void {
    this.hidden = new Set([...this.hidden, jobId]);
  }

  /** Whether a job of this kind waits or runs. */
  runs(kind: JobKind): boolean {
    return this.active.some(({ job }) => job.kind === kind);
  }

  #take(view: JobView): void {
    const before = this.views.find(({ job }) => job.id === view.job.id);
    this.views = before === undefined ? [view, ...this.views] : this.views.map((one) => (one === before ? view : one));
    // A job that goes on and is stopped once more is shown once more.
    if (!isOver(view.job) && this.hidden.has(view.job.id)) {
      this.hidden = new Set([...this.hidden].filter((id) => id !== view.job.id));
    }
    if (!isOver(view.job) || (before !== undefined && isOver(before.job))) return;
    this.#settle(view);
    const { kind } = view.job;
    if (view.job.state === "done") this.#toasts.dismiss(this.#told.get(kind) ?? 0);
    if (view.job.state === "failed") {
      const { message } = view.job.problem ?? { message: "It ended without a reason." };
      const told = this.#toasts.show({
        kind: "problem",
        topic: `job-${kind}`,
        message: `${jobTitles[kind]} failed. ${message}`,
        action: { title: "Try again", run: () => void this.resume(view.job.id) },
      });
      this.#told.set(kind, told);
    }
  }

  /** Tells whoever waits for a job that it ended. */
  #settle(view: JobView): void {
    for (const resolve of this.#ended.get(view.job.id) ?? []) resolve(view);
    this.#ended.delete(view.job.id);
  }
}

function isOver({ state }: Job): boolean {
  return state === "stopped" || state === "failed" || state === "done";
}

function haltedOf(views: readonly JobView[], hidden: ReadonlySet<number>): JobView[] {
  const seen = new Set<JobKind>();
  return views.filter(({ job }) => {
    if (seen.has(job.kind)) return false;
    seen.add(job.kind);
    return (job.state === "stopped" || job.state === "failed") && !hidden.has(job.id);
  });
}
