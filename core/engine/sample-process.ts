import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { SampleMessage } from "../sample/main.ts";
import { CoreError, errorFromRecord } from "../util/errors.ts";

export interface SampleRequest {
  readonly folder: string;
  readonly seed: number;
  readonly photosPerSku: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Draws the sample library in a process of its own: it renders SVG, which the engine's picture loaders refuse. Returns
 * how many photos and products there are. Throws `sample-failed` or the drawing's own error.
 */
export async function drawSampleLibrary(request: SampleRequest): Promise<{ photoCount: number; skuCount: number }> {
  const { folder, seed, photosPerSku, signal, onProgress } = request;
  signal?.throwIfAborted();
  const entry = fileURLToPath(new URL("../sample/main.ts", import.meta.url));
  const child = spawn(process.execPath, [entry, JSON.stringify({ folder, seed, photosPerSku })], {
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
  });
  const closed = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, killed) => resolve(killed ?? `exit code ${code}`));
  });
  const stop = (): void => void child.kill("SIGTERM");
  signal?.addEventListener("abort", stop, { once: true });
  let end: SampleMessage | undefined;
  child.stderr.resume();
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as SampleMessage;
    if (message.kind === "progress") onProgress?.(message.done, message.total);
    else end = message;
  }
  const how = await closed;
  signal?.removeEventListener("abort", stop);
  signal?.throwIfAborted();
  if (end?.kind === "failed") throw errorFromRecord(end.error);
  if (end?.kind !== "done") throw new CoreError("sample-failed", `Drawing the sample library ended early (${how}).`);
  return { photoCount: end.photoCount, skuCount: end.skuCount };
}
