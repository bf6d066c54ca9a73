import { decodeImages } from "../../core/rpc/columns.ts";
import type { ImageQuery } from "../../core/rpc/contract.ts";
import type { Problem } from "../../core/rpc/messages.ts";
import { imagesRequest } from "../../core/rpc/paths.ts";
import type { Operation } from "../../core/rpc/records.ts";
import type { ModelRow, PrecisionStep, SuggestionCount } from "../../core/rpc/views.ts";
import { calmly } from "../lib/calmly.ts";
import { modelLookOf, type Look } from "../lib/model-looks.ts";
import { problemOf } from "../lib/problem.ts";
import {
  labelledSince,
  nextUndecided,
  reviewModes,
  settled,
  stepAtConfidence,
  usualStep,
  type Decision,
  type ReviewMode,
} from "../lib/review.ts";
import { stepFrom, type Step } from "../lib/tiles.ts";
import type { Core } from "./core.svelte.ts";
import type { History } from "./history.svelte.ts";
import type { Jobs } from "./jobs.svelte.ts";
import type { Labelling, Sequence, Within } from "./labelling.svelte.ts";
import type { Library } from "./library.svelte.ts";
import type { Panels } from "./panels.svelte.ts";
import type { Place } from "./place.svelte.ts";

interface Parts {
  readonly core: Core;
  readonly history: History;
  readonly jobs: Jobs;
  readonly labelling: Labelling;
  readonly library: Library;
  readonly panels: Panels;
  readonly place: Place;
}

/** An image to decide about. */
export interface ReviewItem {
  readonly id: number;
  readonly version: number;
  /** The label that is suggested; 0: none. */
  readonly labelId: number;
  /** How sure that is; 0 without a suggestion. */
  readonly confidence: number;
}

/** Images that a queue brings at a time. */
const queueLength = 100;

/** Suggestions and queues, image by image: the list stays as it is while one decides, and shows what was decided. */
export class Review implements Within {
  items = $state.raw<readonly ReviewItem[]>([]);
  counts = $state.raw<readonly SuggestionCount[]>([]);
  state = $state<"loading" | "ready" | "failed">("loading");
  problem = $state.raw<Problem | null>(null);
  /** Place of the focus, and tiles in a row. */
  at = $state(0);
  across = $state(1);
  decided = $state.raw<ReadonlyMap<number, Decision>>(new Map());
  /** What accepting down to a confidence means, in falling order of confidence. */
  steps = $state.raw<readonly PrecisionStep[]>([]);
  /** Steps that would be accepted; 0 accepts none. */
  taken = $state(0);
  #operations = $state.raw<readonly Operation[]>([]);
  readonly #parts: Parts;
  readonly chosen = $derived.by(() => {
    const { library, place } = this.#parts;
    if (library.modelId === undefined) return null;
    return modelLookOf(library.models, library.modelId, place.route.extra);
  });
  readonly row: ModelRow | null = $derived(this.chosen?.row ?? null);
  readonly modelId = $derived(this.row?.model.id ?? null);
  readonly mode: ReviewMode = $derived.by(
    () => reviewModes.find((mode) => mode === this.#parts.place.route.extra["mode"]) ?? "suggestions",
  );
  /** The label whose suggestions are shown; null for all. */
  readonly labelId = $derived.by(() => Number(this.#parts.place.route.extra["label"] ?? 0) || null);
  /** All that decides which list this is. */
  readonly asks = $derived(`${this.modelId} ${this.mode} ${this.mode === "suggestions" ? this.labelId : ""}`);
  readonly item: ReviewItem | null = $derived(this.items[this.at] ?? null);
  readonly open = $derived(this.items.length - this.decided.size);
  /** The step that would be accepted. */
  readonly step: PrecisionStep | null = $derived(this.taken === 0 ? null : (this.steps[this.taken - 1] ?? null));
  /** Images above the line that were skipped: they stay as they are. */
  readonly leftOut: readonly number[] = $derived(
    this.items.flatMap((item) => (this.decided.get(item.id) === "skipped" && this.covers(item) ? [item.id] : [])),
  );
  readonly total = $derived(this.counts.reduce((sum, { offered, abstained }) => sum + offered + abstained, 0));
  /** Images labelled since the suggestions were made. */
  readonly fresh = $derived.by(() => {
    const last = this.#parts.jobs.views.find(
      ({ job }) =>
        job.kind === "suggest" &&
        job.state === "done" &&
        (job.parameters["modelId"] === undefined || job.parameters["modelId"] === this.modelId),
    );
    return last?.job.finishedAt === undefined || last.job.finishedAt === null
      ? 0
      : labelledSince(this.#operations, last.job.finishedAt);
  });
  readonly #soon;
  readonly #anew;
  #asked = 0;
  /** What the list that is shown answers. */
  #shows = "";

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#soon = calmly(() => this.#settle(), 500);
    this.#anew = calmly(() => this.load(), 300);
    parts.core.on("changed", ({ kinds }) => {
      if (parts.place.view !== "review") return;
      // A job made them anew, where no act of the user did.
      const recomputed = kinds.includes("suggestions") && !kinds.includes("history");
      const firstLook = kinds.includes("embeddings") && this.items.length === 0;
      if (recomputed || firstLook) this.#anew.ask();
      else if (kinds.some((kind) => ["annotations", "suggestions", "labels", "history"].includes(kind)))
        this.#soon.ask();
    });
  }

  /** The view is there; returns how to leave it. */
  enter(): () => void {
    const { labelling } = this.#parts;
    labelling.within = this;
    return () => {
      if (labelling.within === this) labelling.within = null;
    };
  }

  choose(named: { readonly model?: number | undefined; readonly look?: Look }): void {
    this.#parts.place.keep({
      ...(named.model === undefined ? {} : { model: String(named.model) }),
      ...(named.look === undefined ? {} : { look: named.look }),
    });
  }

  setMode(mode: ReviewMode): void {
    this.#parts.place.keep({ mode: mode === "suggestions" ? "" : mode }, "push");
  }

  /** Shows the suggestions of a label; null for those of all. */
  setLabel(labelId: number | null, how: "push" | "replace" = "push"): void {
    this.#parts.place.keep({ mode: "", label: labelId === null ? "" : String(labelId) }, how);
  }

  /** The label above or below in the list with something to review. */
  besideLabel(by: 1 | -1): void {
    const ids = [null, ...this.counts.map(({ labelId }) => labelId)];
    const next = ids[ids.indexOf(this.labelId) + by];
    // Many are stepped through on the way to one: the way back leads past them.
    if (next !== undefined) this.setLabel(next, "replace");
  }

  /** Asks for the list anew: nothing of it is decided but what is meanwhile. */
  async load(): Promise<void> {
    const asked = ++this.#asked;
    const { asks, modelId, decided } = this;
    this.state = "loading";
    // The list of another queue or model is no answer; that of another label stays until the next is there.
    if (!this.#shows.startsWith(`${modelId} ${this.mode} `)) this.items = [];
    if (modelId === null) {
      [this.state, this.problem, this.#shows] = ["ready", null, ""];
      [this.items, this.counts, this.steps] = [[], [], []];
      return;
    }
    try {
      const [list] = await Promise.all([
        this.mode === "suggestions" ? this.#suggestions(modelId) : this.#queue(modelId, this.mode),
        this.#readAround(modelId),
      ]);
      if (asked !== this.#asked) return;
      // The same list made anew keeps its focus, another one begins at its start.
      const focused = this.#shows === asks ? this.item?.id : undefined;
      this.#shows = asks;
      this.items = list;
      // What was decided about meanwhile may be in an answer from before.
      const listed = new Set(list.map(({ id }) => id));
      this.decided = new Map(
        [...this.decided].filter(([id, decision]) => listed.has(id) && decided.get(id) !== decision),
      );
      this.at = Math.max(
        0,
        list.findIndex(({ id }) => id === focused),
      );
      this.taken = usualStep(this.steps);
      this.problem = null;
      this.state = "ready";
    } catch (error) {
      if (asked !== this.#asked) return;
      this.items = [];
      this.problem = problemOf(error);
      this.state = "failed";
    }
  }

  /** Whether the line of the slider is below an item. */
  covers({ confidence }: ReviewItem): boolean {
    // The list has single precision, the steps have double.
    return this.mode === "suggestions" && this.step !== null && confidence >= Math.fround(this.step.confidence);
  }

  setTaken(steps: number): void {
    this.taken = Math.max(0, Math.min(steps, this.steps.length));
  }

  move(step: Step): void {
    this.at = stepFrom(this.at, step, { count: this.items.length, across: this.across });
  }

  async accept(): Promise<void> {
    const { item, modelId } = this;
    if (item === null || modelId === null || this.decided.has(item.id)) return;
    if (item.labelId === 0) {
      this.#parts.panels.labelling = true;
      return;
    }
    this.#decide(item.id, "accepted");
    const done = await this.#parts.core.change("suggestions.accept", { modelId, which: { imageIds: [item.id] } });
    if (done === undefined) this.#soon.ask();
  }

  async reject(): Promise<void> {
    const { item, modelId } = this;
    if (item === null || modelId === null || this.decided.has(item.id)) return;
    if (item.labelId === 0) return this.skip();
    this.#decide(item.id, "rejected");
    const done = await this.#parts.core.change("suggestions.reject", { modelId, imageIds: [item.id] });
    if (done === undefined) this.#soon.ask();
  }

  /** Leaves the image as it is, also when all above the line are accepted. */
  skip(): void {
    const { item } = this;
    if (item === null) return;
    if (this.decided.has(item.id)) this.#goOn();
    else this.#decide(item.id, "skipped");
  }

  /** Accepts everything above the line as one act. */
  async acceptAll(): Promise<void> {
    const { step, modelId, labelId } = this;
    if (step === null || modelId === null) return;
    const done = await this.#parts.core.change("suggestions.accept", {
      modelId,
      which: {
        minimumConfidence: step.confidence,
        ...(labelId === null ? {} : { labelId }),
        except: [...this.leftOut],
      },
    });
    if (done === undefined) return;
    this.#parts.history.told(done.operation);
    await this.load();
  }

  /** Makes suggestions with the labels of now. */
  async recompute(): Promise<void> {
    const { modelId } = this;
    if (modelId !== null) await this.#parts.jobs.start({ kind: "suggest", parameters: { modelId } });
  }

  target(): readonly number[] {
    return this.item === null ? [] : [this.item.id];
  }

  /** Another label was given. */
  moveOn(ids: readonly number[]): void {
    this.#parts.panels.labelling = false;
    for (const id of ids) this.#decide(id, "labelled");
    this.#soon.ask(1500);
  }

  sequence(): Sequence {
    return {
      ids: this.items.map(({ id }) => id),
      name: this.mode === "suggestions" ? "these suggestions" : "this queue",
    };
  }

  #decide(id: number, decision: Decision): void {
    this.decided = new Map([...this.decided, [id, decision]]);
    if (this.item?.id === id) this.#goOn();
  }

  #goOn(): void {
    const ids = this.items.map(({ id }) => id);
    const next = nextUndecided(ids, this.decided, this.at);
    if (next >= 0) this.at = next;
  }

  async #suggestions(modelId: number): Promise<ReviewItem[]> {
    return this.#list({ ...(await this.#suggestionFilter(modelId)), modelId });
  }

  /** Images without a label that have a suggestion, offered or held back, most certain first. */
  async #suggestionFilter(modelId: number): Promise<ImageQuery> {
    const known = this.labelId === null ? await this.#parts.core.call("suggestions.counts", { modelId }) : null;
    const suggestedLabelIds = known === null ? [this.labelId ?? 0] : known.map(({ labelId }) => labelId);
    return { filter: { labelled: false, suggestedLabelIds }, sort: { by: "confidence" } };
  }

  async #queue(modelId: number, queue: Exclude<ReviewMode, "suggestions">): Promise<ReviewItem[]> {
    const queued = await this.#parts.core.call("queue.next", { queue, count: queueLength, modelId });
    const ids = queued.map(({ image }) => image.id);
    const items = new Map((await this.#list({ filter: { ids }, modelId })).map((item) => [item.id, item]));
    return ids.flatMap((id) => items.get(id) ?? []);
  }

  async #list(query: ImageQuery): Promise<ReviewItem[]> {
    const { path, body } = imagesRequest(query);
    const { columns } = decodeImages(await this.#parts.core.client.bytes(path, { body }));
    return Array.from(columns.ids, (id, at) => ({
      id,
      version: columns.versions[at] ?? 0,
      labelId: columns.suggestedLabelIds[at] ?? 0,
      confidence: columns.confidences[at] ?? 0,
    }));
  }

  /** Counts, precision and what was labelled since: everything beside the list. */
  async #readAround(modelId: number): Promise<void> {
    const { core } = this.#parts;
    const { labelId } = this;
    const [counts, steps, { operations }] = await Promise.all([
      core.call("suggestions.counts", { modelId }),
      core.call("suggestions.precision", { modelId, ...(labelId === null ? {} : { labelId }) }),
      core.call("history.list", { limit: 200 }),
    ]);
    this.counts = counts.toSorted((a, b) => b.offered + b.abstained - (a.offered + a.abstained));
    this.steps = steps;
    this.#operations = operations;
  }

  /** Something was labelled or undone: the list stays, and says what became of it. */
  async #settle(): Promise<void> {
    const { modelId } = this;
    const asked = this.#asked;
    if (modelId === null || this.state !== "ready") return;
    const hasMissed = this.#parts.core.watchChanges();
    const confidence = this.step?.confidence;
    const ids = this.items.map(({ id }) => id);
    const query: ImageQuery =
      this.mode === "suggestions" ? await this.#suggestionFilter(modelId) : { filter: { labelled: false, ids } };
    const [waiting] = await Promise.all([this.#list({ ...query, modelId }), this.#readAround(modelId)]);
    if (asked !== this.#asked) return;
    // An answer from before what was decided meanwhile would take it back and move the focus.
    if (hasMissed()) return this.#soon.ask();
    const known = new Set(ids);
    // What was accepted together and taken back is not in the list that is shown.
    if (waiting.some(({ id }) => !known.has(id))) return this.load();
    const before = this.decided;
    // In a queue a rejected image still waits for a label, but not for this one.
    const open = waiting.filter(({ id, labelId }) => before.get(id) !== "rejected" || labelId !== 0);
    this.decided = settled(ids, before, new Set(open.map(({ id }) => id)));
    this.taken = confidence === undefined ? 0 : stepAtConfidence(this.steps, confidence);
    const reopened = this.items.findIndex(
      ({ id }) => !this.decided.has(id) && before.has(id) && before.get(id) !== "skipped",
    );
    if (reopened >= 0) this.at = reopened;
  }
}
