import type { ImageSort } from "../../../core/rpc/schemas.ts";
import type { App } from "../../state/app.svelte.ts";
import type { MenuItem } from "../../widgets/Menu.svelte";

/** What an order is called. */
export function sortTitle(sort: ImageSort): string {
  switch (sort.by) {
    case "name":
      return sort.descending === true ? "Name, from Z" : "Name";
    case "date":
      return sort.descending === true ? "Newest first" : "Oldest first";
    case "added":
      return sort.descending === true ? "Added last" : "Added first";
    case "label":
      return "Label";
    case "similarity":
      return "imageIds" in sort.to ? "Similar to the selection" : "Similar to your picture";
    case "uncertainty":
      return "Least certain first";
    case "confidence":
      return "Most certain first";
    case "cluster":
      return "Cluster";
  }
}

const always: readonly ImageSort[] = [
  { by: "name" },
  { by: "name", descending: true },
  { by: "date", descending: true },
  { by: "date" },
  { by: "added", descending: true },
  { by: "label" },
];

/** The orders that can be chosen now. */
export function sortItems({ labelling, library, place }: App): MenuItem[] {
  const { model } = library;
  const ids = labelling.target().slice(0, 100);
  const other: ImageSort[] = [
    ...((model?.suggestions ?? 0) > 0 ? ([{ by: "confidence" }, { by: "uncertainty" }] as const) : []),
    ...((model?.clusters ?? 0) > 0 ? ([{ by: "cluster" }] as const) : []),
    ...(model !== null && ids.length > 0 ? [{ by: "similarity" as const, to: { imageIds: ids } }] : []),
  ];
  const now = sortTitle(place.sort);
  return [...always, ...other].map((sort) => ({
    title: sortTitle(sort),
    checked: sortTitle(sort) === now,
    run: () => place.go({ sort }),
  }));
}
