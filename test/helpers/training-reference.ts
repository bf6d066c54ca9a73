import type { TrainingSettings } from "../../core/nn/dino/settings.ts";
import type { WeightTensor } from "../../core/nn/architecture.ts";
import { referenceFile } from "./reference.ts";
import { readSafetensors } from "./safetensors.ts";

/** The official code's three training steps. */
export const figures = readSafetensors(referenceFile("training.safetensors"));

/** A number, or a list of one for each step, of the metadata. */
function setting<T = number>(name: string): T {
  return JSON.parse(figures.metadata[name] ?? "null") as T;
}

/** Epoch of each step. */
const epochs = setting<number[]>("epoch");

/** The reference's hyperparameters of each step. */
export const schedule = {
  learningRate: setting<number[]>("lr"),
  weightDecay: setting<number[]>("wd"),
  teacherMomentum: setting<number[]>("momentum"),
  teacherTemperature: epochs.map((epoch) => setting<number[]>("teacher_temp_schedule")[epoch] ?? NaN),
  losses: setting<number[]>("losses"),
  /** Whether the last layer stands still. */
  frozen: epochs.map((epoch) => epoch < setting("freeze_last_layer")),
};

export const stepCount = schedule.losses.length;

/** A tensor in float32. */
export function tensor(name: string): WeightTensor {
  const { shape, data } = figures.tensor(name);
  return { shape, data: Float32Array.from(data) };
}

const localCount = setting("local_crops");

/** Settings of the reference, all sizes read from the file; its schedules are not of our making (`schedule`). */
export const settings: TrainingSettings = {
  architecture: {
    width: setting("embed_dim"),
    depth: setting("depth"),
    heads: setting("num_heads"),
    hidden: setting("embed_dim") * setting("mlp_ratio"),
    patch: setting("patch_size"),
    grid: setting("img_size") / setting("patch_size"),
    registers: 0,
    layerScale: false,
    positionOffset: 0.1,
    positionAntialias: false,
  },
  head: {
    hidden: setting("hidden_dim"),
    bottleneck: setting("bottleneck_dim"),
    prototypes: setting("out_dim"),
    fixedScale: !figures.names.includes("step0.grad.head.last_layer.weight_g"),
  },
  crops: {
    globalSize: figures.tensor("step0.crop0").shape[2] ?? 0,
    localSize: figures.tensor(`step0.crop${localCount > 0 ? 2 : 0}`).shape[2] ?? 0,
    localCount,
    globalScale: [0.4, 1],
    localScale: [0.05, 0.4],
    sourceSize: setting("img_size"),
  },
  colour: "official",
  batch: setting("batch"),
  iterations: stepCount,
  learningRate: 0,
  minimumLearningRate: 0,
  warmupIterations: 0,
  weightDecay: [0, 0],
  teacherMomentum: 0,
  studentTemperature: setting("student_temp"),
  teacherTemperature: { start: 0, end: 0, warmup: 0 },
  centreMomentum: setting("center_momentum"),
  clip: setting("clip"),
  freezeLastLayer: schedule.frozen.filter(Boolean).length,
  dropPath: 0,
  seed: 0,
};

/** Settings whose schedules give the reference's values in one step. */
export function settingsOfStep(step: number): TrainingSettings {
  const at = (list: readonly number[]): number => list[step] ?? NaN;
  return {
    ...settings,
    // A schedule that is level, but for the momentum, which rises to 1 and is at its start only in iteration 0.
    learningRate: at(schedule.learningRate),
    minimumLearningRate: at(schedule.learningRate),
    weightDecay: [at(schedule.weightDecay), at(schedule.weightDecay)],
    teacherMomentum: at(schedule.teacherMomentum),
    teacherTemperature: { start: 0, end: at(schedule.teacherTemperature), warmup: 0 },
    iterations: 1e9,
  };
}

/** The crops of a step as the graph takes them: `global` and `local`, view-major. */
export function cropFeeds(step: number): Record<string, WeightTensor> {
  const stack = (from: number, to: number): WeightTensor => {
    const crops = Array.from({ length: to - from }, (_, i) => tensor(`step${step}.crop${from + i}`));
    const [, ...rest] = crops[0]?.shape ?? [];
    return {
      shape: [crops.reduce((total, { shape }) => total + (shape[0] ?? 0), 0), ...rest],
      data: Float32Array.from(crops.flatMap(({ data }) => [...data])),
    };
  };
  return { global: stack(0, 2), ...(localCount > 0 ? { local: stack(2, 2 + localCount) } : {}) };
}

/** The initial network; student and teacher are alike. */
export function initialState(): Map<string, WeightTensor> {
  const prefix = "init.student.";
  const names = figures.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return new Map(
    ["student", "teacher"].flatMap((kind) => names.map((name) => [`${kind}.${name}`, tensor(prefix + name)] as const)),
  );
}
