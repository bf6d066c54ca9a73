import { boundsOf, fitted, panned, zoomed, type Size } from "../lib/map-camera.ts";
import type { App, AppCommand } from "../state/app.svelte.ts";
import { colourings, legendWidth, type MapTool } from "../state/picture-map.svelte.ts";

const inMap = ({ place, map }: App): boolean => place.view === "map" && place.imageId === null && map.state === "ready";
const mayChange = (app: App): boolean => !app.core.guest && app.library.model !== null;

const tools: readonly { tool: MapTool; title: string; key: string }[] = [
  { tool: "pan", title: "Drag moves the map", key: "Shift+D" },
  { tool: "box", title: "Drag selects a rectangle", key: "Shift+B" },
  { tool: "lasso", title: "Drag selects with a lasso", key: "Shift+L" },
];

const arrows = [
  { id: "left", word: "left", key: "ArrowLeft", dx: -1, dy: 0 },
  { id: "right", word: "right", key: "ArrowRight", dx: 1, dy: 0 },
  { id: "up", word: "above", key: "ArrowUp", dx: 0, dy: 1 },
  { id: "down", word: "below", key: "ArrowDown", dx: 0, dy: -1 },
] as const;

/** Pixels that an arrow key moves the map by. */
const stride = 90;

function zoom({ map }: App, factor: number): void {
  const { seen, size, limits } = map;
  map.camera = zoomed(seen, size, { anchor: middleOf(size), factor, limits });
}

function middleOf({ width, height }: Size): { x: number; y: number } {
  return { x: width / 2, y: height / 2 };
}

/** Shows all points, or the selected ones where some are. */
function showWhole({ map, selection }: App): void {
  const places = selection.ids().flatMap((id) => (map.placeOf(id) < 0 ? [] : [map.placeOf(id)]));
  const { xs, ys } = map.index;
  const pick = (values: Float32Array): Float32Array => Float32Array.from(places, (at) => values[at] ?? 0);
  const wanted = places.length > 1 ? boundsOf(pick(xs), pick(ys)) : null;
  map.camera = wanted === null ? null : fitted(wanted, map.size, legendWidth);
}

/** The map by key. */
export const mapCommands: readonly AppCommand[] = [
  ...arrows.flatMap(({ id, word, key, dx, dy }): AppCommand[] => [
    {
      id: `map-${id}`,
      title: `Nearest image ${word}`,
      group: "Map",
      keys: [key],
      when: inMap,
      quiet: true,
      run: ({ map, selection }) => {
        const next = map.idAt(map.towards(selection.pointed, { dx, dy }));
        if (next === undefined) return;
        selection.point(next);
        map.bringIntoView(next);
      },
    },
    {
      id: `map-pan-${id}`,
      title: `Move the map ${id}`,
      group: "Map",
      keys: [`Shift+${key}`],
      when: inMap,
      quiet: true,
      run: ({ map }) => {
        map.camera = panned(map.seen, -dx * stride, dy * stride);
      },
    },
  ]),
  {
    id: "map-toggle-selected",
    title: "Select the image under the ring or not",
    group: "Map",
    keys: ["Mod+Space", "X"],
    when: (app) => inMap(app) && app.selection.pointed !== null,
    quiet: true,
    run: ({ selection }) => {
      if (selection.pointed !== null) selection.toggle(selection.pointed);
    },
  },
  {
    id: "map-open-picture",
    title: "Open the picture under the ring",
    group: "Map",
    keys: ["Enter", "Space"],
    when: (app) => inMap(app) && app.selection.pointed !== null,
    quiet: true,
    run: ({ place, selection }) => place.go({ imageId: selection.pointed }),
  },
  { id: "map-zoom-in", title: "Zoom in", group: "Map", keys: ["+", "="], when: inMap, run: (app) => zoom(app, 1.4) },
  { id: "map-zoom-out", title: "Zoom out", group: "Map", keys: ["-"], when: inMap, run: (app) => zoom(app, 1 / 1.4) },
  {
    id: "map-show-all",
    title: "Show the whole map, or all that is selected",
    group: "Map",
    keys: ["Home"],
    when: inMap,
    run: showWhole,
  },
  ...tools.map(({ tool, title, key }) => ({
    id: `map-tool-${tool}`,
    title,
    group: "Map",
    keys: [key],
    when: inMap,
    run: ({ map }: App) => {
      map.tool = tool;
    },
  })),
  ...colourings.map(({ id, title }) => ({
    id: `map-colour-${id}`,
    title: `Colour the map by ${title.toLowerCase()}`,
    group: "Map",
    keys: [],
    when: inMap,
    run: ({ map, place }: App) => {
      map.colour(id);
      place.keep({ colour: id === "label" ? "" : id });
    },
  })),
  {
    id: "map-draw",
    title: "Draw the map, or place new pictures on it",
    group: "Map",
    keys: [],
    when: mayChange,
    run: ({ jobs }) => void jobs.start({ kind: "map", parameters: { refit: false } }),
  },
  {
    id: "map-redraw",
    title: "Draw the map again from nothing",
    group: "Map",
    keys: [],
    when: (app) => mayChange(app) && (app.library.model?.mapped ?? 0) > 0,
    run: ({ jobs }) => void jobs.start({ kind: "map", parameters: { refit: true } }),
  },
];
