import { InvalidArgumentError, Option, type Command } from "commander";
import {
  optionRanges,
  type NewPretraining,
  type OptionRange,
  type PretrainOptions,
  type ResumedPretraining,
} from "../app.ts";
import { CoreError } from "../util/errors.ts";
import { above, whole, type deviceNames } from "./context.ts";
import { deviceOption } from "./library-commands.ts";

/** What commander gives. */
export interface PretrainFlags extends Readonly<Record<string, unknown>> {
  readonly device: (typeof deviceNames)[number];
  readonly resume?: true | number;
  readonly estimate?: boolean;
  readonly keep: "ask" | "yes" | "no";
  readonly export?: string;
  readonly start?: string;
}

/** What each number is about, in the order of the help. */
const explanations: Readonly<Record<keyof typeof optionRanges, string>> = {
  epochs: "passes over the library",
  iterations: "steps, instead of passes",
  batch: "pictures a step",
  width: "features of the network, for a size of your own",
  depth: "its blocks",
  heads: "its attention heads",
  patch: "side of a patch in pixels",
  globalSize: "side of the two global crops in pixels",
  localSize: "side of the local crops in pixels",
  crops: "local crops of each picture",
  cropSplit: "share of the area at which local crops end and global ones begin",
  sourceSize: "side of the copies that crops are taken from",
  prototypes: "answers of the head",
  headHidden: "hidden features of the head",
  bottleneck: "features before the prototypes",
  learningRate: "peak learning rate for a batch of 256, scaled to the batch",
  teacherMomentum: "how slowly the teacher follows, at the start",
  teacherTemperature: "how sharp the teacher's answers are after the warm-up; lower is sharper",
  teacherTemperatureStart: "how sharp they are at the start of it",
  studentTemperature: "how sharp the student's answers are",
  centreMomentum: "how slowly the centre of the teacher's answers follows",
  clip: "largest gradient of a tensor",
  minimumLearningRate: "learning rate at the end, as it is used",
  warmup: "iterations in which the learning rate rises; a tenth unless given",
  temperatureWarmup: "iterations in which the teacher's temperature rises; three tenths unless given",
  freezeLastLayer: "iterations in which the prototypes stand still",
  freezeBackbone: "iterations in which a backbone waits for its fresh head",
  dropPath: "stochastic depth of the last block",
  lowResolutionFirst: "share of the iterations at two thirds of the resolution",
  seed: "seed of weights, order and crops",
};

/** Adds the options of `pretrain`. */
export function addPretrainOptions(command: Command): Command {
  command
    .option("--name <name>", "what to call the model; pretrained unless given")
    .addOption(
      new Option("--preset <name>", "how much work; by the library's size and the device unless given").choices([
        "nano",
        "tiny",
        "small",
        "full",
      ]),
    )
    .addOption(
      new Option("--arch <name>", "size of the transformer").choices(["nano", "vit-tiny", "vit-small", "vit-base"]),
    )
    .option("--start <from>", "random, a model of the library, or the file of a full checkpoint")
    .option(
      "--minutes <number>",
      "time that it may take: iterations follow from the measured speed",
      above(0, 100_000),
    );
  for (const [name, explanation] of Object.entries(explanations)) {
    const range = optionRanges[name as keyof typeof optionRanges];
    command.option(`${range.flag} <number>`, explanation, numberIn(range));
  }
  return command
    .addOption(
      new Option("--colour <changes>", "of crops: as in the paper, or milder for what is told by its colour").choices([
        "official",
        "mild",
      ]),
    )
    .option("--weight-decay <numbers>", "at the start and the end, such as 0.04,0.4", pair)
    .option("--train-scales", "train the scale of each prototype too, in place of keeping it at 1")
    .option("--no-centring", "leave the centre out, to see it collapse")
    .addOption(deviceOption())
    .option(
      "--micro-batch <number>",
      "pictures in one pass, a divisor of the batch; by memory unless given",
      whole(1, 4096),
    )
    .option("--cache <megabytes>", "memory for small copies of the pictures", whole(1, 1_000_000))
    .option("--save-every <minutes>", "between checkpoints", above(0, 10_000))
    .option("--save-iterations <number>", "between checkpoints, beside the time", whole(1, 1_000_000))
    .option("--probe-every <number>", "iterations between looks at what it can do", whole(1, 1_000_000))
    .option("--stop-on-collapse", "stop when it cannot come to any good")
    .option("--resume [run]", "go on with the newest unfinished run, or this one", whole(1, 2 ** 31))
    .option("--estimate", "only say how long it would take")
    .addOption(new Option("--keep <answer>", "whether to keep the model").choices(["ask", "yes", "no"]).default("yes"))
    .option("--export <file>", "also write the full checkpoint, in the official layout as safetensors");
}

function numberIn({ low, high, whole: integer, reason }: OptionRange): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= low && value <= high && (!integer || Number.isInteger(value))) return value;
    const wanted = `${integer ? "a whole number" : "a number"} from ${low} to ${high.toLocaleString("en")}`;
    throw new InvalidArgumentError(`Wanted ${wanted}: ${reason}.`);
  };
}

function pair(text: string): [number, number] {
  const [first = NaN, second = first, ...rest] = text.split(",").map(Number);
  if (rest.length === 0 && [first, second].every((value) => value >= 0 && value <= 1)) return [first, second];
  throw new InvalidArgumentError("Wanted one or two numbers from 0 to 1, such as 0.04,0.4.");
}

/** Names that commander gives to options that have other names here. */
const renamed: Readonly<Record<string, string>> = {
  lr: "learningRate",
  minLr: "minimumLearningRate",
  saveEvery: "saveEveryMinutes",
  saveIterations: "saveEvery",
};

/** Options that say what a command does with the run, not what the run does. */
const ownFlags = ["resume", "estimate", "keep", "export"];

/** What a run that goes on may be told. */
const resumable = [
  ...["device", "microBatch", "cacheBytes", "epochs", "iterations"],
  ...["saveEveryMinutes", "saveEvery", "probeEvery", "stopOnCollapse"],
];

/** Flags as the app takes them for a new run. */
export function newRunOf(flags: PretrainFlags): NewPretraining {
  return { ...valuesOf(flags), device: flags.device };
}

/** Flags as the app takes them for a run that goes on. Throws `option-invalid` for what cannot change any more. */
export function resumedRunOf(flags: PretrainFlags): ResumedPretraining {
  const values = valuesOf(flags);
  const fixed = Object.keys(values).find((name) => !resumable.includes(name));
  if (fixed !== undefined) {
    throw new CoreError("option-invalid", `A run that goes on keeps its settings: ${fixed} cannot be changed.`, {
      hint: "Leave it out, or start a new run without --resume.",
    });
  }
  const runId = typeof flags.resume === "number" ? { runId: flags.resume } : {};
  return { ...values, ...runId, device: flags.device };
}

function valuesOf(flags: PretrainFlags): PretrainOptions & Readonly<Record<string, never>> {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined || ownFlags.includes(name)) continue;
    // Commander has centring set unless it is forbidden.
    if (name === "centring" && value === true) continue;
    if (name === "cache") values["cacheBytes"] = Number(value) * 2 ** 20;
    else values[renamed[name] ?? name] = value;
  }
  return values as PretrainOptions & Readonly<Record<string, never>>;
}
