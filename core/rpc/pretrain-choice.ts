/** What a pretraining may be told. What is left out comes from a preset; ranges are checked where the reasons are known. */
import * as v from "valibot";
import { device, id, path } from "./schemas.ts";

const number = v.exactOptional(v.pipe(v.number(), v.finite()));

export const pretrainChoice = v.strictObject({
  device,
  preset: v.exactOptional(v.picklist(["nano", "tiny", "small", "full"])),
  arch: v.exactOptional(v.picklist(["nano", "vit-tiny", "vit-small", "vit-base"])),
  /** Random weights unless given. A checkpoint is a file of a full one, inside a root. */
  start: v.exactOptional(
    v.variant("kind", [
      v.strictObject({ kind: v.literal("random") }),
      v.strictObject({ kind: v.literal("model"), modelId: id }),
      v.strictObject({ kind: v.literal("checkpoint"), path }),
    ]),
  ),
  /** Time that it may take: iterations follow from the speed that is measured. */
  minutes: v.exactOptional(v.pipe(v.number(), v.minValue(0.01), v.maxValue(100_000))),
  colour: v.exactOptional(v.picklist(["official", "mild"])),
  trainScales: v.exactOptional(v.boolean()),
  /** Numbers of `PretrainOptions`, and how many pictures go through the network at a time. */
  ...{ epochs: number, iterations: number, batch: number, microBatch: number, seed: number },
  ...{ width: number, depth: number, heads: number, patch: number },
  ...{ globalSize: number, localSize: number, crops: number, cropSplit: number, sourceSize: number },
  ...{ prototypes: number, headHidden: number, bottleneck: number },
  ...{ learningRate: number, teacherMomentum: number, teacherTemperature: number, clip: number },
  ...{ teacherTemperatureStart: number, studentTemperature: number, centreMomentum: number },
  ...{ minimumLearningRate: number, warmup: number, temperatureWarmup: number },
  ...{ freezeLastLayer: number, freezeBackbone: number, dropPath: number, lowResolutionFirst: number },
});

export type PretrainParameters = v.InferInput<typeof pretrainChoice>;
