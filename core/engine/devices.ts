import { chooseDevice, type Choice } from "../runtime/choose.ts";
import { createOrtRuntime, type OrtDevice } from "../runtime/ort.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { DeviceChoice, WantedDevice } from "./protocol.ts";

/** The devices of this process. */
export interface Devices {
  /** The device for a wish; `auto` is settled once, by trying. */
  choose(wanted: WantedDevice): Promise<DeviceChoice>;
  /** The runtime for a wish, one per device. */
  runtime(wanted: WantedDevice): Promise<Runtime>;
}

/** Keeps the choice of `auto` and a runtime per device. */
export function createDevices(): Devices {
  let automatic: Promise<Choice> | undefined;
  const runtimes = new Map<OrtDevice, Runtime>();
  const choose = async (wanted: WantedDevice): Promise<{ device: OrtDevice; refused: Choice["refused"] }> =>
    wanted === "auto" ? await (automatic ??= chooseDevice()) : { device: wanted, refused: [] };
  return {
    choose,
    runtime: async (wanted) => {
      const { device } = await choose(wanted);
      const runtime = runtimes.get(device) ?? createOrtRuntime(device);
      runtimes.set(device, runtime);
      return runtime;
    },
  };
}
