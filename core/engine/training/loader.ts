import { Worker } from "node:worker_threads";
import type { TrainingSettings } from "../../nn/dino/settings.ts";
import { CoreError, errorFromRecord, type ErrorRecord } from "../../util/errors.ts";
import type { TrainingBatch } from "./types.ts";

/** Square copies of some pictures. */
export interface Squares {
  /** [pictures, 3, sourceSize, sourceSize] in 0..255; zeros for a picture that cannot be read. */
  readonly pictures: Float32Array;
  /** Width over height; null for a picture that cannot be read. */
  readonly aspects: readonly (number | null)[];
}

/** What the thread is given. */
export interface LoaderData {
  readonly paths: readonly string[];
  readonly settings: TrainingSettings;
  /** Memory for square copies. */
  readonly byteLimit: number;
}

export interface LoaderRequest {
  readonly id: number;
  readonly kind: "batch" | "squares";
  readonly iteration: number;
  readonly indices: readonly number[];
}

export interface LoaderAnswer {
  readonly id: number;
  readonly result?: TrainingBatch | Squares;
  readonly error?: ErrorRecord;
  readonly problems: readonly (readonly [number, ErrorRecord])[];
}

/** Prepares batches in a thread of its own, some iterations ahead. */
export interface Loader {
  /** The batch of an iteration, by which the next ones begin to be prepared. */
  batch(iteration: number): Promise<TrainingBatch>;
  squares(indices: readonly number[]): Promise<Squares>;
  /** Pictures that could not be read so far, by index. */
  problems(): ReadonlyMap<number, ErrorRecord>;
  close(): Promise<void>;
}

/** Batches that are prepared or waiting beside the one in use. */
const ahead = 2;

/** Starts the thread. */
export function createLoader(data: LoaderData): Loader {
  const worker = new Worker(new URL("./loader-thread.ts", import.meta.url), { workerData: data });
  const pending = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  const batches = new Map<number, Promise<TrainingBatch>>();
  let problems: ReadonlyMap<number, ErrorRecord> = new Map();
  let nextId = 1;
  let ended: Error | undefined;
  const fail = (error: Error): void => {
    ended = error;
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  };
  worker.on("message", (answer: LoaderAnswer) => {
    problems = new Map(answer.problems);
    const call = pending.get(answer.id);
    pending.delete(answer.id);
    if (answer.error === undefined) call?.resolve(answer.result as never);
    else call?.reject(errorFromRecord(answer.error));
  });
  worker.on("error", fail);
  worker.on("exit", () => fail(new CoreError("training-ended", "The thread that prepares pictures has ended.")));

  const ask = <Result>(request: Omit<LoaderRequest, "id">): Promise<Result> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) throw ended;
      const id = nextId++;
      pending.set(id, { resolve, reject });
      worker.postMessage({ id, ...request } satisfies LoaderRequest);
    });
  const prepare = (iteration: number): Promise<TrainingBatch> => {
    const known = batches.get(iteration) ?? ask<TrainingBatch>({ kind: "batch", iteration, indices: [] });
    // A batch that nobody waits for yet may fail: whoever asks for it hears of it.
    known.catch(() => {});
    batches.set(iteration, known);
    return known;
  };
  return {
    batch: (iteration) => {
      for (const key of batches.keys()) if (key < iteration || key > iteration + ahead) batches.delete(key);
      const wanted = prepare(iteration);
      for (let i = 1; i <= ahead; i++) prepare(iteration + i).catch(() => {});
      batches.delete(iteration);
      return wanted;
    },
    squares: (indices) => ask({ kind: "squares", iteration: 0, indices }),
    problems: () => problems,
    close: async () => {
      worker.off("error", fail);
      await worker.terminate();
    },
  };
}
