import type { LinearWarmup, TrainingSettings } from "../nn/dino/settings.ts";
import { CoreError } from "../util/errors.ts";
import { checkArchitecture } from "./verify.ts";

type Fields = Readonly<Record<string, unknown>>;

const invalid = (what: string): CoreError =>
  new CoreError("training-settings-invalid", `These are no settings of a pretraining: ${what}.`, {
    hint: "The checkpoint or the library was changed by another program, or comes from a newer Dinoscope.",
  });

/**
 * Settings from JSON data of a library or a checkpoint, every number within bounds that keep memory and time finite.
 * Throws `training-settings-invalid` and `architecture-invalid`.
 */
export function checkSettings(data: unknown): TrainingSettings {
  const all = fieldsOf("the whole", data);
  const head = fieldsOf("head", all["head"]);
  const crops = fieldsOf("crops", all["crops"]);
  const colour = all["colour"];
  if (colour !== "official" && colour !== "mild") throw invalid(`colour is ${JSON.stringify(colour)}`);
  const fixedScale = head["fixedScale"];
  if (typeof fixedScale !== "boolean") throw invalid("head.fixedScale should be true or false");
  const nullable = (name: string, low: number, high: number): number | null =>
    all[name] === null ? null : numberOf(all, name, low, high);
  const settings: TrainingSettings = {
    architecture: checkArchitecture(all["architecture"]),
    head: {
      hidden: wholeOf(head, "hidden", 1, 8192),
      bottleneck: wholeOf(head, "bottleneck", 1, 2048),
      prototypes: wholeOf(head, "prototypes", 2, 2 ** 20),
      fixedScale,
    },
    crops: {
      globalSize: wholeOf(crops, "globalSize", 1, 1024),
      localSize: wholeOf(crops, "localSize", 1, 1024),
      localCount: wholeOf(crops, "localCount", 0, 64),
      globalScale: pairOf(crops, "globalScale", 0, 1),
      localScale: pairOf(crops, "localScale", 0, 1),
      sourceSize: wholeOf(crops, "sourceSize", 1, 2048),
    },
    colour,
    batch: wholeOf(all, "batch", 1, 65_536),
    ...(all["microBatch"] === undefined ? {} : { microBatch: wholeOf(all, "microBatch", 1, 65_536) }),
    ...(all["copies"] === "raw" || all["copies"] === "jpeg" ? { copies: all["copies"] } : {}),
    iterations: wholeOf(all, "iterations", 1, 2 ** 31),
    learningRate: numberOf(all, "learningRate", 0, 10),
    minimumLearningRate: numberOf(all, "minimumLearningRate", 0, 10),
    warmupIterations: wholeOf(all, "warmupIterations", 0, 2 ** 31),
    weightDecay: pairOf(all, "weightDecay", 0, 10),
    teacherMomentum: numberOf(all, "teacherMomentum", 0, 1),
    studentTemperature: numberOf(all, "studentTemperature", 1e-3, 10),
    teacherTemperature: warmupOf(fieldsOf("teacherTemperature", all["teacherTemperature"])),
    centreMomentum: nullable("centreMomentum", 0, 1),
    clip: nullable("clip", 0, 1e6),
    freezeLastLayer: wholeOf(all, "freezeLastLayer", 0, 2 ** 31),
    dropPath: numberOf(all, "dropPath", 0, 0.9),
    seed: wholeOf(all, "seed", 0, 2 ** 32 - 1),
    ...(all["freezeBackbone"] === undefined ? {} : { freezeBackbone: wholeOf(all, "freezeBackbone", 0, 2 ** 31) }),
    ...(all["lowResolution"] === undefined
      ? {}
      : { lowResolution: lowOf(fieldsOf("lowResolution", all["lowResolution"])) }),
  };
  const { patch } = settings.architecture;
  const { lowResolution, crops: sizes, batch, microBatch = batch } = settings;
  if (batch % microBatch !== 0) throw invalid(`a micro-batch of ${microBatch} does not divide the batch of ${batch}`);
  const sides = [sizes.globalSize, sizes.localSize, lowResolution?.globalSize, lowResolution?.localSize];
  for (const side of sides) {
    if (side !== undefined && side % patch !== 0)
      throw invalid(`crops of ${side} px do not divide into patches of ${patch}`);
  }
  return settings;
}

function lowOf(fields: Fields): NonNullable<TrainingSettings["lowResolution"]> {
  return {
    iterations: wholeOf(fields, "iterations", 0, 2 ** 31),
    globalSize: wholeOf(fields, "globalSize", 1, 1024),
    localSize: wholeOf(fields, "localSize", 1, 1024),
  };
}

function warmupOf(fields: Fields): LinearWarmup {
  return {
    start: numberOf(fields, "start", 1e-3, 10),
    end: numberOf(fields, "end", 1e-3, 10),
    warmup: wholeOf(fields, "warmup", 0, 2 ** 31),
  };
}

function fieldsOf(name: string, value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${name} should be an object`);
  return value as Fields;
}

function numberOf(fields: Fields, name: string, low: number, high: number): number {
  const value = fields[name];
  if (typeof value !== "number" || !(value >= low && value <= high)) {
    throw invalid(`${name} is ${JSON.stringify(value)}, expected a number from ${low} to ${high}`);
  }
  return value;
}

function wholeOf(fields: Fields, name: string, low: number, high: number): number {
  const value = numberOf(fields, name, low, high);
  if (!Number.isInteger(value)) throw invalid(`${name} is ${value}, expected a whole number`);
  return value;
}

function pairOf(fields: Fields, name: string, low: number, high: number): [number, number] {
  const list = fields[name];
  if (!Array.isArray(list) || list.length !== 2) throw invalid(`${name} should be a pair`);
  const pair = { first: list[0] as unknown, second: list[1] as unknown };
  return [numberOf(pair, "first", low, high), numberOf(pair, "second", low, high)];
}
