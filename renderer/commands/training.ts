import type { App, AppCommand } from "../state/app.svelte.ts";

const inTrain = ({ place }: App): boolean => place.view === "train" && place.imageId === null;
const mayTrain = (app: App): boolean => inTrain(app) && !app.core.guest;
const isFree = ({ training }: App): boolean => training.running === null && !training.preparing;

/** Training runs. */
export const trainingCommands: readonly AppCommand[] = [
  {
    id: "train-start",
    title: "Start training",
    group: "Train",
    keys: ["Mod+Enter"],
    always: true,
    when: (app) => mayTrain(app) && app.training.shown === null && isFree(app),
    run: ({ training }) => training.begin(),
  },
  {
    id: "train-measure",
    title: "Measure how long it takes",
    group: "Train",
    keys: ["M"],
    when: (app) => mayTrain(app) && app.training.shown === null && isFree(app),
    run: ({ training }) => training.measure(),
  },
  {
    id: "train-new",
    title: "New run",
    group: "Train",
    keys: ["N"],
    when: mayTrain,
    run: ({ training }) => training.compose(),
  },
  {
    id: "train-stop",
    title: "Stop training; it can go on later",
    group: "Train",
    keys: [],
    when: ({ core, training }) => !core.guest && training.job !== null,
    run: ({ training }) => training.stop(),
  },
  {
    id: "train-resume",
    title: "Go on with this run",
    group: "Train",
    keys: ["R"],
    when: (app) => {
      const run = app.training.shown?.run;
      return mayTrain(app) && isFree(app) && run?.checkpoint != null && run.state !== "done";
    },
    run: async ({ training }) => {
      if (training.shown !== null) await training.resume(training.shown.run.id);
    },
  },
  {
    id: "train-keep",
    title: "Keep this run's model and use it",
    group: "Train",
    keys: ["K"],
    when: (app) => mayTrain(app) && app.training.shown?.run.modelId != null,
    run: async ({ training }) => {
      const modelId = training.shown?.run.modelId ?? null;
      if (modelId !== null) await training.use(modelId);
    },
  },
  {
    id: "train-discard",
    title: "Discard this run's model",
    group: "Train",
    keys: ["Delete"],
    when: (app) => {
      const run = app.training.shown?.run;
      return (
        mayTrain(app) && app.training.job === null && run !== undefined && (run.modelId ?? run.checkpoint) !== null
      );
    },
    run: ({ training }) => {
      if (training.shown !== null) training.discard(training.shown.run);
    },
  },
  {
    id: "train-earlier",
    title: "Earlier attention",
    group: "Train",
    keys: ["ArrowLeft"],
    when: (app) => inTrain(app) && app.training.probes.length > 0,
    quiet: true,
    run: ({ training }) => training.step(-1),
  },
  {
    id: "train-later",
    title: "Later attention",
    group: "Train",
    keys: ["ArrowRight"],
    when: (app) => inTrain(app) && app.training.probes.length > 0,
    quiet: true,
    run: ({ training }) => training.step(1),
  },
  {
    id: "train-play",
    title: "Play the attention through the run, or pause",
    group: "Train",
    keys: ["P"],
    when: (app) => inTrain(app) && app.training.probes.length > 1,
    run: ({ training }) => {
      training.playing = !training.playing;
    },
  },
];
