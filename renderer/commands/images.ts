import type { App, AppCommand } from "../state/app.svelte.ts";
import type { Direction } from "../state/grid.svelte.ts";

const inGrid = ({ place }: App): boolean => place.view === "grid" && place.imageId === null;
const inPicture = ({ place }: App): boolean => place.imageId !== null;
const mayLabel = (app: App): boolean => !app.core.guest && app.labelling.target().length > 0;

/** Keys that move the focus in the grid; with Shift they select on the way. */
const moves: readonly { direction: Direction; title: string; key: string }[] = [
  { direction: "left", title: "Previous image", key: "ArrowLeft" },
  { direction: "right", title: "Next image", key: "ArrowRight" },
  { direction: "up", title: "One row up", key: "ArrowUp" },
  { direction: "down", title: "One row down", key: "ArrowDown" },
  { direction: "start", title: "First image", key: "Home" },
  { direction: "end", title: "Last image", key: "End" },
  { direction: "page-up", title: "One page up", key: "PageUp" },
  { direction: "page-down", title: "One page down", key: "PageDown" },
];

const moveCommands: readonly AppCommand[] = moves.flatMap(({ direction, title, key }) => [
  {
    id: `move-${direction}`,
    title,
    group: "Grid",
    keys: [key],
    when: inGrid,
    quiet: true,
    run: ({ grid }: App) => grid.move(direction, false),
  },
  {
    id: `extend-${direction}`,
    title: `${title}, selecting`,
    group: "Selection",
    keys: [`Shift+${key}`],
    when: inGrid,
    quiet: true,
    run: ({ grid }: App) => grid.move(direction, true),
  },
]);

/** Moving about images, selecting and labelling them. */
export const imageCommands: readonly AppCommand[] = [
  {
    id: "close-picture",
    title: "Back to the grid",
    group: "Picture",
    keys: ["Escape", "Enter"],
    when: inPicture,
    quiet: true,
    run: ({ place, labelling }) => {
      const id = place.imageId;
      place.go({ imageId: null });
      if (id !== null) labelling.reveal(id);
    },
  },
  {
    id: "next-picture",
    title: "Next picture",
    group: "Picture",
    keys: ["ArrowRight", "ArrowDown", "Space"],
    when: inPicture,
    quiet: true,
    run: ({ labelling }) => labelling.step(1),
  },
  {
    id: "previous-picture",
    title: "Previous picture",
    group: "Picture",
    keys: ["ArrowLeft", "ArrowUp", "Shift+Space"],
    when: inPicture,
    quiet: true,
    run: ({ labelling }) => labelling.step(-1),
  },
  ...moveCommands,
  {
    id: "open-picture",
    title: "Open the picture",
    group: "Grid",
    keys: ["Enter", "Space"],
    when: (app) => inGrid(app) && app.selection.pointed !== null,
    run: ({ place, selection }) => place.go({ imageId: selection.pointed }),
  },
  {
    id: "toggle-selected",
    title: "Select the focused image or not",
    group: "Selection",
    keys: ["Mod+Space", "X"],
    when: (app) => inGrid(app) && app.selection.pointed !== null,
    quiet: true,
    run: ({ selection }) => {
      if (selection.pointed !== null) selection.toggle(selection.pointed);
    },
  },
  {
    id: "label",
    title: "Label…",
    group: "Labels",
    keys: ["/"],
    when: mayLabel,
    run: ({ panels }) => {
      panels.labelling = true;
    },
  },
  {
    id: "unlabel",
    title: "Take the label off",
    group: "Labels",
    keys: ["Backspace", "Delete"],
    when: mayLabel,
    run: ({ labelling }) => labelling.remove(),
  },
  {
    id: "accept",
    title: "Accept the suggestion",
    group: "Labels",
    keys: ["Shift+Enter"],
    when: mayLabel,
    run: ({ labelling }) => labelling.accept(),
  },
  {
    id: "reject",
    title: "Reject the suggestion",
    group: "Labels",
    keys: ["Shift+X"],
    when: mayLabel,
    run: ({ labelling }) => labelling.reject(),
  },
  {
    id: "next-unlabelled",
    title: "Next unlabelled image",
    group: "Labels",
    keys: ["N"],
    where: ["grid", "picture"],
    when: (app) => inGrid(app) || inPicture(app),
    run: ({ labelling }) => labelling.nextUnlabelled(),
  },
  {
    id: "select-all",
    title: "Select all images of the filter",
    group: "Selection",
    keys: ["Mod+A"],
    when: ({ place }) => place.imageId === null,
    run: ({ selection, images }) => selection.all(images),
  },
  {
    id: "invert-selection",
    title: "Select the others",
    group: "Selection",
    keys: ["Mod+Shift+A"],
    when: inGrid,
    run: ({ selection, images }) => selection.invert(images),
  },
  {
    id: "clear-selection",
    title: "Select nothing",
    group: "Selection",
    keys: ["Escape"],
    when: ({ selection }) => selection.count > 0,
    run: ({ selection }) => selection.clear(),
  },
  {
    id: "show-only-selected",
    title: "Show only the selected images",
    group: "Selection",
    keys: ["Shift+O"],
    when: ({ place, selection }) => place.imageId === null && selection.count > 0,
    run: ({ place, selection }) =>
      place.go({ view: "grid", imageId: null, filter: { ...place.filter, ids: selection.ids() } }),
  },
  {
    id: "sort-by-similarity",
    title: "Sort by similarity to the selection",
    group: "Selection",
    keys: ["S"],
    when: ({ library, labelling }) => library.model !== null && labelling.target().length > 0,
    run: ({ place, labelling }) =>
      place.go({
        sort: { by: "similarity", to: { imageIds: labelling.target().slice(0, 100) } },
        imageId: null,
        view: "grid",
      }),
  },
  {
    id: "toggle-badges",
    title: "Show or hide labels on thumbnails",
    group: "Grid",
    keys: ["B"],
    run: ({ preferences }) => preferences.set("badges", !preferences.choices.badges),
  },
  {
    id: "toggle-masks",
    title: "Show or hide masks on thumbnails",
    group: "Grid",
    keys: ["V"],
    run: ({ preferences }) => preferences.set("masks", !preferences.choices.masks),
  },
  {
    id: "zoom-in",
    title: "Larger pictures",
    group: "Grid",
    keys: ["+", "="],
    when: inGrid,
    run: ({ preferences }) => preferences.set("zoom", Math.min(480, Math.round(preferences.choices.zoom * 1.2))),
  },
  {
    id: "zoom-out",
    title: "Smaller pictures",
    group: "Grid",
    keys: ["-"],
    when: inGrid,
    run: ({ preferences }) => preferences.set("zoom", Math.max(72, Math.round(preferences.choices.zoom / 1.2))),
  },
  {
    id: "show-all",
    title: "Show all images",
    group: "Grid",
    keys: ["Shift+A"],
    run: ({ place }) => place.go({ view: "grid", filter: {}, sort: { by: "name" }, imageId: null }),
  },
  {
    id: "remove-filter",
    title: "Take off the last filter",
    group: "Grid",
    keys: ["Mod+Backspace"],
    when: ({ place }) => place.filterCount > 0 && place.imageId === null,
    run: ({ place }) => {
      const last = Object.keys(place.filter).at(-1);
      if (last !== undefined) place.narrow({ [last]: undefined });
    },
  },
  {
    id: "show-unlabelled",
    title: "Show unlabelled images",
    group: "Grid",
    keys: ["Shift+U"],
    run: ({ place }) => place.go({ view: "grid", filter: { labelled: false }, imageId: null }),
  },
];
