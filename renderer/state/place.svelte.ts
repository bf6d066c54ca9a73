import { isHeldWord, onlyText, routeFromText, routeToText, startRoute, viewOf, type Route } from "../lib/route.ts";

/** Where the route is kept: the address of the page, or a stand-in of a test. */
export interface Address {
  read(): string;
  write(text: string, how: "push" | "replace"): void;
  /** Calls back when the user goes back or edits the address. */
  watch(changed: () => void): () => void;
}

/** The address of the page. */
export function pageAddress(page: Window): Address {
  return {
    read: () => page.location.hash,
    write: (text, how) => {
      if (how === "push") page.history.pushState(null, "", `#${text}`);
      else page.history.replaceState(null, "", `#${text}`);
    },
    watch: (changed) => {
      page.addEventListener("popstate", changed);
      return () => page.removeEventListener("popstate", changed);
    },
  };
}

/** Views that show what the filter leaves. */
const filteredViews: readonly string[] = ["grid", "map", "export"];

/** Choices of very many images that are remembered for the way back. */
const mostHeld = 8;

/** Where the user is: view, filter, order, open picture. Every part of it is in the address. */
export class Place {
  route = $state.raw<Route>(startRoute);
  readonly view = $derived(this.route.view);
  readonly filter = $derived(this.route.filter);
  readonly sort = $derived(this.route.sort);
  readonly imageId = $derived(this.route.imageId);
  /** Conditions that are set, one each. */
  readonly filterCount = $derived(Object.keys(this.route.filter).length);
  readonly #address: Address;
  /** Choices of images too long for the address, by the word that stands there; the newest last. */
  readonly #held = new Map<string, readonly number[]>();

  constructor(address: Address) {
    this.#address = address;
    this.route = this.#read();
  }

  /** Follows the address; returns how to stop. */
  start(): () => void {
    return this.#address.watch(() => (this.route = this.#read()));
  }

  /** Goes somewhere; what is not named stays. `replace` leaves no step to go back to. */
  go(change: Partial<Route>, how: "push" | "replace" = "push"): void {
    const viewChanges = change.view !== undefined && change.view !== this.route.view;
    this.route = { ...this.route, ...(viewChanges ? { extra: {}, imageId: null } : {}), ...change };
    this.#hold(this.route.filter.ids);
    this.#address.write(routeToText(this.route), how);
  }

  /** The route of the address; one of a view that there is not becomes that of the grid. */
  #read(): Route {
    const text = this.#address.read();
    const route = routeFromText(text, this.#held);
    if (viewOf(text) !== "" && viewOf(text) !== route.view) this.#address.write(routeToText(route), "replace");
    return route;
  }

  #hold(ids: readonly number[] | undefined): void {
    const word = ids === undefined ? "" : onlyText(ids);
    if (ids === undefined || ids.length === 0 || !isHeldWord(word)) return;
    this.#held.delete(word);
    this.#held.set(word, ids);
    for (const old of [...this.#held.keys()].slice(0, -mostHeld)) this.#held.delete(old);
  }

  /** Sets conditions of the filter; `undefined` drops one. */
  narrow(
    change: { [Key in keyof Route["filter"]]?: Route["filter"][Key] | undefined },
    how: "push" | "replace" = "push",
  ): void {
    const entries = Object.entries({ ...this.route.filter, ...change }).filter(([, value]) => value !== undefined);
    this.go({ filter: Object.fromEntries(entries), imageId: null }, how);
  }

  /** Sets conditions as `narrow` does, and goes to the grid from a view that shows nothing of it. */
  narrowAndShow(change: Parameters<Place["narrow"]>[0]): void {
    this.narrow(change);
    if (!filteredViews.includes(this.view)) this.go({ view: "grid" });
  }

  /** What a view keeps in the address for itself; an empty value drops it. */
  keep(extra: Readonly<Record<string, string>>, how: "push" | "replace" = "replace"): void {
    this.go({ extra: { ...this.route.extra, ...extra } }, how);
  }
}
