import { describe, expect, test } from "vitest";
import { isHeldWord, onlyText, routeFromText, routeToText, startRoute, type Route } from "../../renderer/lib/route.ts";
import { Place, type Address } from "../../renderer/state/place.svelte.ts";

const routes: Route[] = [
  startRoute,
  { ...startRoute, imageId: 17 },
  { ...startRoute, view: "review", extra: { label: "3", cut: "0.97" } },
  {
    ...startRoute,
    filter: {
      text: "a & b/c?=ü",
      sourceId: 2,
      labelIds: [3, 4],
      labelled: true,
      suggestion: "offered",
      suggestedLabelIds: [9],
      clusterId: 12,
      mask: "edited",
      state: "problem",
      embedded: false,
      ids: [2, 3, 4, 70],
    },
    sort: { by: "date", descending: true },
    selected: "1-5.a",
  },
  { ...startRoute, filter: { clusterId: null, labelled: false }, sort: { by: "label" } },
  { ...startRoute, sort: { by: "similarity", to: { imageIds: [5, 6] } } },
  { ...startRoute, sort: { by: "similarity", to: { queryId: "ab-12_c" } } },
  { ...startRoute, sort: { by: "uncertainty" } },
  { ...startRoute, sort: { by: "name", descending: true } },
];

describe("the address", () => {
  test.each(routes.map((route) => [routeToText(route), route]))("%s opens the same place again", (text, route) => {
    expect(routeFromText(`#${text}`)).toEqual(route);
  });

  test.each(["", "#", "#/", "#/grid?label=x&source=-1&sort=odd&mask=maybe", "#/GRID/0", "#/nonsense", "#/../../etc"])(
    "%j opens the grid, whole",
    (text) => expect(routeFromText(text)).toEqual(startRoute),
  );
});

function kept(): Address & { text: string; steps: number; back: (text: string) => void } {
  let changed = (): void => undefined;
  const address = {
    text: "",
    steps: 0,
    read: () => address.text,
    write: (text: string, how: "push" | "replace") => {
      address.text = `#${text}`;
      if (how === "push") address.steps += 1;
    },
    watch: (listener: () => void) => {
      changed = listener;
      return () => undefined;
    },
    back: (text: string) => {
      address.text = text;
      changed();
    },
  };
  return address;
}

describe("the place", () => {
  test("narrowing keeps other conditions and drops those that are taken away", () => {
    const place = new Place(kept());
    place.narrow({ labelled: false });
    place.narrow({ text: "oat" });
    expect(place.filter).toEqual({ labelled: false, text: "oat" });
    place.narrow({ labelled: undefined });
    expect(place.filter).toEqual({ text: "oat" });
    expect(place.filterCount).toBe(1);
  });

  test("another view closes the picture and forgets what the last one kept, but not the filter", () => {
    const place = new Place(kept());
    place.go({ filter: { text: "oat" }, imageId: 5 });
    place.keep({ cut: "0.9" });
    place.go({ view: "map" });
    expect(place.route).toEqual({ ...startRoute, view: "map", filter: { text: "oat" } });
  });

  test("a choice of very many images is a word in the address, which means nothing on another page", () => {
    const address = kept();
    const place = new Place(address);
    place.start();
    const ids = Array.from({ length: 5000 }, (_, at) => 3 * at + 1);
    place.narrow({ ids });
    const link = address.text;
    expect(link.length).toBeLessThan(60);
    place.narrow({ ids: undefined });
    address.back(link);
    expect(place.filter.ids).toEqual(ids);
    // Elsewhere it is a choice of none, and not all images.
    expect(routeFromText(link).filter).toEqual({ ids: [] });
    expect(isHeldWord(onlyText(ids.slice(0, 400)))).toBe(false);
  });

  test("an address of a view that there is not becomes that of the grid", () => {
    const address = kept();
    address.text = "#/nonsense?label=3";
    const place = new Place(address);
    expect(place.view).toBe("grid");
    expect(address.text).toBe("#/grid?label=3");
    expect(address.steps).toBe(0);
  });

  test("going back in the browser goes back here", () => {
    const address = kept();
    const place = new Place(address);
    place.start();
    place.go({ view: "review" });
    expect(address.steps).toBe(1);
    address.back("#/grid/3");
    expect(place.view).toBe("grid");
    expect(place.imageId).toBe(3);
  });
});
