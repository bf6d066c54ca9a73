import type { DeviceReport } from "../engine/protocol.ts";
import { createEngine } from "../engine/supervisor.ts";
import { CoreError } from "../util/errors.ts";

/** Devices that a self-test tries, in the order in which they are chosen. */
const probed = ["cuda", "webgpu", "directml", "coreml", "cpu", "tfjs"] as const;

/**
 * Tests every device, each in a process of its own, so that a driver that crashes only ends its own test. Needs no
 * library.
 */
export async function* diagnose(signal?: AbortSignal): AsyncGenerator<DeviceReport> {
  for (const device of probed) {
    signal?.throwIfAborted();
    const engine = createEngine();
    const stop = (): void => void engine.close();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      yield await engine.call("probeDevice", { device });
    } catch (error) {
      signal?.throwIfAborted();
      const reason = error instanceof CoreError ? error.message : String(error);
      yield { device, reason, imagesPerSecond: null, gigaflopsPerSecond: null, relativeError: null };
    } finally {
      signal?.removeEventListener("abort", stop);
      await engine.close();
    }
  }
}
