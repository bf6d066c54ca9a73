import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CoreError } from "../util/errors.ts";

/** Characters of the process's standard error that go into a message. */
const logTail = 500;

/** Writes an SVG picture of ours as PNG, in a process of its own. Throws `picture-failed`. */
export async function drawSvg(svg: string, file: string, signal?: AbortSignal): Promise<void> {
  const entry = fileURLToPath(new URL("../image/svg-main.ts", import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry, file], {
    stdio: ["pipe", "ignore", "pipe"],
    windowsHide: true,
    ...(signal === undefined ? {} : { signal }),
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-logTail)));
  // A process that ends before it has read everything is told by its exit code.
  child.stdin.on("error", () => {});
  child.stdin.end(svg);
  const how = await new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, killed) => resolve(code === 0 ? null : (killed ?? `exit code ${code}`)));
  });
  signal?.throwIfAborted();
  if (how !== null)
    throw new CoreError("picture-failed", `The picture ${file} could not be drawn (${how}). ${log.trim()}`);
}
