/**
 * Settings for a pretraining from what a library has and what the user asks for: presets by size and device, every value
 * an option. The method's own values are those of Caron et al. 2021 and their code; those for small libraries follow
 * lightly-train's rules, which are by number of pictures.
 */
import { CoreError } from "../../util/errors.ts";
import type { Architecture } from "../architecture.ts";
import { iterationsPerEpoch } from "./epochs.ts";
import { checkFit, invalid } from "./option-fit.ts";
import { checkOptions, optionRanges, type PretrainOptions } from "./options.ts";
import type { CropSettings, HeadSettings, TrainingSettings } from "./settings.ts";

export type PresetName = "nano" | "tiny" | "small" | "full";

/** What a preset decides: how much work one picture is. */
interface Preset {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly patch: number;
  readonly globalSize: number;
  readonly localSize: number;
  readonly localCount: number;
  readonly headHidden: number;
  readonly bottleneck: number;
  readonly batch: number;
  readonly epochs: number;
  readonly dropPath: number;
  /** Share of the area at which local crops end and global ones begin. */
  readonly split: number;
}

export const presets: Readonly<Record<PresetName, Preset>> = {
  // For CPUs: ten minutes on some hundred pictures. Drop path would slow so short a run down.
  nano: {
    ...{ width: 128, depth: 6, heads: 4, patch: 8, globalSize: 64, localSize: 32, localCount: 4 },
    ...{ headHidden: 512, bottleneck: 128, batch: 64, epochs: 100, dropPath: 0, split: 0.25 },
  },
  tiny: {
    ...{ width: 192, depth: 12, heads: 3, patch: 16, globalSize: 128, localSize: 64, localCount: 6 },
    ...{ headHidden: 2048, bottleneck: 256, batch: 128, epochs: 500, dropPath: 0, split: 0.25 },
  },
  small: {
    ...{ width: 384, depth: 12, heads: 6, patch: 16, globalSize: 160, localSize: 64, localCount: 6 },
    ...{ headHidden: 2048, bottleneck: 256, batch: 256, epochs: 300, dropPath: 0.1, split: 0.25 },
  },
  full: {
    ...{ width: 384, depth: 12, heads: 6, patch: 16, globalSize: 224, localSize: 96, localCount: 8 },
    ...{ headHidden: 2048, bottleneck: 256, batch: 256, epochs: 100, dropPath: 0.1, split: 0.4 },
  },
};

/** Names of sizes for --arch. */
export const archSizes = {
  nano: { width: 128, depth: 6, heads: 4 },
  "vit-tiny": { width: 192, depth: 12, heads: 3 },
  "vit-small": { width: 384, depth: 12, heads: 6 },
  "vit-base": { width: 768, depth: 12, heads: 12 },
} as const;

export type ArchSize = keyof typeof archSizes;

/** What a run starts from, as far as it decides settings. */
export type StartShape =
  | { readonly kind: "random" }
  /** `imageSize`: side in pixels of the pictures that it embeds. */
  | { readonly kind: "model"; readonly architecture: Architecture; readonly imageSize: number }
  /** `settings`: what it was trained with, where its file says so. */
  | {
      readonly kind: "checkpoint";
      readonly architecture: Architecture;
      readonly head: HeadSettings;
      readonly settings: TrainingSettings | null;
    };

/** What is there to train with. */
export interface Surroundings {
  /** Pictures of the library that can be read. */
  readonly images: number;
  readonly onCpu: boolean;
  readonly start: StartShape;
}

/** The preset for a library: small networks on the CPU, and larger ones where there are pictures for them. */
export function presetFor(images: number, onCpu: boolean): PresetName {
  if (onCpu) return "nano";
  if (images < 50_000) return "tiny";
  return images < 200_000 ? "small" : "full";
}

/** Small libraries do not lack passes but iterations: on two cores these are eight minutes of nano on 240 pictures. */
const fewestIterations = 2250;

/** Passes from a full checkpoint: it knows much already, and many passes over few pictures take that away. */
const carefulEpochs = 10;

/** Fewest pictures that a run makes sense with at all. */
const fewestImages = 8;

/** Below this many, what is learnt from them alone is little: on 240 drawn photos it is plain in the labels. */
const fewImages = 200;

/** What to know before a run begins on so few pictures, or null: training from scratch is offered all the same. */
export function cautionFor(images: number, start: StartShape["kind"]): string | null {
  if (start !== "random" || images >= fewImages) return null;
  return `${images} pictures are few: training on them from scratch is an experiment, and the starter model or a published one usually does better.`;
}

/**
 * All settings of a run. Throws `pictures-missing` with hardly any pictures, and `option-invalid` for values that are out
 * of range or do not go together, with the reason.
 */
export function resolveSettings(
  options: PretrainOptions,
  { images, onCpu, start }: Surroundings,
): { preset: PresetName; settings: TrainingSettings } {
  if (images < fewestImages) {
    throw new CoreError("pictures-missing", `Pretraining needs ${fewestImages} pictures at least, found ${images}.`, {
      hint: "Take in a folder with `dinoscope add FOLDER`. Hundreds of pictures are a start, thousands are better.",
    });
  }
  checkOptions(options);
  const name = options.preset ?? presetFor(images, onCpu);
  const preset = presets[name];
  const careful = start.kind === "checkpoint";
  const architecture = architectureFor(options, preset, start);
  const { patch } = architecture;
  const batch = batchFor(options, preset, images);
  const perEpoch = iterationsPerEpoch(images, batch);
  const usualEpochs = careful ? carefulEpochs : Math.max(preset.epochs, Math.ceil(fewestIterations / perEpoch));
  const epochs = options.epochs ?? usualEpochs;
  const iterations = options.iterations ?? epochs * perEpoch;
  const cap = (share: number, most: number): number => Math.max(1, Math.min(Math.round(share * iterations), most));
  const crops = cropsFor(options, preset, start, patch);
  const { globalSize, localSize } = crops;
  const low = options.lowResolutionFirst ?? 0;
  const trained = start.kind === "checkpoint" ? start.settings : null;
  const temperatures = temperaturesFor(options, images, start);
  // A fresh head on a trained backbone learns while the backbone waits; careful rates keep what the weights know.
  const rate = (options.learningRate ?? defaultRate(start, name)) * rateScale(batch);
  const settings: TrainingSettings = {
    architecture,
    head: headFor(options, preset, start, images),
    crops,
    colour: options.colour ?? "mild",
    batch,
    iterations,
    learningRate: rate,
    minimumLearningRate: Math.min(options.minimumLearningRate ?? 1e-6, rate),
    // 12,500, 37,500 and 1,250 iterations at most: lightly-train's caps, from the paper's runs on ImageNet.
    warmupIterations: options.warmup ?? cap(0.1, 12_500),
    weightDecay: options.weightDecay ?? (images <= 5000 ? [0.04, 0.04] : [0.04, 0.4]),
    teacherMomentum: options.teacherMomentum ?? trained?.teacherMomentum ?? momentumFor(images, careful),
    studentTemperature: options.studentTemperature ?? trained?.studentTemperature ?? 0.1,
    teacherTemperature: careful
      ? { start: temperatures.end, end: temperatures.end, warmup: 0 }
      : { ...temperatures, warmup: options.temperatureWarmup ?? cap(0.3, 37_500) },
    centreMomentum: options.centring === false ? null : (options.centreMomentum ?? trained?.centreMomentum ?? 0.9),
    clip: options.clip === undefined ? 3 : options.clip === 0 ? null : options.clip,
    freezeLastLayer: options.freezeLastLayer ?? (careful ? 0 : cap(0.05, 1250)),
    dropPath: options.dropPath ?? preset.dropPath,
    seed: options.seed ?? 0,
    ...(start.kind === "model" ? { freezeBackbone: options.freezeBackbone ?? cap(0.1, 1250) } : {}),
    ...(low > 0 && low < 1 ? { lowResolution: lowResolution(low, iterations, globalSize, localSize, patch) } : {}),
  };
  checkFit(options, start, settings);
  return { preset: name, settings };
}

function architectureFor(options: PretrainOptions, preset: Preset, start: StartShape): Architecture {
  const sizes = ["arch", "width", "depth", "heads", "patch"] as const;
  if (start.kind !== "random") {
    const given = sizes.find((size) => options[size] !== undefined);
    if (given === undefined) return start.architecture;
    throw invalid(
      `--${given} does not go with --start: the weights have their own size.`,
      "Leave it out, or start from random weights.",
    );
  }
  const named = options.arch === undefined ? preset : archSizes[options.arch];
  const width = options.width ?? named.width;
  // 64 features a head in the paper; narrow networks keep two heads at least.
  const usual = options.width === undefined ? named.heads : Math.max(2, Math.round(width / 64));
  const heads = options.heads ?? usual;
  if (width % heads !== 0) {
    throw invalid(
      `A width of ${width} does not divide into ${heads} heads.`,
      "Choose a width that is a multiple of --heads.",
    );
  }
  const patch = options.patch ?? preset.patch;
  const globalSize = options.globalSize ?? toPatches(preset.globalSize, patch);
  return {
    width,
    depth: options.depth ?? named.depth,
    heads,
    hidden: 4 * width,
    patch,
    grid: Math.max(1, Math.floor(globalSize / patch)),
    registers: 0,
    layerScale: false,
    positionOffset: 0.1,
    positionAntialias: false,
  };
}

/**
 * Crops as large as the start was trained with, or is used at, where nothing else is asked for: what a network knows at one
 * size it does not know at another, and a run's model is measured and used at the size of its global crops.
 */
function cropsFor(options: PretrainOptions, preset: Preset, start: StartShape, patch: number): CropSettings {
  const own = start.kind === "checkpoint" ? start.settings?.crops : undefined;
  const usual = own ?? preset;
  const globalSize = options.globalSize ?? usualSize(preset, start, patch);
  const split = options.cropSplit ?? own?.globalScale[0] ?? preset.split;
  const sourceSize = own?.globalSize === globalSize ? own.sourceSize : Math.ceil((1.5 * globalSize) / 16) * 16;
  return {
    globalSize,
    localSize: options.localSize ?? toPatches((globalSize * usual.localSize) / usual.globalSize, patch),
    localCount: options.crops ?? usual.localCount,
    globalScale: [split, 1],
    localScale: [0.05, split],
    sourceSize: options.sourceSize ?? sourceSize,
  };
}

function usualSize(preset: Preset, start: StartShape, patch: number): number {
  switch (start.kind) {
    case "random":
      return toPatches(preset.globalSize, patch);
    case "model":
      return affordable(start.imageSize, patch);
    case "checkpoint":
      return affordable(start.settings?.crops.globalSize ?? start.architecture.grid * patch, patch);
  }
}

/** A size in patches, and no larger than can be asked for. */
function affordable(size: number, patch: number): number {
  return Math.max(1, Math.floor(Math.min(size, optionRanges.globalSize.high) / patch)) * patch;
}

function headFor(options: PretrainOptions, preset: Preset, start: StartShape, images: number): HeadSettings {
  const { trainScales = false } = options;
  if (start.kind === "checkpoint") {
    return { ...start.head, fixedScale: start.head.fixedScale && !trainScales };
  }
  return {
    hidden: options.headHidden ?? preset.headHidden,
    bottleneck: options.bottleneck ?? preset.bottleneck,
    prototypes: options.prototypes ?? prototypesFor(images),
    fixedScale: !trainScales,
  };
}

function batchFor(options: PretrainOptions, preset: Preset, images: number): number {
  const { batch } = options;
  if (batch !== undefined && batch > images) {
    throw invalid(
      `A batch of ${batch} needs as many pictures; the library has ${images}.`,
      `Use --batch ${images} or less.`,
    );
  }
  // Enough iterations matter more than full batches: a small library gets eight an epoch at least, down to 16 pictures.
  let fitting = preset.batch;
  while (fitting > 16 && images / fitting < 8) fitting /= 2;
  return batch ?? Math.min(fitting, images);
}

/** More prototypes only help where there are pictures to tell them apart (lightly-train's table). */
function prototypesFor(images: number): number {
  const table = [
    [20_000, 1024],
    [50_000, 2048],
    [100_000, 4096],
    [200_000, 16_384],
    [500_000, 32_768],
  ] as const;
  return table.find(([below]) => images < below)?.[1] ?? 65_536;
}

function temperaturesFor(options: PretrainOptions, images: number, start: StartShape): { start: number; end: number } {
  const own = start.kind === "checkpoint" ? (start.settings?.teacherTemperature.end ?? 0.07) : undefined;
  const end = options.teacherTemperature ?? own ?? (images >= 200_000 ? 0.07 : 0.04);
  const first = images < 5000 ? 0.02 : images < 50_000 ? 0.03 : 0.04;
  return { start: options.teacherTemperatureStart ?? Math.min(first, end), end };
}

/** Few iterations want a teacher that follows sooner; one that starts from good weights must hardly move. */
function momentumFor(images: number, careful: boolean): number {
  if (careful) return 0.9995;
  return images <= 20_000 ? 0.99 : 0.996;
}

/**
 * For 256 pictures a batch. A full checkpoint moves a tenth as fast, a fresh head needs more than that. Runs of minutes
 * have no time for the paper's rate: twice that (facebookresearch/dino issue 246) got further, four times did not.
 */
function defaultRate({ kind }: StartShape, preset: PresetName): number {
  return { random: preset === "nano" ? 1e-3 : 5e-4, model: 1e-4, checkpoint: 5e-5 }[kind];
}

/**
 * Linear from 256 pictures on, as in the official code. Below, by the square root, as noise of gradients grows for Adam
 * (Malladi et al. 2022): with 16 pictures a linear rate would learn next to nothing.
 */
function rateScale(batch: number): number {
  return batch < 256 ? Math.sqrt(batch / 256) : batch / 256;
}

function lowResolution(
  share: number,
  iterations: number,
  globalSize: number,
  localSize: number,
  patch: number,
): NonNullable<TrainingSettings["lowResolution"]> {
  const smaller = (size: number): number => Math.max(patch, toPatches((2 * size) / 3, patch));
  return {
    iterations: Math.round(share * iterations),
    globalSize: smaller(globalSize),
    localSize: smaller(localSize),
  };
}

function toPatches(size: number, patch: number): number {
  return Math.max(1, Math.round(size / patch)) * patch;
}
