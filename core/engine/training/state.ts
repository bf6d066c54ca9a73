import type { WeightTensor, Weights } from "../../nn/architecture.ts";
import { initialNetwork, lastLayer, networkShapes, trainedShapes } from "../../nn/dino/parameters.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { stateNames, stateShapes } from "../../nn/dino/step.ts";
import { floats } from "../../runtime/runtime.ts";
import { CoreError } from "../../util/errors.ts";
import type { GivenTensors, HeldTensors } from "./programs.ts";
import type { TrainerState } from "./types.ts";

/** The tensors that a training starts from, in arrays of their own. Throws `training-state` for one that is missing or has another shape. */
export function initialTensors(settings: TrainingSettings, state: TrainerState | undefined): GivenTensors {
  const given = state?.tensors ?? freshTensors(initialNetwork(settings));
  if (settings.head.fixedScale) checkFixedScales(given);
  const tensors = new Map<string, ReturnType<typeof floats>>();
  for (const [name, shape] of stateShapes(settings)) {
    const tensor = given.get(name) ?? zerosFor(name, shape);
    if (tensor === undefined || tensor.shape.join() !== shape.join()) {
      throw new CoreError(
        "training-state",
        `Training wants ${name} of shape [${shape.join()}], found ${tensor === undefined ? "none" : `[${tensor.shape.join()}]`}.`,
        { hint: "A run goes on only with the architecture, head and crop sizes that it was started with." },
      );
    }
    tensors.set(name, floats(state === undefined ? tensor.data : Float32Array.from(tensor.data), shape));
  }
  return tensors;
}

/** A student and, as its copy, a teacher. */
function freshTensors(network: Weights): Map<string, WeightTensor> {
  const tensors = new Map<string, WeightTensor>();
  for (const [name, tensor] of network) {
    tensors.set(stateNames.student(name), tensor);
    tensors.set(stateNames.teacher(name), { ...tensor, data: tensor.data.slice() });
  }
  return tensors;
}

/** What may be missing starts at 0: moments and the centre. */
function zerosFor(name: string, shape: readonly number[]): WeightTensor | undefined {
  const optional = name === stateNames.centre || /^(first|second)\./.test(name);
  return optional ? { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) } : undefined;
}

function checkFixedScales(tensors: ReadonlyMap<string, WeightTensor>): void {
  for (const kind of ["student", "teacher"] as const) {
    const scales = tensors.get(stateNames[kind](lastLayer.scales));
    if (scales?.data.some((scale) => Math.abs(scale - 1) > 1e-5) === true) {
      throw new CoreError(
        "training-state",
        `The ${kind}'s prototypes have scales other than 1, which settings with fixed scales would lose.`,
        { hint: "Train with free scales, as the checkpoint was." },
      );
    }
  }
}

/** Copies of the tensors, with the names and the scales that a checkpoint of the official code has. */
export async function copiedState(
  settings: TrainingSettings,
  iteration: number,
  held: HeldTensors,
): Promise<TrainerState> {
  const tensors = new Map<string, WeightTensor>();
  const { prototypes, fixedScale } = settings.head;
  for (const kind of ["student", "teacher"] as const) {
    for (const name of networkShapes(settings).keys()) {
      tensors.set(
        stateNames[kind](name),
        fixedScale && name === lastLayer.scales
          ? { shape: [prototypes, 1], data: new Float32Array(prototypes).fill(1) }
          : await copyOf(held, stateNames[kind](name)),
      );
    }
  }
  for (const kind of ["first", "second"] as const) {
    for (const name of trainedShapes(settings).keys()) {
      tensors.set(stateNames[kind](name), await copyOf(held, stateNames[kind](name)));
    }
  }
  tensors.set(
    stateNames.centre,
    settings.centreMomentum === null
      ? { shape: [1, prototypes], data: new Float32Array(prototypes) }
      : await copyOf(held, stateNames.centre),
  );
  return { iteration, tensors };
}

async function copyOf(held: HeldTensors, name: string): Promise<WeightTensor> {
  const tensor = held.get(name);
  if (tensor === undefined) throw new CoreError("internal", `A training holds no ${name}.`);
  const { shape, data } = await tensor.read();
  return { shape, data: data as Float32Array };
}
