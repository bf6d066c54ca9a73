import { keysOf, type Stroke } from "../lib/keys.ts";

/** Something that the user can do: by key, from the palette, from a menu. `App` is what it acts on. */
export interface Command<App> {
  /** Kebab-case and lasting: own keys are stored under it. */
  readonly id: string;
  readonly title: string;
  /** Heading in the palette and on the cheat sheet. */
  readonly group: string;
  /** Combinations as lib/keys.ts writes them, the first is shown. */
  readonly keys: readonly string[];
  /** Places in which its keys can mean it (lib/key-places.ts has them by group); anywhere without it. */
  readonly where?: readonly string[] | undefined;
  /** Whether it can be done now; always without it. */
  readonly when?: (app: App) => boolean;
  /** What it does; absent where a component provides it. */
  readonly run?: (app: App) => void | Promise<void>;
  /** Also while typing in a field. */
  readonly always?: boolean;
  /** Moves and the like: on the cheat sheet, not in the palette. */
  readonly quiet?: boolean;
}

/** Own keys: for each command that was changed, its combinations. */
export type OwnKeys = Readonly<Record<string, readonly string[]>>;

/** The one table of commands with the keys that start them. */
export class Commands<App> {
  readonly table: readonly Command<App>[];
  own = $state.raw<OwnKeys>({});
  /** The commands of a combination, in the order of the table; the first that can be done is done. */
  readonly #byKeys = $derived.by(() => {
    const found = new Map<string, Command<App>[]>();
    for (const command of this.table) {
      for (const keys of this.keysFor(command)) found.set(keys, [...(found.get(keys) ?? []), command]);
    }
    return found;
  });
  readonly #app: App;
  readonly #provided = new Map<string, () => void>();

  constructor(app: App, table: readonly Command<App>[]) {
    this.#app = app;
    this.table = table;
  }

  keysFor(command: Command<App>): readonly string[] {
    return this.own[command.id] ?? command.keys;
  }

  /** The combination to show beside a command; undefined where it has none. */
  keysOfId(id: string): string | undefined {
    const command = this.table.find((one) => one.id === id);
    return command === undefined ? undefined : this.keysFor(command)[0];
  }

  /** Whether a single key is a command's, so that no label may have it. */
  takes(keys: string): boolean {
    return this.#byKeys.has(keys);
  }

  /** Commands that can be done now. */
  available(): Command<App>[] {
    return this.table.filter((command) => command.when?.(this.#app) ?? true);
  }

  /** Other commands with a combination that can be meant where this one can. */
  conflicts({ id, where }: Command<App>, keys: string): Command<App>[] {
    const meets = (other: Command<App>): boolean =>
      where === undefined || other.where === undefined || other.where.some((place) => where.includes(place));
    return (this.#byKeys.get(keys) ?? []).filter((other) => other.id !== id && meets(other));
  }

  /** Lets a component do what only it can (focus its field); returns how to take that back. */
  provide(id: string, run: () => void): () => void {
    this.#provided.set(id, run);
    return () => this.#provided.delete(id);
  }

  run(id: string): void {
    const command = this.table.find((one) => one.id === id);
    if (command !== undefined && (command.when?.(this.#app) ?? true)) this.#do(command);
  }

  /** Runs the command of a stroke; false where there is none that can be done. */
  press(stroke: Stroke, typing: boolean): boolean {
    const keys = keysOf(stroke);
    if (keys === null) return false;
    const command = (this.#byKeys.get(keys) ?? []).find(
      (one) => (!typing || one.always === true) && (one.when?.(this.#app) ?? true),
    );
    if (command === undefined) return false;
    this.#do(command);
    return true;
  }

  #do(command: Command<App>): void {
    const provided = this.#provided.get(command.id);
    if (provided !== undefined) provided();
    else void command.run?.(this.#app);
  }
}
