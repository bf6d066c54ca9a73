import { InferenceSession, Tensor, listSupportedBackends } from "onnxruntime-node";
import { encodeOnnx } from "../graph/onnx.ts";
import { createGraph } from "../graph/graph.ts";
import { multiply } from "../graph/ops/elementwise.ts";
import { input, scalar } from "../graph/value.ts";
import { CoreError } from "../util/errors.ts";
import {
  isKept,
  type DeviceName,
  type KeepingProgram,
  type KeptTensor,
  type Program,
  type ProgramSource,
  type Runtime,
  type TensorData,
} from "./runtime.ts";

// Since 1.30 onnxruntime carries Microsoft's telemetry on Linux and macOS too: unless this is set before the first session,
// it keeps a device id and a database of sessions and devices in the user's cache folder, leaves files where temporary
// ones go, and sends what it gathered to mobile.events.data.microsoft.com. Nothing leaves the machine from here.
process.env["ORT_DISABLE_TELEMETRY"] = "1";

/** Devices that onnxruntime can run on. */
export type OrtDevice = Exclude<DeviceName, "tfjs">;

/** onnxruntime's own names for them. */
const providers: Record<OrtDevice, string> = {
  cuda: "cuda",
  webgpu: "webgpu",
  directml: "dml",
  coreml: "coreml",
  cpu: "cpu",
};

export interface OrtOptions {
  /** Threads inside an operator on the CPU; onnxruntime's default is one per core. */
  readonly threads?: number;
  /** Whether nodes that the device lacks may run on the CPU; false makes loading fail instead. */
  readonly allowFallback?: boolean;
}

/** Whether onnxruntime's build for this platform knows the device at all. */
export function ortKnows(device: OrtDevice): boolean {
  return listSupportedBackends().some(({ name }) => name === providers[device]);
}

/** onnxruntime on one device. Whether the device works shows when a program is loaded (`device-refused`). */
export function createOrtRuntime(device: OrtDevice, options: OrtOptions = {}): Runtime {
  return {
    device,
    load: (source) => loadProgram(device, source, options),
    loadKeeping: (source, kept) => loadKeepingProgram(device, source, kept, options),
  };
}

async function loadProgram(device: OrtDevice, source: ProgramSource, options: OrtOptions): Promise<Program> {
  const bytes = source instanceof Uint8Array ? source : encodeOnnx(source);
  const session = await createSession(bytes, device, options);
  return {
    run: async (inputs) => {
      const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, toOrt(tensor)]));
      const results = await runSession(session, feeds);
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromOrt(name, tensor)]));
    },
    release: () => session.release(),
  };
}

/** The tensors behind kept ones. */
const keptTensors = new WeakMap<KeptTensor, Tensor>();

/**
 * On WebGPU kept outputs stay in the card's buffers. Elsewhere they are plain arrays, which onnxruntime reads and writes
 * where they are: what is replaced is written over, so that a training has its weights and moments once and makes no garbage.
 */
async function loadKeepingProgram(
  device: OrtDevice,
  source: ProgramSource,
  kept: readonly string[],
  options: OrtOptions,
): Promise<KeepingProgram> {
  const bytes = source instanceof Uint8Array ? source : encodeOnnx(source);
  const session = await createSession(bytes, device, options, kept);
  const reader = cardReader(device, options);
  const keep = (tensor: Tensor): KeptTensor => {
    const result: KeptTensor = {
      shape: tensor.dims,
      read: async () => ({ element: "float32", shape: tensor.dims, data: await reader.read(tensor) }),
      release: () => {
        keptTensors.delete(result);
        if (tensor.location !== "cpu") tensor.dispose();
      },
    };
    keptTensors.set(result, tensor);
    return result;
  };
  return {
    adopt: (tensor) => keep(toOrt(tensor)),
    run: async (inputs, into) => {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, tensor]) => [name, isKept(tensor) ? tensorOf(name, tensor) : toOrt(tensor)]),
      );
      const places = new Map<string, Tensor>();
      if (device !== "webgpu") {
        for (const [name, place] of Object.entries(into)) places.set(name, tensorOf(name, place));
      }
      const fetches = session.outputNames.map((name): [string, Tensor | null] => [name, places.get(name) ?? null]);
      const results = Object.entries(await runSession(session, feeds, Object.fromEntries(fetches)));
      for (const replaced of Object.values(into)) replaced.release();
      const outputs: Record<string, TensorData> = {};
      const staying: Record<string, KeptTensor> = {};
      for (const [name, tensor] of results) {
        const place = places.get(name);
        if (place !== undefined) {
          // The binding gives a copy of what was written into the place: freed at once, as it is as large as the weights.
          (tensor.data as Float32Array<ArrayBuffer>).buffer.transfer(0);
          staying[name] = keep(place);
        } else if (kept.includes(name)) staying[name] = keep(tensor);
        else outputs[name] = fromOrt(name, tensor);
      }
      return { outputs, kept: staying };
    },
    release: async () => {
      await reader.release();
      await session.release();
    },
  };
}

/**
 * Copies tensors out of a card's buffers. The binding of onnxruntime-node 1.30 ends the process when such a tensor is asked
 * for its values, so they are read as the output of a graph that multiplies by 1, one for each number of dimensions.
 */
function cardReader(
  device: OrtDevice,
  options: OrtOptions,
): { read(tensor: Tensor): Promise<Float32Array>; release(): Promise<void> } {
  const sessions = new Map<number, Promise<InferenceSession>>();
  const load = (rank: number): Promise<InferenceSession> => {
    const x = input(
      "x",
      Array.from({ length: rank }, (_, i) => `size${i}`),
    );
    return createSession(encodeOnnx(createGraph("read", { y: multiply(x, scalar(1)) })), device, options);
  };
  return {
    read: async (tensor) => {
      // Off a card everything is; on one, what was adopted and not computed yet.
      if (tensor.location === "cpu") return Float32Array.from(tensor.data as Float32Array);
      const session = sessions.get(tensor.dims.length) ?? load(tensor.dims.length);
      sessions.set(tensor.dims.length, session);
      const { y } = await (await session).run({ x: tensor });
      return (y as Tensor).data as Float32Array;
    },
    release: async () => {
      for (const session of sessions.values()) await (await session).release();
    },
  };
}

/** What devices say that have no memory left: the CPU without and with an arena, CUDA as the latter, DirectML, WebGPU. */
const outOfMemory = /bad[ _]alloc|Failed to allocate memory|out of memory|OutOfMemory|E_OUTOFMEMORY/i;

/** Runs a session. Throws `device-memory` where the device has no room for what there is to compute. */
async function runSession(
  session: InferenceSession,
  feeds: InferenceSession.FeedsType,
  fetches?: InferenceSession.FetchesType,
): Promise<InferenceSession.ReturnType> {
  try {
    return await (fetches === undefined ? session.run(feeds) : session.run(feeds, fetches));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!outOfMemory.test(message)) throw cause;
    throw new CoreError("device-memory", "The device has no memory left for what it was to compute.", {
      hint: "Close other programs, or use smaller pictures, batches or networks.",
      cause,
    });
  }
}

function tensorOf(name: string, kept: KeptTensor): Tensor {
  const tensor = keptTensors.get(kept);
  if (tensor === undefined) {
    throw new CoreError("runtime-released", `${name} was released, or is of another runtime.`);
  }
  return tensor;
}

async function createSession(
  bytes: Uint8Array<ArrayBuffer>,
  device: OrtDevice,
  options: OrtOptions,
  kept: readonly string[] = [],
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: [providers[device]],
      // Warnings go to standard error and would only frighten; errors are thrown anyway.
      logSeverityLevel: 4,
      ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
      // A training's activations come and go in sizes that onnxruntime's arena fits badly: it takes a sixth more memory at
      // its peak, keeps it between runs, and is hardly faster. The pattern of a run would hold a second copy of it all.
      ...(kept.length > 0 ? { enableCpuMemArena: false, enableMemPattern: false } : {}),
      ...(device === "webgpu" && kept.length > 0
        ? { preferredOutputLocation: Object.fromEntries(kept.map((name) => [name, "gpu-buffer" as const])) }
        : {}),
      extra: {
        session: {
          // Threads that wait by spinning keep the decoder, and whatever else the user runs, off their cores: on a busy
          // machine that costs two thirds of the speed, and on an idle one it gains nothing that bench/embed.ts shows.
          intra_op: { allow_spinning: "0" },
          disable_cpu_ep_fallback: device !== "cpu" && options.allowFallback === false ? "1" : "0",
        },
      },
    });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CoreError("device-refused", explainRefusal(device, message), {
      ...(device === "cpu" ? {} : { hint: "`dinoscope doctor` tests every device; `--device cpu` always works." }),
      cause,
    });
  }
}

/** Why a device is out, in plain words: onnxruntime's own sentence says it to programmers. */
function explainRefusal(device: OrtDevice, message: string): string {
  if (device === "cuda" && message.includes("Failed to load shared library")) {
    return "The CUDA libraries are not installed. They are needed for NVIDIA cards on Linux: onnxruntime's CUDA provider, CUDA 12 and cuDNN 9.";
  }
  if (device === "webgpu" && message.includes("Failed to get a WebGPU adapter")) {
    return "No graphics driver answered. WebGPU needs a Vulkan driver on Linux; check that `vulkaninfo` lists your card.";
  }
  return `onnxruntime could not load the graph on ${device}: ${message.split("\n")[0] ?? message}`;
}

function toOrt({ element, data, shape }: TensorData): Tensor {
  return element === "float32"
    ? new Tensor("float32", data as Float32Array, shape)
    : new Tensor("int64", data as BigInt64Array, shape);
}

function fromOrt(name: string, tensor: Tensor): TensorData {
  if (tensor.type === "float32") return { element: "float32", shape: tensor.dims, data: tensor.data as Float32Array };
  if (tensor.type === "int64") return { element: "int64", shape: tensor.dims, data: tensor.data as BigInt64Array };
  throw new CoreError("runtime-output", `Output ${name} holds ${tensor.type}; wanted float32 or int64.`);
}
