import type { App, AppCommand } from "../state/app.svelte.ts";
import { checkTabs } from "../state/checks.svelte.ts";

const inChecks = ({ place }: App): boolean => place.view === "checks" && place.imageId === null;
const hasFinding = (app: App): boolean => inChecks(app) && app.checks.finding !== null;
const mayFix = (app: App): boolean => hasFinding(app) && !app.core.guest;

/** Working through what a check found, by key. */
export const checkCommands: readonly AppCommand[] = [
  {
    id: "checks-next",
    title: "Next finding",
    group: "Checks",
    keys: ["ArrowDown", "Space", "."],
    when: hasFinding,
    quiet: true,
    run: ({ checks }) => checks.move(1),
  },
  {
    id: "checks-previous",
    title: "Previous finding",
    group: "Checks",
    keys: ["ArrowUp", "Shift+Space", ","],
    when: hasFinding,
    quiet: true,
    run: ({ checks }) => checks.move(-1),
  },
  {
    id: "checks-mark-right",
    title: "Mark the picture to the right",
    group: "Checks",
    keys: ["ArrowRight"],
    when: hasFinding,
    quiet: true,
    run: ({ checks }) => checks.mark(1),
  },
  {
    id: "checks-mark-left",
    title: "Mark the picture to the left",
    group: "Checks",
    keys: ["ArrowLeft"],
    when: hasFinding,
    quiet: true,
    run: ({ checks }) => checks.mark(-1),
  },
  {
    id: "checks-fix",
    title: "Take what is proposed: the neighbours' label, or that of the marked picture for all",
    group: "Checks",
    keys: ["Enter"],
    when: mayFix,
    run: ({ checks }) => checks.fix(),
  },
  {
    id: "checks-keep",
    title: "It is right as it is",
    group: "Checks",
    keys: ["X"],
    when: mayFix,
    run: ({ checks }) => checks.keep(),
  },
  {
    id: "checks-swap",
    title: "Swap the labels of two twins",
    group: "Checks",
    keys: ["Shift+S"],
    when: (app) => mayFix(app) && app.checks.tab === "twins",
    run: ({ checks }) => checks.swap(),
  },
  {
    id: "checks-fix-likely",
    title: "Take the neighbours' label for all likely wrong ones",
    group: "Checks",
    keys: ["Mod+Enter"],
    when: (app) => mayFix(app) && app.checks.tab === "wrong-labels" && app.checks.likely > 0,
    run: ({ checks }) => checks.fixLikely(),
  },
  {
    id: "checks-light",
    title: "Light what differs between twins, or not",
    group: "Checks",
    keys: ["Shift+V"],
    when: (app) => hasFinding(app) && app.checks.tab === "twins",
    run: ({ checks }) => {
      checks.lit = !checks.lit;
    },
  },
  {
    id: "checks-open",
    title: "Open the marked picture",
    group: "Checks",
    keys: ["Shift+Enter"],
    when: hasFinding,
    run: ({ checks, place }) => {
      if (checks.marked !== null) place.go({ imageId: checks.marked.imageId });
    },
  },
  ...checkTabs.map(({ id, title }) => ({
    id: `checks-${id}`,
    title: `Checks: ${title.toLowerCase()}`,
    group: "Checks",
    keys: [],
    run: (app: App) => {
      if (app.place.view === "checks") app.checks.show(id);
      else app.place.go({ view: "checks", imageId: null, extra: { tab: id } });
    },
  })),
  {
    id: "check-library",
    title: "Check labels and pictures for mistakes",
    group: "Library",
    keys: [],
    when: ({ core }) => !core.guest,
    run: ({ checks }) => checks.check(),
  },
];
