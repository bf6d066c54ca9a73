import { decodeImages, type ImageColumns } from "../../core/rpc/columns.ts";
import { imagesRequest } from "../../core/rpc/paths.ts";
import type { ModelRow, ClusterWall } from "../../core/rpc/views.ts";
import type { Problem } from "../../core/rpc/messages.ts";
import { calmly } from "../lib/calmly.ts";
import { leftOf, orderClusters, type WallCluster, type WallOrder } from "../lib/cluster-order.ts";
import { modelLookOf, type Look } from "../lib/model-looks.ts";
import { problemOf } from "../lib/problem.ts";
import { stepFrom, type Step } from "../lib/tiles.ts";
import type { Core } from "./core.svelte.ts";
import type { History } from "./history.svelte.ts";
import type { Jobs } from "./jobs.svelte.ts";
import type { Labelling, LabelChoice, Sequence, Within } from "./labelling.svelte.ts";
import { namesOf, type Labels } from "./labels.svelte.ts";
import type { Library } from "./library.svelte.ts";
import type { Panels } from "./panels.svelte.ts";
import type { Place } from "./place.svelte.ts";
import type { Toasts } from "./toasts.svelte.ts";

interface Parts {
  readonly core: Core;
  readonly history: History;
  readonly jobs: Jobs;
  readonly labelling: Labelling;
  readonly labels: Labels;
  readonly library: Library;
  readonly panels: Panels;
  readonly place: Place;
  readonly toasts: Toasts;
}

/** The members of the open cluster, most typical first. */
type Members = Pick<ImageColumns, "ids" | "versions" | "labelIds" | "scores">;

const nobody: Members = {
  ids: new Uint32Array(),
  versions: new Uint32Array(),
  labelIds: new Uint32Array(),
  scores: new Float32Array(),
};

/** Pictures on the card of a cluster. */
const typicalCount = 6;

/** The wall of clusters of one model, and the cluster that is open. */
export class Clusters implements Within {
  wall = $state.raw<ClusterWall | null>(null);
  problem = $state.raw<Problem | null>(null);
  order = $state<WallOrder>("largest");
  /** Also clusters where nothing is left to label. */
  all = $state(true);
  /** Place of the focus on the wall, and tiles in a row of it. */
  at = $state(0);
  across = $state(1);
  /** Clusters that are marked for a merge. */
  picked = $state.raw<ReadonlySet<number>>(new Set());
  members = $state.raw<Members>(nobody);
  /** The cluster whose members those are; null while none are there. */
  membersOf = $state<number | null>(null);
  /** Place of the focus in the open cluster. */
  memberAt = $state(0);
  /** Images that do not belong: they stay out of what is done. */
  out = $state.raw<ReadonlySet<number>>(new Set());
  oddFirst = $state(false);
  /** Members with a label get the new one too. */
  overwrite = $state(false);
  readonly #parts: Parts;
  readonly chosen = $derived.by(() => {
    const { library, place } = this.#parts;
    if (library.modelId === undefined) return null;
    return modelLookOf(library.models, library.modelId, place.route.extra);
  });
  readonly row: ModelRow | null = $derived(this.chosen?.row ?? null);
  readonly modelId = $derived(this.row?.model.id ?? null);
  /** The id of the open cluster; null on the wall. */
  readonly openId = $derived.by(() => idOf(this.#parts.place.route.extra["open"]));
  readonly shown: readonly WallCluster[] = $derived(
    orderClusters(this.wall?.clusters ?? [], { order: this.order, all: this.all }),
  );
  readonly open: WallCluster | null = $derived(this.wall?.clusters.find(({ id }) => id === this.openId) ?? null);
  readonly focused: WallCluster | null = $derived(this.open ?? this.shown[this.at] ?? null);
  /** Places of the members in the order in which they are shown. */
  readonly #places = $derived.by(() => {
    const places = Array.from(this.members.ids.keys());
    return this.oddFirst ? places.reverse() : places;
  });
  /** Members that are not left out. */
  readonly kept = $derived(this.members.ids.length - this.out.size);
  /** Of those, the ones that a label goes to. */
  readonly labelled = $derived.by(() => {
    const { ids, labelIds } = this.members;
    return ids.reduce((sum, id, at) => sum + (labelIds[at] !== 0 && !this.out.has(id) ? 1 : 0), 0);
  });
  readonly toLabel = $derived(this.overwrite ? this.kept : this.kept - this.labelled);
  readonly #soon;
  #anchor = 0;
  #asked = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#soon = calmly(() => this.load(), 350);
    parts.core.on("changed", ({ kinds }) => {
      const ours = ["clusters", "annotations", "labels", "images", "suggestions", "models"] as const;
      if (this.#isShown && kinds.some((kind) => ours.some((one) => one === kind))) this.#soon.ask();
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

  /** Asks for the wall, and for the members of the open cluster. */
  async load(): Promise<void> {
    const { modelId, openId } = this;
    const asked = ++this.#asked;
    if (modelId === null) return;
    try {
      const [wall] = await Promise.all([
        this.#parts.core.call("clusters.list", { modelId, typical: typicalCount }),
        openId === null ? undefined : this.#loadMembers(modelId, openId, asked),
      ]);
      if (asked !== this.#asked) return;
      const before = this.shown;
      this.wall = wall;
      this.problem = null;
      this.at = this.#placeAfter(before);
      const there = new Set(wall.clusters.map(({ id }) => id));
      this.picked = new Set([...this.picked].filter((id) => there.has(id)));
      // The cluster of an old link was split, merged, or made anew.
      if (openId !== null && !there.has(openId)) this.close();
    } catch (error) {
      if (asked === this.#asked) this.problem = problemOf(error);
    }
  }

  /** Another model: nothing of the last one is shown. */
  forget(): void {
    this.wall = null;
    this.at = 0;
    this.picked = new Set();
  }

  choose(named: { readonly model?: number | undefined; readonly look?: Look }): void {
    this.#parts.place.keep({
      ...(named.model === undefined ? {} : { model: String(named.model) }),
      ...(named.look === undefined ? {} : { look: named.look }),
      open: "",
    });
  }

  show(id: number): void {
    this.#parts.place.keep({ open: String(id) }, "push");
    const at = this.shown.findIndex((cluster) => cluster.id === id);
    if (at >= 0) this.at = at;
  }

  /** Back to the wall. */
  close(): void {
    this.#parts.panels.labelling = false;
    this.#parts.place.keep({ open: "" });
  }

  /** A cluster was opened or closed: nobody is left out yet. */
  opened(): void {
    this.out = new Set();
    this.memberAt = 0;
    this.#anchor = 0;
    this.oddFirst = false;
    this.overwrite = false;
    if (this.openId !== this.membersOf) {
      this.members = nobody;
      this.membersOf = null;
    }
  }

  step(step: Step): void {
    if (this.openId === null) this.at = stepFrom(this.at, step, { count: this.shown.length, across: this.across });
    else this.memberAt = stepFrom(this.memberAt, step, { count: this.members.ids.length, across: this.across });
    this.#anchor = this.memberAt;
  }

  /** Opens the cluster beside the open one, or moves the focus on the wall. */
  beside(by: 1 | -1): void {
    const here = this.shown.findIndex(({ id }) => id === this.openId);
    const next = this.shown[here + by];
    if (here >= 0 && next !== undefined) this.show(next.id);
  }

  /** Marks a cluster for a merge, or takes the mark off. */
  pick(id: number): void {
    const picked = new Set(this.picked);
    if (!picked.delete(id)) picked.add(id);
    this.picked = picked;
  }

  pickNone(): void {
    this.picked = new Set();
  }

  /** The member that is shown at a place. */
  memberOf(at: number): { readonly id: number; readonly version: number; readonly labelId: number } {
    const place = this.#places[at] ?? -1;
    const { ids, versions, labelIds } = this.members;
    return { id: ids[place] ?? 0, version: versions[place] ?? 0, labelId: labelIds[place] ?? 0 };
  }

  /** Leaves a member out, or takes it back in; with `range`, all from the last one as that one was. */
  toggle(at: number, range = false): void {
    const out = new Set(this.out);
    const { id } = this.memberOf(at);
    if (range) {
      const leave = out.has(this.memberOf(this.#anchor).id);
      for (let place = Math.min(at, this.#anchor); place <= Math.max(at, this.#anchor); place++) {
        const member = this.memberOf(place).id;
        if (leave) out.add(member);
        else out.delete(member);
      }
    } else {
      if (!out.delete(id)) out.add(id);
      this.#anchor = at;
    }
    this.memberAt = at;
    this.out = out;
  }

  keepAll(): void {
    this.out = new Set();
  }

  invert(): void {
    this.out = new Set([...this.members.ids].filter((id) => !this.out.has(id)));
  }

  /** Labels what belongs to the open cluster, or to the one in focus, as one act. */
  async assign(choice: LabelChoice): Promise<void> {
    const { core, history, labels, toasts, panels } = this.#parts;
    const cluster = this.focused;
    if (cluster === null) return;
    panels.labelling = false;
    const isOpen = this.openId !== null;
    const done = await core.change("clusters.label", {
      clusterId: cluster.id,
      label: "labelId" in choice ? choice : { path: namesOf(choice.path) },
      overwrite: isOpen && this.overwrite,
      except: isOpen ? [...this.out] : [],
    });
    if (done === undefined) return;
    if ("labelId" in choice) this.#parts.labelling.remember(choice.labelId);
    else void labels.load();
    if (done.operation === null) {
      toasts.show({ kind: "done", message: "Nothing to label: every image here has a label." });
      return;
    }
    history.told(done.operation);
    this.#goOn(cluster.id);
  }

  /** Labels a cluster with the name that its labels and suggestions speak for. */
  async assignProposal(): Promise<void> {
    const proposal = this.focused?.proposal;
    if (proposal !== null && proposal !== undefined) await this.assign({ labelId: proposal.labelId });
  }

  async split(parts: number): Promise<void> {
    const { core, history } = this.#parts;
    const cluster = this.focused;
    if (cluster === null) return;
    const done = await core.change("clusters.split", { clusterId: cluster.id, parts });
    if (done === undefined) return;
    if (this.openId !== null) this.close();
    this.picked = new Set(done.clusterIds);
    await this.load();
    this.#focus(done.clusterIds);
    history.told(done.operation);
  }

  /** Makes a cluster of its own of those that are left out of the open one; the others stay open. */
  async takeOut(): Promise<void> {
    const { core, history, place } = this.#parts;
    const { openId } = this;
    if (openId === null || this.out.size === 0 || this.kept === 0) return;
    const done = await core.change("clusters.divide", { clusterId: openId, groups: [[...this.out]] });
    if (done === undefined) return;
    this.out = new Set();
    place.keep({ open: String(done.clusterIds[1] ?? "") });
    await this.load();
    history.told(done.operation);
  }

  /** Makes one cluster of those that are marked. */
  async merge(): Promise<void> {
    const { core, history } = this.#parts;
    if (this.picked.size < 2) return;
    const done = await core.change("clusters.merge", { clusterIds: [...this.picked] });
    if (done === undefined) return;
    this.picked = new Set();
    await this.load();
    this.#focus(done.clusterIds);
    history.told(done.operation);
  }

  /** Groups the model's images; `count` null finds the number by itself. */
  async make(wanted: { readonly count: number | null; readonly minimum: number }): Promise<void> {
    const { modelId } = this;
    if (modelId === null) return;
    if (this.openId !== null) this.close();
    await this.#parts.jobs.start({ kind: "cluster", parameters: { modelId, ...wanted } });
  }

  /** It labels in its own way. */
  target(): readonly number[] {
    return [];
  }

  moveOn(): void {
    this.step("right");
  }

  sequence(): Sequence | null {
    if (this.openId === null) return null;
    return { ids: this.#places.map((place) => this.members.ids[place] ?? 0), name: "this cluster" };
  }

  get #isShown(): boolean {
    return this.#parts.place.view === "clusters";
  }

  /** After a cluster was labelled: the next one on the wall where something is left. */
  #goOn(id: number): void {
    const from = this.shown.findIndex((cluster) => cluster.id === id);
    const next = this.shown.findIndex((cluster, at) => at > from && leftOf(cluster) > 0);
    if (next >= 0) this.at = next;
    if (this.openId !== null) this.close();
  }

  /** The focus stays with its cluster; where that is gone, as a split that was undone, it goes to what came instead. */
  #placeAfter(before: readonly WallCluster[]): number {
    const { shown } = this;
    const nearest = Math.max(0, Math.min(this.at, shown.length - 1));
    const focused = before[this.at]?.id;
    if (focused === undefined) return nearest;
    const same = shown.findIndex(({ id }) => id === focused);
    if (same >= 0) return same;
    const known = new Set(before.map(({ id }) => id));
    const fresh = shown.findIndex(({ id }) => !known.has(id));
    return fresh >= 0 ? fresh : nearest;
  }

  #focus(ids: readonly number[]): void {
    const at = this.shown.findIndex(({ id }) => ids.includes(id));
    if (at >= 0) this.at = at;
  }

  async #loadMembers(modelId: number, clusterId: number, asked: number): Promise<void> {
    const members = await this.#membersOf(modelId, clusterId);
    if (asked !== this.#asked) return;
    this.members = members;
    this.membersOf = clusterId;
    const there = new Set(members.ids);
    this.out = new Set([...this.out].filter((id) => there.has(id)));
  }

  async #membersOf(modelId: number, clusterId: number): Promise<Members> {
    const query = { filter: { clusterId, state: "any" as const }, sort: { by: "cluster" as const }, modelId };
    const { path, body } = imagesRequest(query);
    return decodeImages(await this.#parts.core.client.bytes(path, { body })).columns;
  }
}

function idOf(text: string | undefined): number | null {
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}
