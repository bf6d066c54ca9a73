import type { App, AppCommand } from "../state/app.svelte.ts";
import { wallSteps } from "./clusters.ts";

const here = ({ place }: App): boolean => place.view === "review" && place.imageId === null;
const mayDecide = (app: App): boolean => here(app) && !app.core.guest && app.review.item !== null;

const group = "Review";

const modes = [
  { mode: "suggestions", title: "Review suggestions" },
  { mode: "uncertain", title: "Label the most uncertain next" },
  { mode: "diverse", title: "Label the most different next" },
  { mode: "typical", title: "Label the most typical next" },
  { mode: "mixed", title: "Label a balanced mix next" },
] as const;

/** Deciding about suggestions, one image after the other. */
export const reviewCommands: readonly AppCommand[] = [
  ...wallSteps.map(({ step, title, key }) => ({
    id: `review-${step}`,
    title,
    group,
    keys: [key],
    when: here,
    quiet: true,
    run: ({ review }: App) => review.move(step),
  })),
  {
    id: "review-accept",
    title: "Accept and go on",
    group,
    keys: ["Enter", "Shift+Enter"],
    when: mayDecide,
    run: ({ review }) => review.accept(),
  },
  {
    id: "review-reject",
    title: "Reject and go on",
    group,
    keys: ["X", "Backspace", "Delete", "Shift+X"],
    when: mayDecide,
    run: ({ review }) => review.reject(),
  },
  {
    id: "review-skip",
    title: "Skip",
    group,
    keys: ["Space"],
    when: mayDecide,
    run: ({ review }) => review.skip(),
  },
  {
    id: "review-change",
    title: "Give another label…",
    group,
    keys: ["/"],
    when: mayDecide,
    run: ({ panels }) => {
      panels.labelling = true;
    },
  },
  {
    id: "review-open",
    title: "Open the picture",
    group,
    keys: ["Mod+Enter"],
    when: (app) => here(app) && app.review.item !== null,
    run: ({ place, review }) => place.go({ imageId: review.item?.id ?? null }),
  },
  {
    id: "review-accept-all",
    title: "Accept all above the line",
    group,
    keys: ["Mod+Shift+Enter"],
    when: (app) => mayDecide(app) && app.review.mode === "suggestions" && app.review.step !== null,
    run: ({ review }) => review.acceptAll(),
  },
  {
    id: "review-next-label",
    title: "Suggestions of the next label",
    group,
    keys: ["."],
    when: here,
    run: ({ review }) => review.besideLabel(1),
  },
  {
    id: "review-previous-label",
    title: "Suggestions of the previous label",
    group,
    keys: [","],
    when: here,
    run: ({ review }) => review.besideLabel(-1),
  },
  {
    id: "review-recompute",
    title: "Suggest anew with the labels of now",
    group,
    keys: ["Shift+N"],
    when: (app) => here(app) && !app.core.guest && app.review.modelId !== null,
    run: ({ review }) => review.recompute(),
  },
  ...modes.map(({ mode, title }) => ({
    id: `review-${mode}`,
    title,
    group,
    keys: [],
    run: ({ place }: App) => place.go({ view: "review", imageId: null, extra: mode === "suggestions" ? {} : { mode } }),
  })),
];
