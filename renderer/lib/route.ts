/**
 * Where the user is, as the part of the address after `#`: `/grid/17?label=3&sort=date`. A link opens the same view with
 * the same filter, order, selection and picture.
 */
import type { ImageFilter, ImageSort } from "../../core/rpc/schemas.ts";
import { idsFromText, idsToText, longestLink, mostLinked } from "./id-set.ts";

/** The views that there are, as addresses name them. */
export const viewNames = ["grid", "clusters", "review", "map", "checks", "train", "export"] as const;
export type ViewName = (typeof viewNames)[number];

export interface Route {
  readonly view: string;
  /** The picture that is open, or null. */
  readonly imageId: number | null;
  readonly filter: ImageFilter;
  readonly sort: ImageSort;
  /** Ids as `idsToText` writes them; empty for none. */
  readonly selected: string;
  /** What else a view keeps in the address, by its own names. */
  readonly extra: Readonly<Record<string, string>>;
}

export const startRoute: Route = {
  view: "grid",
  imageId: null,
  filter: {},
  sort: { by: "name" },
  selected: "",
  extra: {},
};

const suggestions = ["offered", "abstained", "none"] as const;
const masks = ["any", "none", "made", "edited"] as const;
const states = ["ready", "problem", "missing", "any"] as const;

/** The text after `#` for a route. */
export function routeToText(route: Route): string {
  const { filter, sort } = route;
  const words = new URLSearchParams();
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") words.set(name, value);
  };
  put("text", filter.text);
  put("source", filter.sourceId?.toString());
  put("label", filter.labelIds?.join("."));
  put("labelled", filter.labelled === undefined ? undefined : filter.labelled ? "yes" : "no");
  put("suggestion", filter.suggestion);
  put("suggested", filter.suggestedLabelIds?.join("."));
  put("cluster", filter.clusterId === undefined ? undefined : (filter.clusterId?.toString() ?? "none"));
  put("mask", filter.mask);
  put("state", filter.state);
  put("embedded", filter.embedded === undefined ? undefined : filter.embedded ? "yes" : "no");
  put("only", filter.ids === undefined ? undefined : onlyText(filter.ids));
  put("sort", sortToText(sort));
  put("selected", route.selected);
  for (const [name, value] of Object.entries(route.extra)) put(`${route.view}.${name}`, value);
  const picture = route.imageId === null ? "" : `/${route.imageId}`;
  const rest = words.toString();
  return `/${route.view}${picture}${rest === "" ? "" : `?${rest}`}`;
}

/** The view that a text names, whether there is such a one or not. */
export function viewOf(text: string): string {
  return /^#?\/?([^/?]*)/.exec(text)?.[1] ?? "";
}

/** Images chosen one by one, by the word that stands for them in the address. */
export type HeldIds = ReadonlyMap<string, readonly number[]>;

const wordMark = "~";

/** Ids of a filter as an address has them: written out where that is short, else a word that only this page knows. */
export function onlyText(ids: readonly number[]): string {
  const text = idsToText(ids.toSorted((a, b) => a - b));
  if (text.length <= longestLink && text !== "") return text;
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) >>> 0;
  return `${wordMark}${ids.length}.${hash.toString(36)}`;
}

/** Whether the text of such ids is a word, which says nothing by itself. */
export function isHeldWord(text: string): boolean {
  return text.startsWith(wordMark);
}

/** The route of a text; what makes no sense in it is left out, since people edit addresses. */
export function routeFromText(text: string, held: HeldIds = new Map()): Route {
  const [path = "", query = ""] = text.replace(/^#/, "").split("?");
  const [view = "", picture = ""] = path.split("/").filter(Boolean);
  const words = new URLSearchParams(query);
  const name = oneOf(viewNames, view) ?? startRoute.view;
  return {
    view: name,
    imageId: idOf(picture) ?? null,
    filter: filterOf(words, held),
    sort: sortFromText(words.get("sort") ?? ""),
    selected: words.get("selected") ?? "",
    extra: Object.fromEntries(
      [...words].flatMap(([key, value]) => (key.startsWith(`${name}.`) ? [[key.slice(name.length + 1), value]] : [])),
    ),
  };
}

function filterOf(words: URLSearchParams, held: HeldIds): ImageFilter {
  const text = words.get("text") ?? undefined;
  const sourceId = idOf(words.get("source"));
  const labelIds = idsOf(words.get("label"));
  const labelled = { yes: true, no: false }[words.get("labelled") ?? ""];
  const suggestion = oneOf(suggestions, words.get("suggestion"));
  const suggestedLabelIds = idsOf(words.get("suggested"));
  const cluster = words.get("cluster");
  const clusterId = cluster === "none" ? null : idOf(cluster);
  const mask = oneOf(masks, words.get("mask"));
  const state = oneOf(states, words.get("state"));
  const embedded = { yes: true, no: false }[words.get("embedded") ?? ""];
  const only = words.get("only");
  // A choice that is not known any more is one of no images: a link never shows more than it stood for.
  const ids = only === null ? undefined : [...(held.get(only) ?? idsFromText(only, mostLinked) ?? [])];
  return {
    ...(text === undefined ? {} : { text }),
    ...(sourceId === undefined ? {} : { sourceId }),
    ...(labelIds === undefined ? {} : { labelIds }),
    ...(labelled === undefined ? {} : { labelled }),
    ...(suggestion === undefined ? {} : { suggestion }),
    ...(suggestedLabelIds === undefined ? {} : { suggestedLabelIds }),
    ...(clusterId === undefined ? {} : { clusterId }),
    ...(mask === undefined ? {} : { mask }),
    ...(state === undefined ? {} : { state }),
    ...(embedded === undefined ? {} : { embedded }),
    ...(ids === undefined ? {} : { ids }),
  };
}

function sortToText(sort: ImageSort): string | undefined {
  switch (sort.by) {
    case "name":
      return sort.descending === true ? "name-down" : undefined;
    case "date":
    case "added":
    case "label":
      return `${sort.by}${sort.descending === true ? "-down" : ""}`;
    case "similarity":
      return "imageIds" in sort.to ? `like.${sort.to.imageIds.slice(0, 100).join(".")}` : `picture.${sort.to.queryId}`;
    case "uncertainty":
    case "confidence":
    case "cluster":
      return sort.by;
  }
}

function sortFromText(text: string): ImageSort {
  const like = /^like\.(.+)$/.exec(text);
  const imageIds = like === null ? undefined : idsOf(like[1] ?? null);
  if (imageIds !== undefined) return { by: "similarity", to: { imageIds } };
  const picture = /^picture\.([\w-]+)$/.exec(text);
  if (picture !== null) return { by: "similarity", to: { queryId: picture[1] ?? "" } };
  if (text === "uncertainty" || text === "confidence" || text === "cluster") return { by: text };
  const plain = /^(name|date|added|label)(-down)?$/.exec(text);
  if (plain === null) return startRoute.sort;
  const by = plain[1] as "name" | "date" | "added" | "label";
  return plain[2] === undefined ? { by } : { by, descending: true };
}

function idOf(text: string | null): number | undefined {
  return text !== null && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

function idsOf(text: string | null): number[] | undefined {
  const ids = (text ?? "").split(".").flatMap((part) => idOf(part) ?? []);
  return ids.length === 0 ? undefined : ids;
}

function oneOf<const Word extends string>(words: readonly Word[], text: string | null): Word | undefined {
  return words.find((word) => word === text);
}
