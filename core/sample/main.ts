/**
 * The process that draws the sample library: `node core/sample/main.ts '{"folder":"…","seed":1,"photosPerSku":20}'`.
 * Every line on standard output is one JSON object, a `SampleMessage`. SIGINT and SIGTERM stop it after the photo in
 * hand. Exit code 0 only when the sample library is complete.
 */
import { drawSample, type SampleSummary } from "./draw.ts";
import { CoreError, errorRecord, type ErrorRecord } from "../util/errors.ts";

/** One line of standard output. */
export type SampleMessage =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | ({ readonly kind: "done" } & SampleSummary)
  | { readonly kind: "failed"; readonly error: ErrorRecord };

function say(message: SampleMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function parseArguments(text: string | undefined): { folder: string; seed: number; photosPerSku: number } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text ?? "");
  } catch {
    parsed = undefined;
  }
  const { folder, seed, photosPerSku } = (parsed ?? {}) as Record<string, unknown>;
  if (typeof folder === "string" && typeof seed === "number" && typeof photosPerSku === "number") {
    return { folder, seed, photosPerSku };
  }
  throw new CoreError(
    "sample-options",
    `Expected one argument, a JSON object with folder, seed and photosPerSku, got ${text ?? "none"}.`,
  );
}

const controller = new AbortController();
const stop = (): void => {
  controller.abort(
    new CoreError("sample-stopped", "Drawing the sample library was stopped; starting it again goes on."),
  );
};
process.once("SIGINT", stop);
process.once("SIGTERM", stop);
// Whoever started us has gone: nobody waits for the rest.
process.stdout.on("error", stop);

try {
  const { folder, seed, photosPerSku } = parseArguments(process.argv[2]);
  const summary = await drawSample(folder, {
    seed,
    photosPerSku,
    signal: controller.signal,
    onProgress: (done, total) => {
      say({ kind: "progress", done, total });
    },
  });
  say({ kind: "done", ...summary });
} catch (thrown) {
  say({ kind: "failed", error: errorRecord(thrown) });
  process.exitCode = 1;
}
