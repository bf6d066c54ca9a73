/** What training is called where people see it, and the options that it has. */
import type { PretrainParameters } from "../../core/rpc/pretrain-choice.ts";
import { baselineOf, type ProbedPart } from "../../core/rpc/probe-baseline.ts";
import type { Run, RunProbe } from "../../core/rpc/records.ts";
import type { PresetOffer } from "../../core/rpc/views.ts";
import type { Point } from "./curve.ts";
import { percent } from "./words.ts";

/** What a preset means, beside its numbers. */
export const presetWords: Readonly<Record<PresetOffer["name"], { title: string; text: string }>> = {
  nano: { title: "Nano", text: "For a processor: a small network that is done over a coffee." },
  tiny: { title: "Tiny", text: "For a graphics card and some thousand pictures." },
  small: { title: "Small", text: "The size most published models have; wants 50,000 pictures and hours." },
  full: { title: "Full", text: "The paper's own sizes; wants 200,000 pictures and a day." },
};

type NumberOption = {
  [Name in keyof PretrainParameters]-?: NonNullable<PretrainParameters[Name]> extends number ? Name : never;
}[keyof PretrainParameters];

/** One number that can be set. */
export interface TrainingOption {
  readonly name: NumberOption;
  readonly title: string;
  readonly hint: string;
  /** Its name in advice, which is written for the terminal. */
  readonly flag: string;
}

const option = (name: NumberOption, flag: string, title: string, hint: string): TrainingOption => ({
  ...{ name, flag, title, hint },
});

/** Options in groups, most asked for first. What is left empty comes from the preset. */
export const optionGroups: readonly { readonly title: string; readonly options: readonly TrainingOption[] }[] = [
  {
    title: "Length",
    options: [
      option("epochs", "--epochs", "Passes", "over all pictures"),
      option("minutes", "--minutes", "Minutes", "instead of passes"),
      option("batch", "--batch", "Batch", "pictures a step"),
      option("seed", "--seed", "Seed", "the same seed gives the same run"),
    ],
  },
  {
    title: "Crops",
    options: [
      option("globalSize", "--global-size", "Large crops", "pixels, a multiple of the patch"),
      option("localSize", "--local-size", "Small crops", "pixels, a multiple of the patch"),
      option("crops", "--crops", "Number of small crops", "of each picture"),
      option("lowResolutionFirst", "--low-resolution-first", "Small pictures first", "share of the steps, 0 to 0.95"),
    ],
  },
  {
    title: "Network",
    options: [
      option("width", "--width", "Width", "features; random start only"),
      option("depth", "--depth", "Blocks", "random start only"),
      option("patch", "--patch", "Patch", "pixels; random start only"),
      option("prototypes", "--prototypes", "Prototypes", "answers of the head"),
    ],
  },
  {
    title: "Learning",
    options: [
      option("learningRate", "--lr", "Learning rate", "for a batch of 256"),
      option("teacherTemperature", "--teacher-temperature", "Teacher temperature", "lower is sharper"),
      option("teacherMomentum", "--teacher-momentum", "Teacher momentum", "how slowly it follows"),
      option("clip", "--clip", "Gradient clipping", "0 for none"),
      option("freezeLastLayer", "--freeze-last-layer", "Frozen last layer", "steps at the start"),
      option("dropPath", "--drop-path", "Drop path", "0 to 0.5"),
    ],
  },
];

const titles = new Map(optionGroups.flatMap(({ options }) => options.map(({ flag, title }) => [flag, title] as const)));

/** Advice for the terminal in the words of this page: `--lr` is “Learning rate”. */
export function inPageWords(text: string): string {
  return text.replace(/--[a-z][a-z-]*[a-z]/g, (flag) => {
    const title = titles.get(flag);
    return title === undefined ? flag : `“${title}”`;
  });
}

/** The options of a text field each: empty ones are left out. Undefined where one is no number. */
export function numbersOf(texts: Readonly<Record<string, string>>): Readonly<Record<string, number>> | undefined {
  const numbers: Record<string, number> = {};
  for (const [name, text] of Object.entries(texts)) {
    if (text.trim() === "") continue;
    const value = Number(text.trim().replace(",", "."));
    if (!Number.isFinite(value)) return undefined;
    numbers[name] = value;
  }
  return numbers;
}

/** What a run's state is called. */
export const stateWords: Readonly<Record<Run["state"], string>> = {
  running: "Training",
  stopped: "Stopped",
  failed: "Failed",
  done: "Done",
};

/** How well a model tells labels: a share with its 95 % interval. */
export interface Told {
  readonly name: string;
  readonly top1: number;
  readonly top1Low: number;
  readonly top1High: number;
}

/** Whether a model is better than the one before, and no more than the figures can carry. */
export function gainWords(
  before: Told,
  after: Told,
): { readonly kind: "better" | "worse" | "same"; readonly text: string } {
  const figures = `${percent(after.top1)} against ${percent(before.top1)}`;
  // The same pictures are told by both, so this is on the careful side.
  if (after.top1Low > before.top1High) return { kind: "better", text: `${after.name} tells more labels: ${figures}.` };
  if (before.top1Low > after.top1High) {
    return {
      kind: "worse",
      text: `${before.name} still tells more labels: ${percent(before.top1)} against ${percent(after.top1)}.`,
    };
  }
  return { kind: "same", text: `No clear difference with the labels so far: ${figures}.` };
}

/** Passes over the pictures that some iterations are, as the core counts them: what is left over waits for the next. */
export function passesOf({ settings, imageCount }: Pick<Run, "settings" | "imageCount">, iterations: number): number {
  const batch = typeof settings["batch"] === "number" ? settings["batch"] : 1;
  return iterations / Math.max(1, Math.floor(imageCount / batch));
}

/** The most that the teacher's entropy can be, in nats; undefined where the run does not say. */
export function mostEntropy({ settings }: Pick<Run, "settings">): number | undefined {
  const head = settings["head"] as { readonly prototypes?: unknown } | undefined;
  return typeof head?.prototypes === "number" ? Math.log(head.prototypes) : undefined;
}

/** What a run's probes say, as a line that begins anew where they were made on other pictures or labels. */
export function probedPoints(probes: readonly RunProbe[], part: ProbedPart): Point[] {
  const points: Point[] = [];
  for (const probe of probes) {
    const y = part === "pictures" ? probe.selfRetrieval : probe.accuracy;
    if (y === null) continue;
    const apart = points.length > 0 && baselineOf(probes, probe, part) === probe;
    points.push({ x: probe.iteration, y, apart });
  }
  return points;
}
