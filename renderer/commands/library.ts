import { pageDesktop } from "../lib/desktop.ts";
import type { App, AppCommand } from "../state/app.svelte.ts";

const mayChange = ({ core }: App): boolean => !core.guest;
const hasModel = (app: App): boolean => mayChange(app) && app.library.model !== null;

/** What is done with the library as a whole. */
export const libraryCommands: readonly AppCommand[] = [
  {
    id: "add-folder",
    title: "Add a folder of pictures",
    group: "Library",
    keys: ["Mod+O"],
    when: mayChange,
    run: ({ panels }) => panels.show("folder"),
  },
  {
    id: "open-library",
    title: "Open another library",
    group: "Library",
    // As in the desktop program's menu (electron/menu.ts).
    keys: ["Mod+Shift+O"],
    when: () => pageDesktop() !== null,
    run: ({ core }) =>
      void pageDesktop()
        ?.chooseLibrary()
        .catch((error: unknown) => core.refused(error)),
  },
  {
    id: "choose-model",
    title: "Choose or add a model",
    group: "Library",
    keys: [],
    when: mayChange,
    run: ({ panels }) => panels.show("model"),
  },
  {
    id: "embed",
    title: "Look at new pictures with the model",
    group: "Library",
    keys: [],
    when: hasModel,
    run: ({ jobs }) => void jobs.start({ kind: "embed", parameters: {} }),
  },
  {
    id: "suggest",
    title: "Suggest labels for unlabelled images",
    group: "Library",
    keys: [],
    when: hasModel,
    run: ({ jobs }) => void jobs.start({ kind: "suggest", parameters: {} }),
  },
  {
    id: "make-masks",
    title: "Make foreground masks",
    group: "Library",
    keys: [],
    when: hasModel,
    run: ({ jobs }) => void jobs.start({ kind: "masks", parameters: {} }),
  },
  {
    id: "pause-jobs",
    title: "Pause the work that runs",
    group: "Library",
    keys: ["Mod+."],
    when: (app) => mayChange(app) && app.jobs.pausable.length > 0,
    run: ({ jobs }) => jobs.pauseAll(),
  },
  {
    id: "resume-jobs",
    title: "Resume the work that is paused",
    group: "Library",
    keys: ["Mod+."],
    when: (app) => mayChange(app) && app.jobs.paused.length > 0,
    run: ({ jobs }) => jobs.resumeAll(),
  },
  {
    id: "stop-jobs",
    title: "Stop the work that runs",
    group: "Library",
    keys: ["Mod+Shift+X"],
    when: (app) => mayChange(app) && app.jobs.active.length > 0,
    run: ({ jobs }) => jobs.stopAll(),
  },
  {
    id: "show-skipped",
    title: "Show pictures that could not be read",
    group: "Library",
    keys: [],
    when: ({ library }) => library.images.problem > 0,
    run: ({ place }) => place.narrow({ state: "problem", labelled: undefined, labelIds: undefined }),
  },
];
