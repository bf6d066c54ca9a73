import type { Label } from "../../core/rpc/records.ts";
import type { LabelList, LabelNode } from "../../core/rpc/views.ts";
import { calmly } from "../lib/calmly.ts";
import type { Core } from "./core.svelte.ts";

/** A label as a row of the tree. */
export interface LabelRow {
  readonly label: Label;
  readonly depth: number;
  readonly imageCount: number;
  readonly totalImageCount: number;
  readonly hasChildren: boolean;
  /** Its name below its parent's, which it need not say again: `Oat` for `Drinks/Oat` below `Drinks`. */
  readonly shortName: string;
  /** Names from the top down, joined: `Drinks / Oat`. */
  readonly path: string;
  /** The key that assigns it, or null. */
  readonly key: string | null;
}

/** Keys that labels get by themselves, in the order in which the labels were made. */
const ownKeys = [..."1234567890qwertyuiopasdfghjklzxcvbnm"];

/** All labels with counts and keys. */
export class Labels {
  list = $state.raw<LabelList>({ tree: [], keys: [] });
  loaded = $state(false);
  /** Single keys that are commands and cannot be labels'. */
  taken = $state.raw<(key: string) => boolean>(() => false);
  readonly rows: readonly LabelRow[] = $derived(rowsOf(this.list, this.taken));
  readonly byId: ReadonlyMap<number, LabelRow> = $derived(new Map(this.rows.map((row) => [row.label.id, row])));
  readonly #byKey = $derived(new Map(this.rows.flatMap((row) => (row.key === null ? [] : [[row.key, row]]))));
  readonly #core: Core;
  readonly #soon;

  constructor(core: Core) {
    this.#core = core;
    this.#soon = calmly(() => this.load(), 250);
    core.on("changed", ({ kinds }) => {
      if (kinds.some((kind) => ["labels", "annotations", "settings", "sources"].includes(kind))) this.#soon.ask();
    });
  }

  async load(): Promise<void> {
    this.list = await this.#core.call("labels.list", {});
    this.loaded = true;
  }

  nameOf(id: number): string | undefined {
    return this.byId.get(id)?.label.name;
  }

  /** The label that a typed sign assigns. */
  ofKey(key: string): LabelRow | undefined {
    return this.#byKey.get(key.toLowerCase());
  }

  /** A label and all below it. */
  below(id: number): number[] {
    const collect = (nodes: readonly LabelNode[], inside: boolean): number[] =>
      nodes.flatMap((node) => {
        const here = inside || node.label.id === id;
        return [...(here ? [node.label.id] : []), ...collect(node.children, here)];
      });
    return collect(this.list.tree, false);
  }

  /** Makes a label out of names with slashes: `Drinks / Oat`. */
  async create(path: string): Promise<Label | undefined> {
    const made = await this.#core.change("labels.create", { paths: [namesOf(path)] });
    await this.load();
    return made?.labels.at(-1);
  }
}

/** The names of a path with slashes, from the top down. */
export function namesOf(path: string): string[] {
  return path
    .split("/")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function rowsOf({ tree, keys }: LabelList, taken: (key: string) => boolean): LabelRow[] {
  const given = new Map(keys.map(({ labelId, key }) => [labelId, key.toLowerCase()]));
  const flat: Omit<LabelRow, "key">[] = [];
  const visit = (nodes: readonly LabelNode[], depth: number, above: string, parent: string): void => {
    for (const { label, imageCount, totalImageCount, children } of nodes) {
      const { name } = label;
      const shortName = parent !== "" && name.startsWith(`${parent}/`) ? name.slice(parent.length + 1) || name : name;
      const path = `${above}${name}`;
      flat.push({ label, depth, imageCount, totalImageCount, hasChildren: children.length > 0, shortName, path });
      visit(children, depth + 1, `${path} / `, name);
    }
  };
  visit(tree, 0, "", "");
  const used = new Set(given.values());
  const free = ownKeys.filter((key) => !used.has(key) && !taken(key.toUpperCase()));
  const automatic = new Map<number, string>();
  const wanting = flat.filter(({ label, hasChildren }) => !hasChildren && !given.has(label.id));
  for (const { label } of wanting.sort((a, b) => a.label.id - b.label.id)) {
    const key = free.shift();
    if (key === undefined) break;
    automatic.set(label.id, key);
  }
  return flat.map((row) => ({ ...row, key: given.get(row.label.id) ?? automatic.get(row.label.id) ?? null }));
}
