import type { Step } from "../lib/tiles.ts";
import type { App, AppCommand } from "../state/app.svelte.ts";

const here = ({ place }: App): boolean => place.view === "clusters" && place.imageId === null;
const onWall = (app: App): boolean => here(app) && app.clusters.openId === null;
const inOpen = (app: App): boolean => here(app) && app.clusters.openId !== null;
const mayChange = (app: App): boolean => here(app) && !app.core.guest && app.clusters.focused !== null;

const group = "Clusters";

/** Keys that move the focus on a wall of tiles. */
export const wallSteps: readonly { readonly step: Step; readonly title: string; readonly key: string }[] = [
  { step: "left", title: "One to the left", key: "ArrowLeft" },
  { step: "right", title: "One to the right", key: "ArrowRight" },
  { step: "up", title: "One row up", key: "ArrowUp" },
  { step: "down", title: "One row down", key: "ArrowDown" },
  { step: "start", title: "To the first", key: "Home" },
  { step: "end", title: "To the last", key: "End" },
  { step: "page-up", title: "One page up", key: "PageUp" },
  { step: "page-down", title: "One page down", key: "PageDown" },
];

/** What can be done on the wall of clusters and in an open one. */
export const clusterCommands: readonly AppCommand[] = [
  ...wallSteps.map(({ step, title, key }) => ({
    id: `cluster-${step}`,
    title,
    group,
    keys: [key],
    when: here,
    quiet: true,
    run: ({ clusters }: App) => clusters.step(step),
  })),
  {
    id: "open-cluster",
    title: "Open the cluster",
    group,
    keys: ["Enter", "Space"],
    when: (app) => onWall(app) && app.clusters.focused !== null,
    run: ({ clusters }) => {
      if (clusters.focused !== null) clusters.show(clusters.focused.id);
    },
  },
  {
    id: "close-cluster",
    title: "Back to the wall of clusters",
    group,
    keys: ["Escape"],
    when: inOpen,
    run: ({ clusters }) => clusters.close(),
  },
  {
    id: "next-cluster",
    title: "Next cluster",
    group,
    keys: ["."],
    when: inOpen,
    run: ({ clusters }) => clusters.beside(1),
  },
  {
    id: "previous-cluster",
    title: "Previous cluster",
    group,
    keys: [","],
    when: inOpen,
    run: ({ clusters }) => clusters.beside(-1),
  },
  {
    id: "leave-out",
    title: "Leave the image out, or take it back in",
    group,
    keys: ["X", "Backspace", "Delete"],
    when: inOpen,
    run: ({ clusters }) => clusters.toggle(clusters.memberAt),
  },
  {
    id: "open-member",
    title: "Open the picture",
    group,
    keys: ["Enter", "Space"],
    when: (app) => inOpen(app) && app.clusters.members.ids.length > 0,
    run: ({ clusters, place }) => place.go({ imageId: clusters.memberOf(clusters.memberAt).id }),
  },
  {
    id: "keep-all",
    title: "Take all images of the cluster back in",
    group,
    keys: ["Mod+A"],
    when: inOpen,
    run: ({ clusters }) => clusters.keepAll(),
  },
  {
    id: "invert-left-out",
    title: "Keep what is left out, and leave out the others",
    group,
    keys: ["Mod+Shift+A"],
    when: inOpen,
    run: ({ clusters }) => clusters.invert(),
  },
  {
    id: "label-cluster",
    title: "Label the cluster…",
    group,
    keys: ["/"],
    when: mayChange,
    run: ({ panels }) => {
      panels.labelling = true;
    },
  },
  {
    id: "accept-cluster",
    title: "Label the cluster as proposed",
    group,
    keys: ["Shift+Enter"],
    when: (app) => mayChange(app) && app.clusters.focused?.proposal !== null,
    run: ({ clusters }) => clusters.assignProposal(),
  },
  {
    id: "split-cluster",
    title: "Split the cluster in two",
    group,
    keys: ["Shift+S"],
    when: mayChange,
    run: ({ clusters }) => clusters.split(2),
  },
  {
    id: "take-out",
    title: "Make a cluster of what is left out",
    group,
    keys: ["Shift+X"],
    when: (app) => inOpen(app) && !app.core.guest && app.clusters.out.size > 0 && app.clusters.kept > 0,
    run: ({ clusters }) => clusters.takeOut(),
  },
  {
    id: "pick-cluster",
    title: "Mark the cluster to merge it",
    group,
    keys: ["X", "Mod+Space"],
    when: (app) => onWall(app) && mayChange(app),
    run: ({ clusters }) => {
      if (clusters.focused !== null) clusters.pick(clusters.focused.id);
    },
  },
  {
    id: "merge-clusters",
    title: "Merge the marked clusters",
    group,
    keys: ["+"],
    when: (app) => onWall(app) && !app.core.guest && app.clusters.picked.size > 1,
    run: ({ clusters }) => clusters.merge(),
  },
  {
    id: "unmark-clusters",
    title: "Mark no cluster",
    group,
    keys: ["Escape"],
    when: (app) => onWall(app) && app.clusters.picked.size > 0,
    run: ({ clusters }) => clusters.pickNone(),
  },
];
