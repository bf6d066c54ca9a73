import type { App, AppCommand } from "../state/app.svelte.ts";

const inExport = ({ core, place }: App): boolean => place.view === "export" && place.imageId === null && !core.guest;

/** Exporting. */
export const exportCommands: readonly AppCommand[] = [
  {
    id: "export-start",
    title: "Export",
    group: "Export",
    keys: ["Mod+Enter"],
    always: true,
    when: (app) => inExport(app) && app.exporting.ready,
    run: ({ exporting }) => exporting.start(),
  },
  {
    id: "export-folder",
    title: "Choose where to export to",
    group: "Export",
    keys: ["O"],
    when: inExport,
  },
  {
    id: "export-split",
    title: "Split into train, val and test, or not",
    group: "Export",
    keys: ["S"],
    when: inExport,
    run: ({ exporting }) => {
      exporting.isSplit = !exporting.isSplit;
    },
  },
  {
    id: "export-selection",
    title: "Export the selection",
    group: "Export",
    keys: [],
    when: ({ core, selection }) => !core.guest && selection.count > 0,
    run: ({ exporting, place }) => {
      exporting.scope = "selection";
      place.go({ view: "export", imageId: null });
    },
  },
];
