import { CoreError } from "../../util/errors.ts";
import type { ArchSize, PresetName } from "./presets.ts";

/** What a user may say about a pretraining; what is left out comes from a preset. */
export interface PretrainOptions {
  readonly preset?: PresetName;
  readonly arch?: ArchSize;
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  readonly patch?: number;
  readonly globalSize?: number;
  readonly localSize?: number;
  /** Local crops of each picture. */
  readonly crops?: number;
  /** Share of the area at which local crops end and global ones begin. */
  readonly cropSplit?: number;
  readonly sourceSize?: number;
  readonly epochs?: number;
  readonly iterations?: number;
  readonly batch?: number;
  readonly prototypes?: number;
  readonly headHidden?: number;
  readonly bottleneck?: number;
  /** For a batch of 256; it is scaled with the batch, by its square root below that. */
  readonly learningRate?: number;
  readonly weightDecay?: readonly [number, number];
  readonly teacherMomentum?: number;
  /** Of the teacher after its warm-up. */
  readonly teacherTemperature?: number;
  /** Of the teacher at the start of its warm-up. */
  readonly teacherTemperatureStart?: number;
  readonly studentTemperature?: number;
  readonly centring?: boolean;
  readonly centreMomentum?: number;
  /** Trains the scale of each prototype too, in place of keeping it at 1 (`--norm_last_layer false` of the official code). */
  readonly trainScales?: boolean;
  /** 0 for none. */
  readonly clip?: number;
  /** Learning rate at the end, as it is used. */
  readonly minimumLearningRate?: number;
  /** Iterations in which the learning rate rises. */
  readonly warmup?: number;
  /** Iterations in which the teacher's temperature rises. */
  readonly temperatureWarmup?: number;
  readonly freezeLastLayer?: number;
  readonly freezeBackbone?: number;
  readonly dropPath?: number;
  readonly colour?: "official" | "mild";
  /** Share of the iterations at two thirds of the resolution. */
  readonly lowResolutionFirst?: number;
  readonly seed?: number;
}

/** What a number may be, and why. */
export interface OptionRange {
  readonly low: number;
  readonly high: number;
  readonly whole: boolean;
  /** The option on the command line. */
  readonly flag: string;
  readonly reason: string;
}

const whole = (flag: string, low: number, high: number, reason: string): OptionRange => ({
  ...{ flag, low, high, reason },
  whole: true,
});
const real = (flag: string, low: number, high: number, reason: string): OptionRange => ({
  ...{ flag, low, high, reason },
  whole: false,
});

/** The ranges of all options that are numbers. */
export const optionRanges = {
  width: whole("--width", 8, 1024, "wider networks than ViT-B train for weeks on one machine"),
  depth: whole("--depth", 1, 24, "one block at least; more than 24 hardly train on small libraries"),
  heads: whole("--heads", 1, 64, "heads share the width between them"),
  patch: whole("--patch", 4, 32, "smaller patches cost time with their fourth power, larger ones see too little"),
  globalSize: whole("--global-size", 16, 512, "time grows with its square and more"),
  localSize: whole("--local-size", 8, 512, "local crops are meant to be small parts"),
  crops: whole("--crops", 0, 16, "0 is training without multi-crop; the paper uses 6 to 10"),
  cropSplit: real("--crop-split", 0.06, 0.95, "local crops begin at 5 % of the area, global ones end at all of it"),
  sourceSize: whole("--source-size", 16, 768, "pictures are kept in memory at this size"),
  epochs: whole("--epochs", 1, 100_000, "one pass over the library at least"),
  iterations: whole("--iterations", 1, 10_000_000, "one step at least"),
  batch: whole("--batch", 2, 4096, "a centre of one picture is that picture itself"),
  prototypes: whole("--prototypes", 16, 262_144, "fewer cannot tell pictures apart, more gained nothing in the paper"),
  headHidden: whole("--head-hidden", 16, 4096, "2,048 in the paper"),
  bottleneck: whole("--bottleneck", 8, 512, "256 in the paper"),
  learningRate: real("--lr", 1e-7, 0.02, "above that transformers diverge"),
  teacherMomentum: real("--teacher-momentum", 0, 1, "the teacher is a moving average of students"),
  teacherTemperature: real("--teacher-temperature", 0.005, 1, "above 0.07 training is known to collapse"),
  teacherTemperatureStart: real("--teacher-temperature-start", 0.005, 1, "it rises from there in its warm-up"),
  studentTemperature: real("--student-temperature", 0.01, 1, "0.1 in the paper"),
  centreMomentum: real("--centre-momentum", 0, 0.9999, "0.9 in the paper; at 1 the centre would never move"),
  clip: real("--clip", 0, 100, "3 in the paper, 0.3 where training is unstable, 0 for none"),
  minimumLearningRate: real("--min-lr", 0, 0.02, "what the rate falls to, as it is used"),
  warmup: whole("--warmup", 0, 1_000_000, "iterations"),
  temperatureWarmup: whole("--temperature-warmup", 0, 1_000_000, "iterations"),
  freezeLastLayer: whole("--freeze-last-layer", 0, 1_000_000, "iterations"),
  freezeBackbone: whole("--freeze-backbone", 0, 1_000_000, "iterations"),
  dropPath: real("--drop-path", 0, 0.5, "a share of branches to leave out"),
  lowResolutionFirst: real("--low-resolution-first", 0, 0.95, "a share; full resolution has to follow"),
  seed: whole("--seed", 0, 2 ** 32 - 1, "32 bits"),
} as const satisfies Partial<Record<keyof PretrainOptions, OptionRange>>;

/** Throws `option-invalid` for the first number that is out of its range, with the reason for the range. */
export function checkOptions(options: PretrainOptions): void {
  for (const [name, range] of Object.entries(optionRanges)) {
    const value = options[name as keyof typeof optionRanges];
    if (value !== undefined) checkRange(value, range);
  }
  if (options.iterations !== undefined && options.epochs !== undefined) {
    throw new CoreError("option-invalid", "A run has a number of --epochs or of --iterations, not both.");
  }
}

function checkRange(value: number, { flag, low, high, whole: integer, reason }: OptionRange): void {
  if (value >= low && value <= high && (!integer || Number.isInteger(value))) return;
  const wanted = `${integer ? "a whole number" : "a number"} from ${low} to ${high.toLocaleString("en")}`;
  throw new CoreError("option-invalid", `${flag} takes ${wanted}, not ${value}: ${reason}.`);
}
