import { InferenceSession, Tensor, listSupportedBackends } from "onnxruntime-node";
import { encodeOnnx } from "../graph/onnx.ts";
import { CoreError } from "../util/errors.ts";
import type { DeviceName, Program, ProgramSource, Runtime, TensorData } from "./runtime.ts";

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
  return { device, load: (source) => loadProgram(device, source, options) };
}

async function loadProgram(device: OrtDevice, source: ProgramSource, options: OrtOptions): Promise<Program> {
  const bytes = source instanceof Uint8Array ? source : encodeOnnx(source);
  const session = await createSession(bytes, device, options);
  return {
    run: async (inputs) => {
      const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, toOrt(tensor)]));
      const results = await session.run(feeds);
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromOrt(name, tensor)]));
    },
    release: () => session.release(),
  };
}

async function createSession(
  bytes: Uint8Array<ArrayBuffer>,
  device: OrtDevice,
  options: OrtOptions,
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: [providers[device]],
      // Warnings go to standard error and would only frighten; errors are thrown anyway.
      logSeverityLevel: 4,
      ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
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
