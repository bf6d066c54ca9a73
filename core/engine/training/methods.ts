/** The engine's calls about pretraining; see protocol.ts. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { withGrid } from "../../nn/position.ts";
import { CoreError } from "../../util/errors.ts";
import { readFullCheckpoint, writeFullCheckpoint } from "../../weights/full-checkpoint.ts";
import { writeModelFile } from "../../weights/model-file.ts";
import { readTrainingFile } from "../../weights/training-file.ts";
import type { Devices } from "../devices.ts";
import { describeModel } from "../models.ts";
import type { EngineMethod, EngineMethods } from "../protocol.ts";
import { backboneOf, createSession, type TrainingSession } from "./session.ts";

type Calls = {
  readonly [Method in EngineMethod]: (
    request: EngineMethods[Method]["request"],
  ) => Promise<EngineMethods[Method]["result"]>;
};

/** Pretraining: sessions by name, each with its own trainer. */
export function createTraining(
  devices: Devices,
): Pick<
  Calls,
  | "startTraining"
  | "trainSteps"
  | "haltTraining"
  | "saveTraining"
  | "probeTraining"
  | "endTraining"
  | "describeStart"
  | "makeTrainedModel"
  | "exportCheckpoint"
> {
  const sessions = new Map<string, TrainingSession>();
  const named = (training: string): TrainingSession => {
    const session = sessions.get(training);
    if (session !== undefined) return session;
    throw new CoreError("training-missing", `The engine holds no training ${training}.`);
  };
  return {
    startTraining: async (request) => {
      await sessions.get(request.training)?.close();
      sessions.delete(request.training);
      const runtime = await devices.runtime(request.device);
      const session = await createSession(request, runtime);
      sessions.set(request.training, session);
      const { settings, iteration } = session;
      return { settings, iteration, device: runtime.device };
    },
    trainSteps: async (request) => named(request.training).steps(request),
    haltTraining: ({ training }) => {
      sessions.get(training)?.halt();
      return Promise.resolve(null);
    },
    saveTraining: async ({ training, path }) => {
      await mkdir(dirname(path), { recursive: true });
      return named(training).save(path);
    },
    probeTraining: async (request) => named(request.training).probe(request),
    endTraining: async ({ training }) => {
      const session = sessions.get(training);
      sessions.delete(training);
      await session?.close();
      return null;
    },
    describeStart: async ({ file }) => {
      const { architecture, head, settings } = await readFullCheckpoint(file);
      return { architecture, head, settings };
    },
    makeTrainedModel: async ({ checkpoint, destination, notes }) => {
      const { settings, iteration, tensors } = await readTrainingFile(checkpoint, (name) =>
        name.startsWith("teacher.backbone."),
      );
      const provenance = {
        ...{ source: "pretraining", format: "pretraining", sourceHash: null },
        notes: { ...notes, iterations: iteration },
      };
      const file = `${destination}.safetensors`;
      await mkdir(dirname(file), { recursive: true });
      // A start may have positions for another size: the model is used at the one that it was trained and measured at.
      const grid = settings.crops.globalSize / settings.architecture.patch;
      const { architecture, weights } = withGrid(settings.architecture, backboneOf("teacher", { tensors }), grid);
      const { hash } = await writeModelFile(file, architecture, weights, provenance);
      return { file, ...describeModel(architecture, hash, provenance) };
    },
    exportCheckpoint: async ({ checkpoint, destination, notes }) => {
      const { settings, iteration, tensors } = await readTrainingFile(
        checkpoint,
        (name) => !/^(first|second)\./.test(name),
      );
      await mkdir(dirname(destination), { recursive: true });
      await writeFullCheckpoint(destination, tensors, settings, { ...notes, iterations: iteration });
      return null;
    },
  };
}
