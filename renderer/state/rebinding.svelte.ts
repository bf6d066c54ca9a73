import { labelKeyPlaces } from "../lib/key-places.ts";
import { keysOf, type Stroke } from "../lib/keys.ts";
import type { App } from "./app.svelte.ts";
import type { Command, Commands, OwnKeys } from "./commands.svelte.ts";
import type { Core } from "./core.svelte.ts";
import type { LabelRow, Labels } from "./labels.svelte.ts";
import type { Preferences } from "./preferences.svelte.ts";

/** Keys that a command would get although they mean something else there. */
export interface KeyClash {
  readonly command: Command<App>;
  /** The combinations; undefined for the usual ones of the command. */
  readonly keys: readonly string[] | undefined;
  readonly commands: readonly Command<App>[];
  readonly labels: readonly LabelRow[];
}

interface Parts {
  readonly commands: Commands<App>;
  readonly core: Core;
  readonly labels: Labels;
  readonly preferences: Preferences;
}

/** Gives commands other keys: waits for them, says whose they are already, and takes them over when asked. */
export class Rebinding {
  /** The command whose new keys are waited for. */
  waiting: Command<App> | null = $state.raw(null);
  /** What stands in the way of the keys that were pressed. */
  clash: KeyClash | null = $state.raw(null);
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  begin(command: Command<App>): void {
    [this.waiting, this.clash] = [command, null];
  }

  cancel(): void {
    [this.waiting, this.clash] = [null, null];
  }

  /** Takes a stroke for the command that waits; false where none does, or where it is not one to take. */
  press(stroke: Stroke): boolean {
    const keys = keysOf(stroke);
    if (keys === "Escape" && (this.waiting !== null || this.clash !== null)) {
      this.cancel();
      return true;
    }
    if (this.waiting === null || keys === null || keys === "Tab") return false;
    this.#give(this.waiting, [keys]);
    return true;
  }

  /** Gives a command the keys that it had at first. */
  reset(command: Command<App>): void {
    this.#give(command, undefined);
  }

  /** Gives the command its keys; who had them has them no more. */
  async takeOver(): Promise<void> {
    const { clash } = this;
    if (clash === null) return;
    const { commands, core, labels, preferences } = this.#parts;
    const taken = clash.keys ?? clash.command.keys;
    const others = clash.commands.map((other) => [
      other.id,
      commands.keysFor(other).filter((keys) => !taken.includes(keys)),
    ]);
    this.cancel();
    preferences.set("keys", {
      ...this.#with(clash.command, clash.keys),
      ...(Object.fromEntries(others) as OwnKeys),
    });
    // A label that was given this key goes back to one of those that labels get by themselves.
    const given = new Set(labels.list.keys.map(({ labelId }) => labelId));
    const freed = clash.labels.filter(({ label }) => given.has(label.id));
    for (const { label } of freed) await core.change("labels.setKey", { labelId: label.id, key: null });
    if (freed.length > 0) await labels.load();
  }

  #give(command: Command<App>, keys: readonly string[] | undefined): void {
    const { commands, labels, preferences } = this.#parts;
    const wanted = keys ?? command.keys;
    const now = commands.keysFor(command);
    // What a command has by design it shares with nobody that it would have to take it from.
    const added = wanted.filter((combination) => !now.includes(combination));
    const others = added.flatMap((combination) => commands.conflicts(command, combination));
    const isRead = command.where === undefined || command.where.some((place) => labelKeyPlaces.includes(place));
    const rows = isRead ? labels.rows.filter(({ key }) => key !== null && added.includes(key.toUpperCase())) : [];
    if (others.length === 0 && rows.length === 0) {
      preferences.set("keys", this.#with(command, keys));
      this.cancel();
      return;
    }
    this.waiting = null;
    this.clash = { command, keys, commands: [...new Set(others)], labels: rows };
  }

  /** Own keys with those of one command; undefined for its usual ones. */
  #with({ id }: Command<App>, keys: readonly string[] | undefined): OwnKeys {
    const { [id]: _, ...rest } = this.#parts.preferences.choices.keys;
    return keys === undefined ? rest : { ...rest, [id]: keys };
  }
}
