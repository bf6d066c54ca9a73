/**
 * Where the user is, as the part of the address after `#`: `/grid/17?label=3&sort=date`. A link opens the same view with
 * the same filter, order, selection and picture.
 */
import type { ImageFilter, ImageSort } from "../../core/rpc/schemas.ts";

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
  put("sort", sortToText(sort));
  put("selected", route.selected);
  for (const [name, value] of Object.entries(route.extra)) put(`${route.view}.${name}`, value);
  const picture = route.imageId === null ? "" : `/${route.imageId}`;
  const rest = words.toString();
  return `/${route.view}${picture}${rest === "" ? "" : `?${rest}`}`;
}

/** The route of a text; what makes no sense in it is left out, since people edit addresses. */
export function routeFromText(text: string): Route {
  const [path = "", query = ""] = text.replace(/^#/, "").split("?");
  const [view = "", picture = ""] = path.split("/").filter(Boolean);
  const words = new URLSearchParams(query);
  const name = /^[a-z]+$/.test(view) ? view : startRoute.view;
  return {
    view: name,
    imageId: idOf(picture) ?? null,
    filter: filterOf(words),
    sort: sortFromText(words.get("sort") ?? ""),
    selected: words.get("selected") ?? "",
    extra: Object.fromEntries(
      [...words].flatMap(([key, value]) => (key.startsWith(`${name}.`) ? [[key.slice(name.length + 1), value]] : [])),
    ),
  };
}

function filterOf(words: URLSearchParams): ImageFilter {
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
