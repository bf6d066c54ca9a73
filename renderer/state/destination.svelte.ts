import { freshName, liesIn, parentOf, pathIn } from "../lib/export-formats.ts";
import type { Core } from "./core.svelte.ts";
import type { Library } from "./library.svelte.ts";

/** Where an export goes: a new folder in one that is there, never in a source of pictures. */
export class Destination {
  /** The folder that the export's own folder will stand in. */
  parent = $state("");
  /** The name of the export's folder as it was typed; null for the one that is offered. */
  typedName = $state<string | null>(null);
  replace = $state(false);
  /** What is in `parent`, in small letters; null where that is not known. */
  #there = $state.raw<ReadonlySet<string> | null>(null);
  readonly #parts: { readonly core: Core; readonly library: Library };
  readonly #wanted: () => string;
  readonly name = $derived.by(() => this.typedName ?? freshName(this.#wanted(), this.#there ?? new Set()));
  /** The path of the export; empty where it is not known yet. */
  readonly path = $derived(this.parent === "" || this.name.trim() === "" ? "" : pathIn(this.parent, this.name.trim()));
  /** Whether there is something under this path. */
  readonly isTaken = $derived(this.#there?.has(this.name.trim().toLowerCase()) ?? false);
  /** What is wrong with it, in a sentence. */
  readonly problem = $derived.by(() => {
    if (this.name.trim() === "") return "The folder needs a name.";
    if (this.#isInSource(this.path)) return "This is in a source of pictures, and nothing is written there.";
    if (this.isTaken && !this.replace)
      return "There is a folder of this name. Choose another name, or replace it below.";
    return undefined;
  });

  /** `wanted` is the name to offer, where it is free. */
  constructor(parts: { readonly core: Core; readonly library: Library }, wanted: () => string) {
    this.#parts = parts;
    this.#wanted = wanted;
  }

  /** A folder to begin with: the one that the library lies in, or else one that may be used and is no source. */
  async begin(): Promise<void> {
    const { core, library } = this.#parts;
    if (this.parent !== "" || core.guest || library.overview === null) return;
    const roots = await core.call("files.roots", {});
    for (const folder of [parentOf(library.overview.folder), ...roots.map(({ path }) => path)]) {
      if (this.#isInSource(folder)) continue;
      if (await this.#look(folder)) {
        this.parent = folder;
        return;
      }
    }
  }

  /** Goes to another folder. */
  async choose(folder: string): Promise<void> {
    this.#there = null;
    this.parent = folder;
    await this.#look(folder);
  }

  /** Looks again at what is there: an export has ended. */
  async look(): Promise<void> {
    if (this.parent !== "") await this.#look(this.parent);
  }

  /** False where the folder may not be used or is not there. */
  async #look(folder: string): Promise<boolean> {
    try {
      const { folders, files } = await this.#parts.core.call("files.list", { path: folder });
      this.#there = new Set([...folders, ...files].map(({ name }) => name.toLowerCase()));
      return true;
    } catch {
      this.#there = null;
      return false;
    }
  }

  #isInSource(path: string): boolean {
    const sources = this.#parts.library.overview?.sources ?? [];
    return sources.some(({ source }) => liesIn(source.folder, path));
  }
}
