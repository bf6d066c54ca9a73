import type { Core } from "./core.svelte.ts";
import { labelOrders, type LabelOrder } from "../lib/label-order.ts";
import type { OwnKeys } from "./commands.svelte.ts";

/** What the user likes, kept in the library's settings under `page.`. */
export interface Choices {
  readonly theme: "system" | "light" | "dark";
  /** Height of a row of the grid in pixels. */
  readonly zoom: number;
  readonly layout: "justified" | "square";
  readonly rail: boolean;
  readonly inspector: boolean;
  /** Labels and suggestions on thumbnails. */
  readonly badges: boolean;
  /** Masks laid over thumbnails. */
  readonly masks: boolean;
  /** Order of the labels in the rail. */
  readonly labelOrder: LabelOrder;
  readonly keys: OwnKeys;
}

const usual: Choices = {
  theme: "system",
  zoom: 176,
  layout: "justified",
  rail: true,
  inspector: true,
  badges: true,
  masks: false,
  labelOrder: "own",
  keys: {},
};

/** How each choice is read back; anything else is passed over, since another version may have written it. */
const readers: { readonly [Name in keyof Choices]: (value: unknown) => Choices[Name] | undefined } = {
  theme: (value) => (value === "system" || value === "light" || value === "dark" ? value : undefined),
  zoom: (value) => (typeof value === "number" && value >= 60 && value <= 480 ? value : undefined),
  layout: (value) => (value === "justified" || value === "square" ? value : undefined),
  rail: truth,
  inspector: truth,
  badges: truth,
  masks: truth,
  labelOrder: (value) => labelOrders.find((order) => order === value),
  keys: ownKeysOf,
};

function truth(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function ownKeysOf(value: unknown): OwnKeys | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Object.entries(value).filter(
    (entry): entry is [string, string[]] =>
      Array.isArray(entry[1]) && entry[1].every((keys) => typeof keys === "string"),
  );
  return Object.fromEntries(entries);
}

/** Choices are shown at once and written a moment later. */
const writeAfterMs = 400;

export class Preferences {
  choices = $state.raw<Choices>(usual);
  readonly #core: Core;
  readonly #waiting = new Map<keyof Choices, ReturnType<typeof setTimeout>>();

  constructor(core: Core) {
    this.#core = core;
  }

  async load(): Promise<void> {
    const settings = await this.#core.call("settings.get", {});
    const names = Object.keys(readers) as (keyof Choices)[];
    const found = names.flatMap((name) => {
      const value = readers[name](settings[`page.${name}`]);
      return value === undefined || this.#waiting.has(name) ? [] : [[name, value]];
    });
    this.choices = { ...this.choices, ...(Object.fromEntries(found) as Partial<Choices>) };
  }

  set<Name extends keyof Choices>(name: Name, value: Choices[Name]): void {
    this.choices = { ...this.choices, [name]: value };
    clearTimeout(this.#waiting.get(name));
    this.#waiting.set(
      name,
      setTimeout(() => {
        this.#waiting.delete(name);
        if (this.#core.guest) return;
        this.#core.call("settings.set", { key: `page.${name}`, value }).catch((error: unknown) => {
          this.#core.refused(error);
        });
      }, writeAfterMs),
    );
  }
}
