import { createGraph } from "../graph/graph.ts";
import { gelu } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linear.ts";
import { topK } from "../graph/ops/reduce.ts";
import { input } from "../graph/value.ts";
import { CoreError, errorRecord } from "../util/errors.ts";
import { floats, keepCopies, type Runtime } from "./runtime.ts";
import type { Tfjs } from "./tfjs-kernels.ts";
import { loadTfjsProgram } from "./tfjs-program.ts";

/** tfjs' backends, fastest first. `tensorflow` is tfjs-node, which nobody has unless they installed it themselves. */
export type TfjsBackend = "tensorflow" | "wasm" | "cpu";

const backendPackages: Record<TfjsBackend, string> = {
  tensorflow: "@tensorflow/tfjs-node",
  wasm: "@tensorflow/tfjs-backend-wasm",
  cpu: "@tensorflow/tfjs-backend-cpu",
};

/** A backend that was tried and not taken, and why, in a sentence. */
export interface TfjsRefusal {
  readonly backend: TfjsBackend;
  readonly reason: string;
}

export interface TfjsChoice {
  readonly runtime: Runtime;
  readonly backend: TfjsBackend;
  readonly refused: readonly TfjsRefusal[];
}

/**
 * TensorFlow.js on the first backend that works, or on `backend`: the second opinion on what onnxruntime computes. Runs
 * block the thread. Throws `device-refused` when tfjs or every backend tried is missing or broken.
 */
export async function createTfjsRuntime(backend?: TfjsBackend): Promise<TfjsChoice> {
  const tf = await importCore();
  const refused: TfjsRefusal[] = [];
  for (const candidate of backend === undefined ? (["tensorflow", "wasm", "cpu"] as const) : [backend]) {
    try {
      const load: Runtime["load"] = (source) => loadTfjsProgram(tf, candidate, source);
      const loadKeeping: Runtime["loadKeeping"] = async (source, kept) => keepCopies(await load(source), kept);
      const runtime: Runtime = { device: "tfjs", load, loadKeeping };
      await keepingListeners(async () => {
        await importPackage(backendPackages[candidate]);
        await probe(runtime);
      });
      return { runtime, backend: candidate, refused };
    } catch (error) {
      refused.push({ backend: candidate, reason: errorRecord(error).message });
    }
  }
  throw new CoreError(
    "device-refused",
    `No backend of TensorFlow.js works here. ${refused.map(({ backend: name, reason }) => `${name}: ${reason}`).join(" ")}`,
    { hint: `Install one with: npm install ${backendPackages[backend ?? "wasm"]}` },
  );
}

async function importCore(): Promise<Tfjs> {
  const tf = (await importPackage("@tensorflow/tfjs-core")) as Tfjs;
  // Otherwise it tells everyone on standard error to install tfjs-node.
  tf.enableProdMode();
  return tf;
}

async function importPackage(name: string): Promise<unknown> {
  try {
    return (await import(name)) as unknown;
  } catch (cause) {
    const { code, message } = errorRecord(cause);
    // A package of its own that is missing is also "not found", but names another one.
    const missing = code === "err-module-not-found" && message.includes(`'${name}'`);
    const sentence = missing
      ? `${name} is not installed.`
      : `${name} is installed but does not load: ${message.split("\n")[0] ?? message}`;
    throw new CoreError("device-refused", sentence, { cause });
  }
}

/**
 * Undoes what `start` hooks into the process: the wasm backend's start-up code rethrows uncaught errors and unhandled
 * rejections for good, and what becomes of those is for the process's owner to say.
 */
async function keepingListeners(start: () => Promise<void>): Promise<void> {
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const before = events.map((event) => process.rawListeners(event));
  try {
    await start();
  } finally {
    events.forEach((event, i) => {
      for (const listener of process.rawListeners(event)) {
        if (!before[i]?.includes(listener)) process.removeListener(event, listener as () => void);
      }
    });
  }
}

/** Runs a small graph: tfjs-node 4.22 loads on Node 23 and later, and fails in its first operator. */
async function probe(runtime: Runtime): Promise<void> {
  const x = input("x", [2, 2]);
  const [values, positions] = topK(gelu(matMul(x, x)), 1);
  const program = await runtime.load(createGraph("probe", { values, positions }));
  try {
    const result = await program.run({ x: floats(Float32Array.of(1, 2, 3, 4), [2, 2]) });
    // [[7, 10], [15, 22]], which GELU leaves as it is to all digits of a float32.
    if (result["values"]?.data.join() !== "10,22" || result["positions"]?.data.join() !== "1,1") {
      throw new CoreError("device-refused", "It computes wrong numbers.");
    }
  } finally {
    await program.release();
  }
}
