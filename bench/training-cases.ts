/** The steps that bench/train.ts and bench/train-device.ts take. */
import { namedArchitecture, type ArchitectureName } from "../core/nn/architecture.ts";
import type { TrainingSettings } from "../core/nn/dino/settings.ts";
import { multiplyAdds } from "../core/nn/embedding-graph.ts";

export const trainingCases: Readonly<
  Record<string, { arch: ArchitectureName; globalSize: number; localSize: number }>
> = {
  "vit-tiny-224": { arch: "vit-tiny", globalSize: 224, localSize: 96 },
  "vit-small-224": { arch: "vit-small", globalSize: 224, localSize: 96 },
  "vit-tiny-128": { arch: "vit-tiny", globalSize: 128, localSize: 64 },
};

/** Two global and six local crops from copies of 256 px, the full head, 4,096 prototypes. */
export function caseSettings(name: string, batch: number): TrainingSettings {
  const found = trainingCases[name];
  if (found === undefined)
    throw new Error(`There is no case ${name}; there are ${Object.keys(trainingCases).join(", ")}.`);
  return {
    architecture: namedArchitecture(found.arch, 16, found.globalSize),
    head: { hidden: 2048, bottleneck: 256, prototypes: 4096, fixedScale: true },
    crops: {
      globalSize: found.globalSize,
      localSize: found.localSize,
      localCount: 6,
      globalScale: [0.4, 1],
      localScale: [0.05, 0.4],
      sourceSize: 256,
    },
    colour: "official",
    batch,
    iterations: 1000,
    learningRate: 1e-4,
    minimumLearningRate: 1e-6,
    warmupIterations: 0,
    weightDecay: [0.04, 0.4],
    teacherMomentum: 0.996,
    studentTemperature: 0.1,
    teacherTemperature: { start: 0.04, end: 0.04, warmup: 0 },
    centreMomentum: 0.9,
    clip: 3,
    freezeLastLayer: 0,
    dropPath: 0,
    seed: 1,
  };
}

/** Two a multiply-add: the teacher's forward on global views, and three times the student's on all (dino.md's count). */
export function trainingFlops({ architecture, head, crops, batch }: TrainingSettings): number {
  const headAdds =
    architecture.width * head.hidden + head.hidden ** 2 + head.bottleneck * (head.hidden + head.prototypes);
  const view = (size: number): number => multiplyAdds(architecture, size, size) + headAdds;
  return 2 * batch * (2 * view(crops.globalSize) * 4 + crops.localCount * view(crops.localSize) * 3);
}
