import { flushSync } from "svelte";
import { expect, test } from "vitest";
import type { CoreClient } from "../../renderer/core-client.ts";
import type { RunMetrics, RunProbe } from "../../core/rpc/records.ts";
import type { EventMessage } from "../../core/rpc/messages.ts";
import { gainWords, inPageWords, numbersOf, passesOf, probedPoints, type Told } from "../../renderer/lib/training.ts";
import { App } from "../../renderer/state/app.svelte.ts";

type Answers = Readonly<Record<string, (params: never) => unknown>>;

/** An app on a core that answers as it is told, and what it was asked. */
function appOn(answers: Answers): {
  app: App;
  asked: { method: string; params: unknown }[];
  say: (message: EventMessage) => void;
} {
  const asked: { method: string; params: unknown }[] = [];
  const listeners: ((message: EventMessage) => void)[] = [];
  const call = (method: string, params: unknown): Promise<unknown> => {
    asked.push({ method, params });
    const answer = answers[method];
    return answer === undefined
      ? Promise.reject(new Error(`not expected: ${method}`))
      : Promise.resolve(answer(params as never));
  };
  const client = {
    call: call as CoreClient["call"],
    bytes: () => Promise.reject(new Error("no bytes here")),
    onEvent: (listener: (message: EventMessage) => void) => void listeners.push(listener),
    onState: () => undefined,
    retry: () => undefined,
    close: () => undefined,
  };
  let text = "#/train";
  const address = {
    read: () => text,
    write: (written: string) => void (text = `#${written}`),
    watch: () => () => undefined,
  };
  const app = new App(client, address, []);
  return { app, asked, say: (message) => listeners.forEach((listener) => listener(message)) };
}

const run = {
  id: 4,
  name: "mine",
  state: "running",
  iteration: 0,
  iterations: 100,
  settings: { batch: 8 },
  imageCount: 40,
};
const view = { run, model: null, latest: null, probes: [], findings: [], curve: [] };
const metrics = (iteration: number): RunMetrics =>
  ({ iteration, loss: iteration, teacherEntropy: 1, divergence: 0, learningRate: 0 }) as RunMetrics;

test("advice for the terminal is said in the words of the page", () => {
  expect(inPageWords("Lower the learning rate (--lr), or use --clip 0.3.")).toBe(
    "Lower the learning rate (“Learning rate”), or use “Gradient clipping” 0.3.",
  );
  expect(inPageWords("Leave --no-centring out.")).toBe("Leave --no-centring out.");
});

test("empty fields are left to the preset, and what is no number is found", () => {
  expect(numbersOf({ epochs: "20", batch: "", learningRate: "0,001" })).toEqual({ epochs: 20, learningRate: 0.001 });
  expect(numbersOf({ epochs: "many" })).toBeUndefined();
});

test("passes are counted in whole batches of pictures", () => {
  expect(passesOf({ settings: { batch: 8 }, imageCount: 47 }, 100)).toBe(20);
});

test("curves grow as a run goes on, and what a resumed run gives again takes the place of what was there", async () => {
  const { app, say } = appOn({ "runs.get": () => view, "runs.list": () => [run] });
  await app.training.follow("4");
  say({ event: "run", data: { runId: 4, event: { kind: "metrics", metrics: [0, 1, 2, 3].map(metrics) } } });
  say({ event: "run", data: { runId: 9, event: { kind: "metrics", metrics: [metrics(50)] } } });
  say({ event: "run", data: { runId: 4, event: { kind: "metrics", metrics: [2, 3, 4].map(metrics) } } });
  flushSync();
  expect(app.training.shown?.curve.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3, 4]);
});

test("a time that was measured for one preset is carried over to the others by their work", async () => {
  const preset = (name: string, work: number): object => ({ name, work });
  const { app } = appOn({
    "runs.presets": () => ({
      imageCount: 40,
      device: "cpu",
      recommended: "nano",
      presets: [preset("nano", 10), preset("tiny", 50)],
    }),
    "runs.estimate": () => ({ milliseconds: 60_000, iterations: 10, device: "cpu", imagesPerSecond: 4 }),
  });
  await app.training.offer();
  expect(app.training.timeOf({ work: 50 })).toBe(300_000);
  app.training.choose("tiny");
  expect(app.training.estimate).toBeNull();
  expect(app.training.choice()).toMatchObject({ preset: "tiny" });
});

test("a run is discarded only when the time to regret is over", async () => {
  const { app, asked } = appOn({ "runs.list": () => [{ ...run, state: "done" }] });
  await app.training.load();
  expect(app.training.listed).toHaveLength(1);
  app.training.discard({ ...run, state: "done" } as never);
  expect(app.training.listed).toHaveLength(0);
  app.toasts.list.at(-1)?.action?.run();
  expect(app.training.listed).toHaveLength(1);
  expect(asked.map(({ method }) => method)).not.toContain("runs.discard");
});

test("a model is called better or worse than another only where the intervals of the two do not touch", () => {
  const told = (name: string, top1: number, around: number): Told => ({
    name,
    top1,
    top1Low: top1 - around,
    top1High: top1 + around,
  });
  expect(gainWords(told("old", 0.4, 0.05), told("new", 0.6, 0.05))).toEqual({
    kind: "better",
    text: "new tells more labels: 60 % against 40 %.",
  });
  expect(gainWords(told("old", 0.6, 0.05), told("new", 0.4, 0.05))).toEqual({
    kind: "worse",
    text: "old still tells more labels: 60 % against 40 %.",
  });
  expect(gainWords(told("old", 0.5, 0.08), told("new", 0.6, 0.08)).kind).toBe("same");
});

test("curves of probes begin anew where the pictures or the labels are others", () => {
  const probe = (iteration: number, change: Partial<RunProbe>): RunProbe => ({
    iteration,
    selfRetrieval: iteration / 100,
    selfRetrievalCount: 20,
    accuracy: null,
    accuracyCount: 0,
    picturesSince: 0,
    labelsSince: 0,
    createdAt: 0,
    ...change,
  });
  const labelled = { accuracy: 0.5, accuracyCount: 12, labelsSince: 10 };
  const probes = [
    probe(0, {}),
    probe(10, labelled),
    probe(20, { ...labelled, picturesSince: 20 }),
    probe(30, { ...labelled, picturesSince: 20, labelsSince: 30 }),
  ];
  const breaks = (part: "pictures" | "labels"): number[] =>
    probedPoints(probes, part).flatMap(({ x, apart }) => (apart === true ? [x] : []));
  expect(breaks("pictures")).toEqual([20]);
  expect(breaks("labels")).toEqual([30]);
  expect(probedPoints(probes, "labels").map(({ x }) => x)).toEqual([10, 20, 30]);
});
