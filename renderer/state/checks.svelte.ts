import { decodeGrid, decodeImages } from "../../core/rpc/columns.ts";
import type { RareLabelRow, ShownFinding, ShownFoundImage } from "../../core/rpc/api.ts";
import type { ChangeKind, Problem } from "../../core/rpc/messages.ts";
import { imagesRequest, patchesPath } from "../../core/rpc/paths.ts";
import type { CheckKind, Operation } from "../../core/rpc/records.ts";
import { calmly } from "../lib/calmly.ts";
import { differingPatches, type Difference } from "../lib/patches-differ.ts";
import { problemOf } from "../lib/problem.ts";
import type { Core } from "./core.svelte.ts";
import type { History } from "./history.svelte.ts";
import type { Images } from "./images.svelte.ts";
import type { Jobs } from "./jobs.svelte.ts";
import { namesOf, type Labels } from "./labels.svelte.ts";
import type { LabelChoice, Labelling, Sequence, Within } from "./labelling.svelte.ts";
import type { Library } from "./library.svelte.ts";
import type { Panels } from "./panels.svelte.ts";
import type { Place } from "./place.svelte.ts";

export type CheckTab = CheckKind | "rare-labels";

/** The tabs in their order, and what they are called. */
export const checkTabs: readonly { readonly id: CheckTab; readonly title: string }[] = [
  { id: "wrong-labels", title: "Wrong labels" },
  { id: "twins", title: "Twins" },
  { id: "duplicates", title: "Duplicates" },
  { id: "outliers", title: "Outliers" },
  { id: "rare-labels", title: "Rare labels" },
];

/** Findings that are shown; those after them come when these are done. */
const mostShown = 100;

/** Pixels of a side at which pictures are compared patch by patch. */
const compareSize = 224;

/** Parts of the library that findings depend on. */
const concerned: readonly ChangeKind[] = ["findings", "annotations", "labels", "images", "sources"];

interface Parts {
  readonly core: Core;
  readonly history: History;
  readonly images: Images;
  readonly jobs: Jobs;
  readonly labelling: Labelling;
  readonly labels: Labels;
  readonly library: Library;
  readonly panels: Panels;
  readonly place: Place;
}

/** What names a finding in the address: its images. */
export function keyOf({ images }: Pick<ShownFinding, "images">): string {
  return images.map(({ imageId }) => imageId).join(".");
}

/** What the last check found and still holds, one finding at a time, and what is done about it. */
export class Checks implements Within {
  state = $state<"loading" | "ready" | "failed">("loading");
  problem = $state.raw<Problem | null>(null);
  counts = $state.raw<ReadonlyMap<CheckTab, number>>(new Map());
  rare = $state.raw<readonly RareLabelRow[]>([]);
  /** Which image of the finding is marked: keys are about it. */
  side = $state(0);
  /** Whether the patches are lit in which twins differ. */
  lit = $state(true);
  #found = $state.raw<readonly ShownFinding[]>([]);
  /** Findings that were dealt with, until the core has said so. */
  #gone = $state.raw<ReadonlySet<string>>(new Set());
  /** The tab that the findings are of. */
  #shows: CheckTab | null = null;
  #wanted = $state(0);
  readonly #parts: Parts;
  readonly #soon;
  readonly tab: CheckTab = $derived.by(() => {
    const named = this.#parts.place.route.extra["tab"];
    return checkTabs.find(({ id }) => id === named)?.id ?? "wrong-labels";
  });
  readonly findings: readonly ShownFinding[] = $derived(this.#found.filter((one) => !this.#gone.has(keyOf(one))));
  /** Whether there may be more findings than are shown. */
  readonly isCut = $derived(this.#found.length === mostShown);
  readonly at = $derived(Math.max(0, Math.min(this.#wanted, this.findings.length - 1)));
  readonly finding: ShownFinding | null = $derived(this.findings[this.at] ?? null);
  readonly marked: ShownFoundImage | null = $derived(this.finding?.images[this.side] ?? null);
  /** Findings at the head of the list that are worth a look without being asked for. */
  readonly likely = $derived.by(() => {
    const first = this.findings.findIndex((one) => !one.likely);
    return first < 0 ? this.findings.length : first;
  });

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#soon = calmly(() => this.load(), 500);
    parts.core.on("changed", ({ kinds }) => {
      if (parts.place.view === "checks" && kinds.some((kind) => concerned.includes(kind))) this.#soon.ask();
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

  show(tab: CheckTab): void {
    if (tab !== this.tab) this.#parts.place.keep({ tab: tab === "wrong-labels" ? "" : tab, about: "" }, "push");
  }

  /** Asks for what there is now; the finding that is looked at stays. */
  async load(): Promise<void> {
    const { core, place } = this.#parts;
    const { tab } = this;
    if (tab !== this.#shows) {
      this.#shows = tab;
      [this.#found, this.#wanted, this.side, this.state] = [[], 0, 0, "loading"];
    }
    const hasMissed = core.watchChanges();
    try {
      const [counts, rare, found] = await Promise.all([
        core.call("checks.counts", {}),
        core.call("checks.rareLabels", {}),
        tab === "rare-labels" ? [] : core.call("checks.list", { kind: tab, limit: mostShown }),
      ]);
      if (tab !== this.tab) return;
      const looked = this.state === "ready" && this.finding !== null ? keyOf(this.finding) : place.route.extra["about"];
      this.counts = new Map<CheckTab, number>([
        ...counts.map(({ kind, likely }) => [kind, likely] as const),
        ["rare-labels", rare.length],
      ]);
      this.rare = rare;
      this.#found = found;
      // What was dealt with meanwhile may be in an answer from before.
      if (hasMissed()) this.#soon.ask();
      else this.#gone = new Set();
      const same = found.findIndex((one) => keyOf(one) === looked);
      this.#go(same < 0 ? this.at : same, same < 0);
      this.problem = null;
      this.state = "ready";
    } catch (error) {
      this.problem = problemOf(error);
      this.state = "failed";
    }
  }

  /** Looks for mistakes of every kind, or of those that the tab shows. */
  async check(): Promise<void> {
    await this.#parts.jobs.start({ kind: "check", parameters: {} });
  }

  move(by: number): void {
    this.goTo(this.at + by);
  }

  goTo(at: number): void {
    this.#go(Math.max(0, Math.min(at, this.findings.length - 1)), true);
  }

  /** Marks the next image of the finding. */
  mark(by: number): void {
    const last = (this.finding?.images.length ?? 1) - 1;
    this.side = Math.max(0, Math.min(this.side + by, last));
  }

  /** The images that a label is for: the marked one, or all copies. */
  target(): readonly number[] {
    const { finding, marked } = this;
    if (finding === null || marked === null) return [];
    return this.tab === "duplicates" ? finding.images.map(({ imageId }) => imageId) : [marked.imageId];
  }

  /** The images of all findings of the tab, in their order. */
  sequence(): Sequence {
    const ids = new Set(this.findings.flatMap(({ images }) => images.map(({ imageId }) => imageId)));
    return { ids: [...ids], name: "these findings" };
  }

  /** The label went on by another way. */
  moveOn(): void {
    this.#dealtWith();
  }

  async assign(choice: LabelChoice): Promise<void> {
    const { labels, panels } = this.#parts;
    const ids = this.target();
    panels.labelling = false;
    await this.#put(ids, "labelId" in choice ? choice : { path: namesOf(choice.path) });
    if (!("labelId" in choice)) await labels.load();
  }

  /** What Enter does: takes the neighbours' label, or gives all images of the finding the label of the marked one. */
  async fix(): Promise<void> {
    const { finding, marked } = this;
    if (finding === null || marked === null) return;
    if (this.tab === "outliers") return this.#parts.place.go({ imageId: marked.imageId });
    if (this.tab === "wrong-labels") {
      if (finding.suggestion !== null) await this.#put([marked.imageId], { labelId: finding.suggestion.labelId });
      return;
    }
    const { labelId } = marked;
    if (labelId === null) {
      this.#parts.panels.labelling = true;
      return;
    }
    const others = finding.images.filter((image) => image.labelId !== labelId).map(({ imageId }) => imageId);
    if (others.length > 0) await this.#put(others, { labelId });
    else await this.keep();
  }

  /** Says that the finding is right as it is; it does not come back. */
  async keep(): Promise<void> {
    const { finding } = this;
    if (finding === null) return;
    this.#dealtWith(true);
    const imageIds = finding.images.map(({ imageId }) => imageId);
    await this.#tell(this.#parts.core.change("checks.dismiss", { kind: finding.kind, which: { imageIds } }));
  }

  /** Puts the label of each of two twins on the other. */
  async swap(): Promise<void> {
    const [first, second] = this.finding?.images ?? [];
    if (this.tab !== "twins" || first === undefined || second === undefined) return;
    this.#dealtWith();
    await this.#tell(this.#parts.core.change("checks.swapLabels", { first: first.imageId, second: second.imageId }));
  }

  /** Takes the neighbours' label for all likely wrong ones at the head of the list. */
  async fixLikely(): Promise<void> {
    if (this.tab !== "wrong-labels" || this.likely === 0) return;
    const count = this.likely;
    this.#gone = new Set([...this.#gone, ...this.findings.slice(0, count).map(keyOf)]);
    await this.#tell(this.#parts.core.change("checks.acceptWrongLabels", { count }));
  }

  /** Shows unlabelled images that look like those of a label, most similar first. */
  async findMore(labelId: number): Promise<void> {
    const { core, place } = this.#parts;
    const request = imagesRequest({ filter: { labelIds: [labelId] } });
    try {
      const { ids } = decodeImages(await core.client.bytes(request.path, { body: request.body })).columns;
      if (ids.length === 0) return;
      const to = { imageIds: [...ids.subarray(0, 100)] };
      place.go({ view: "grid", filter: { labelled: false }, sort: { by: "similarity", to } });
    } catch (error) {
      core.refused(error);
    }
  }

  /** In which patches two images differ. Throws what the core says, and for a model that sees no patches. */
  async differences(
    first: number,
    second: number,
    modelId: number,
    signal: AbortSignal,
  ): Promise<readonly [Difference, Difference]> {
    const look = { modelId, size: compareSize };
    const { client } = this.#parts.core;
    const [a, b] = await Promise.all(
      [first, second].map((id) => client.bytes(patchesPath(id, look), { signal }).then(decodeGrid)),
    );
    if (a === undefined || b === undefined) throw new RangeError("Two pictures are compared.");
    return differingPatches(a, b);
  }

  async #put(ids: readonly number[], label: { labelId: number } | { path: string[] }): Promise<void> {
    if (ids.length === 0) return;
    const { core, images } = this.#parts;
    if ("labelId" in label) images.putLabel(ids, label.labelId);
    this.#dealtWith();
    const change = core.change("labels.assign", { target: { ids: [...ids] }, label });
    await this.#tell(change.then((done) => done?.operation));
  }

  async #tell(change: Promise<Operation | null | undefined>): Promise<void> {
    const operation = await change;
    // After a refusal the list shows again what holds.
    if (operation === undefined) this.#soon.ask(0);
    else this.#parts.history.told(operation);
  }

  /** Goes to the next finding. One about labels is no more; copies and odd pictures stay until they are dismissed. */
  #dealtWith(dismissed = false): void {
    const { finding } = this;
    if (finding === null) return;
    if (dismissed || this.tab === "wrong-labels" || this.tab === "twins") {
      this.#gone = new Set([...this.#gone, keyOf(finding)]);
      this.#go(this.at, true);
    } else this.goTo(this.at + 1);
  }

  #go(at: number, anew: boolean): void {
    this.#wanted = at;
    if (anew) this.side = 0;
    this.#parts.panels.labelling = false;
    const about = this.finding === null ? "" : keyOf(this.finding);
    // A long group of copies stays out of the address.
    if (this.#parts.place.view === "checks" && about.length < 200) this.#parts.place.keep({ about });
  }
}
