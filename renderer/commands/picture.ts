import type { App, AppCommand } from "../state/app.svelte.ts";

const open = ({ place }: App): boolean => place.imageId !== null;
const mayDraw = (app: App): boolean => open(app) && !app.core.guest;
const sees = (app: App): boolean => open(app) && app.picture.sees;

const arrows = [
  { id: "left", word: "left", key: "ArrowLeft", x: -1, y: 0 },
  { id: "right", word: "right", key: "ArrowRight", x: 1, y: 0 },
  { id: "up", word: "up", key: "ArrowUp", x: 0, y: -1 },
  { id: "down", word: "down", key: "ArrowDown", x: 0, y: 1 },
] as const;

/** Arrows move the spot where one is looked at; with Shift they move a picture that is larger than its room. */
const arrowCommands: readonly AppCommand[] = arrows.flatMap(({ id, word, key, x, y }) => [
  {
    id: `spot-${id}`,
    title: `Alike: move the spot ${word}`,
    group: "Picture",
    keys: [key],
    when: (app: App) => sees(app) && app.picture.overlay === "alike" && app.picture.spots.own !== null,
    quiet: true,
    run: ({ picture }: App) => picture.spots.move(x, y),
  },
  {
    id: `picture-pan-${id}`,
    title: `Zoomed in: look further ${word}`,
    group: "Picture",
    keys: [`Shift+${key}`],
    when: open,
    quiet: true,
  },
]);

/** What is done with the picture that is open. Before the grid's commands, which mean other things by some of the keys. */
export const pictureCommands: readonly AppCommand[] = [
  {
    id: "show-mask",
    title: "Show the mask",
    group: "Picture",
    keys: ["M"],
    when: open,
    run: ({ picture }) => picture.show("mask"),
  },
  {
    id: "show-attention",
    title: "Show where the model looks",
    group: "Picture",
    keys: ["T"],
    when: sees,
    run: ({ picture }) => picture.show("attention"),
  },
  {
    id: "show-alike",
    title: "Show what looks like the spot under the pointer",
    group: "Picture",
    keys: ["L"],
    when: sees,
    run: ({ picture }) => picture.show("alike"),
  },
  {
    id: "hide-overlay",
    title: "Hide what lies over the picture while held",
    group: "Picture",
    keys: ["V"],
    when: open,
    quiet: true,
    run: ({ picture }) => {
      picture.hidden = true;
    },
  },
  {
    id: "brush",
    title: "Brush: add to the mask",
    group: "Picture",
    keys: ["R"],
    when: mayDraw,
    run: ({ picture }) => picture.useTool("brush"),
  },
  {
    id: "eraser",
    title: "Eraser: take from the mask",
    group: "Picture",
    keys: ["X"],
    when: mayDraw,
    run: ({ picture }) => picture.useTool("eraser"),
  },
  {
    id: "brush-larger",
    title: "Larger brush (or Alt and the wheel)",
    group: "Picture",
    keys: ["."],
    when: (app) => mayDraw(app) && app.picture.edit.tool !== null,
    quiet: true,
    run: ({ picture }) => picture.edit.resize(1.2),
  },
  {
    id: "brush-smaller",
    title: "Smaller brush",
    group: "Picture",
    keys: [","],
    when: (app) => mayDraw(app) && app.picture.edit.tool !== null,
    quiet: true,
    run: ({ picture }) => picture.edit.resize(1 / 1.2),
  },
  {
    id: "undo-stroke",
    title: "Take the last stroke back",
    group: "Picture",
    keys: ["Mod+Z"],
    when: (app) => open(app) && app.picture.edit.dirty,
    quiet: true,
    run: ({ picture }) => picture.edit.undo(),
  },
  {
    id: "redo-stroke",
    title: "Draw the stroke again",
    group: "Picture",
    keys: ["Mod+Shift+Z", "Mod+Y"],
    when: (app) => open(app) && app.picture.edit.undone.length > 0,
    quiet: true,
    run: ({ picture }) => picture.edit.redo(),
  },
  {
    id: "save-mask",
    title: "Save the corrected mask",
    group: "Picture",
    keys: ["Mod+S", "Enter"],
    when: (app) => mayDraw(app) && app.picture.edit.dirty,
    run: ({ picture }) => picture.save(),
  },
  {
    id: "put-tool-away",
    title: "Put the brush away, and save",
    group: "Picture",
    keys: ["Escape"],
    when: (app) => open(app) && app.picture.edit.tool !== null,
    quiet: true,
    run: ({ picture }) => {
      picture.edit.tool = null;
      void picture.save();
    },
  },
  {
    id: "keep-mask",
    title: "Keep the mask that is tried",
    group: "Picture",
    keys: ["K"],
    when: (app) => mayDraw(app) && app.picture.live !== null && (app.picture.trying || app.picture.kept === null),
    run: ({ picture }) => picture.keep(),
  },
  {
    id: "restore-mask",
    title: "Restore the automatic mask",
    group: "Picture",
    keys: [],
    when: (app) => mayDraw(app) && app.picture.kept?.edited === true && app.picture.kept.recipe !== null,
    run: ({ picture }) => picture.restore(),
  },
  {
    id: "remove-mask",
    title: "Remove the mask",
    group: "Picture",
    keys: [],
    when: (app) => mayDraw(app) && app.picture.kept !== null,
    run: ({ picture }) => picture.remove(),
  },
  ...arrowCommands,
  { id: "picture-fit", title: "Fit the picture, or show it at 100 %", group: "Picture", keys: ["Z"], when: open },
];
