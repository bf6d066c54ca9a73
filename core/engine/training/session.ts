import type { WeightTensor } from "../../nn/architecture.ts";
import { initialHead } from "../../nn/dino/parameters.ts";
import { settingsAt } from "../../nn/dino/phases.ts";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { createRandom, deriveSeed } from "../../util/random.ts";
import { CoreError } from "../../util/errors.ts";
import { readFullCheckpoint } from "../../weights/full-checkpoint.ts";
import { readModelFile } from "../../weights/model-file.ts";
import { readTrainingFile, writeTrainingFile } from "../../weights/training-file.ts";
import { checkSettings } from "../../weights/training-settings.ts";
import type { EngineMethods, TrainingStart } from "../protocol.ts";
import { createLoader } from "./loader.ts";
import { measureMicroBatch } from "./memory.ts";
import { copiesFor } from "./pictures.ts";
import { probeTeacher } from "./probes.ts";
import { createTrainer, type StepMetrics, type Trainer, type TrainerState } from "./trainer.ts";

type Request<Method extends keyof EngineMethods> = EngineMethods[Method]["request"];
type Result<Method extends keyof EngineMethods> = EngineMethods[Method]["result"];

/** One training that goes on in the engine: a trainer, and a thread that prepares its batches. */
export interface TrainingSession {
  /** With the micro-batch that is in use. */
  readonly settings: TrainingSettings;
  readonly iteration: number;
  /** Takes iterations until `count` or the time is up, one at least; ends early where a step is not finite, or at `halt`. */
  steps(request: Request<"trainSteps">): Promise<Result<"trainSteps">>;
  /** Ends `steps` between two micro-batches; the iteration that it was at leaves no trace. */
  halt(): void;
  save(path: string): Promise<Result<"saveTraining">>;
  probe(request: Request<"probeTraining">): Promise<Result<"probeTraining">>;
  close(): Promise<void>;
}

/** Loads a training on a device. Throws what its start, its settings and the device throw. */
export async function createSession(
  { settings: asked, from, paths, cacheBytes }: Request<"startTraining">,
  runtime: Runtime,
): Promise<TrainingSession> {
  const checked = checkSettings(asked);
  const settings = {
    ...checked,
    copies: checked.copies ?? copiesFor(paths.length, checked.crops.sourceSize, cacheBytes),
  };
  if (paths.length < settings.batch) {
    throw new CoreError(
      "option-invalid",
      `A batch of ${settings.batch} needs as many pictures, found ${paths.length}.`,
    );
  }
  const size = settings.microBatch ?? (await measureMicroBatch(settings, runtime));
  let trainer = await phaseTrainer(settings, runtime, size, await startState(settings, from));
  let iteration = trainer.from;
  /** Of the steps that are taken now. */
  let halting = new AbortController();
  const loader = createLoader({ paths, settings, byteLimit: cacheBytes });

  const step = async (signal: AbortSignal): Promise<StepMetrics> => {
    // Where the resolution changes, the same tensors go on in a graph for other crops.
    if (settingsAt(settings, iteration) !== trainer.settings && settings.lowResolution?.iterations === iteration) {
      const { microBatch } = trainer.trainer;
      const state = await trainer.trainer.state();
      await trainer.trainer.release();
      trainer = await phaseTrainer(settings, runtime, microBatch, state);
    }
    const metrics = await trainer.trainer.step(await loader.batch(iteration), iteration, signal);
    if (metrics.finite) iteration++;
    return metrics;
  };

  const current = (): TrainingSettings => ({ ...settings, microBatch: trainer.trainer.microBatch });
  return {
    get settings() {
      return current();
    },
    get iteration() {
      return iteration;
    },
    steps: async ({ count, milliseconds }) => {
      const started = performance.now();
      halting = new AbortController();
      const metrics: Result<"trainSteps">["metrics"][number][] = [];
      while (metrics.length < count && iteration < settings.iterations) {
        const before = performance.now();
        const at = iteration;
        const taken = await step(halting.signal).catch((error: unknown) => {
          if (halting.signal.aborted) return null;
          throw error;
        });
        if (taken === null) break;
        const { finite, ...values } = taken;
        const now = performance.now();
        metrics.push({ iteration: at, ...values, milliseconds: now - before });
        if (!finite || now - started >= milliseconds) break;
      }
      const problems = [...loader.problems()].map(([index, problem]) => ({ index, problem }));
      return { iteration, microBatch: trainer.trainer.microBatch, metrics, problems };
    },
    halt: () => halting.abort(),
    save: async (path) => {
      const { tensors } = await trainer.trainer.state();
      return { iteration, ...(await writeTrainingFile(path, { settings: current(), iteration, tensors })) };
    },
    probe: async (request) => {
      const teacher = backboneOf("teacher", await trainer.trainer.state());
      return probeTeacher(settings, teacher, runtime, loader, request);
    },
    close: async () => {
      await loader.close();
      await trainer.trainer.release();
    },
  };
}

interface Phase {
  readonly trainer: Trainer;
  /** Those of the phase. */
  readonly settings: TrainingSettings;
  readonly from: number;
}

async function phaseTrainer(
  settings: TrainingSettings,
  runtime: Runtime,
  microBatch: number,
  state: TrainerState | undefined,
): Promise<Phase> {
  const from = state?.iteration ?? 0;
  const current = settingsAt(settings, from);
  const trainer = await createTrainer({ settings: current, runtime, state, microBatch, augmented: true });
  return { trainer, settings: current, from };
}

/** What a training begins with; undefined for random weights. */
async function startState(settings: TrainingSettings, from: TrainingStart): Promise<TrainerState | undefined> {
  switch (from.kind) {
    case "random":
      return undefined;
    case "run": {
      const { iteration, tensors } = await readTrainingFile(from.file);
      return { iteration, tensors };
    }
    case "checkpoint":
      return { iteration: 0, tensors: (await readFullCheckpoint(from.file)).tensors };
    case "model": {
      const { weights } = await readModelFile(from.file);
      const { head, architecture, seed } = settings;
      const fresh = initialHead(head, architecture.width, createRandom(deriveSeed(seed, 0x68656164)));
      const tensors = new Map<string, WeightTensor>();
      for (const part of ["student", "teacher"]) {
        for (const [name, tensor] of weights) tensors.set(`${part}.backbone.${name}`, tensor);
        for (const [name, tensor] of fresh) tensors.set(`${part}.${name}`, tensor);
      }
      return { iteration: 0, tensors };
    }
  }
}

/** A network's backbone under its own names. */
export function backboneOf(
  part: "student" | "teacher",
  { tensors }: Pick<TrainerState, "tensors">,
): Map<string, WeightTensor> {
  const prefix = `${part}.backbone.`;
  return new Map(
    [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
  );
}
