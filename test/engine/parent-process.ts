/**
 * A parent for an engine, to be killed: starts one, sets it to the task named on the command line, prints the engine's
 * process id, and waits.
 */
import { createEngine } from "../../core/engine/supervisor.ts";

const [task = ""] = process.argv.slice(2);
const engine = createEngine();
const answer = engine.call("chooseDevice", { device: "cpu" });
if (task !== "starting") await answer;
if (task === "searching") {
  // Enough products to keep the engine busy for minutes.
  const [bank, rows, width] = ["bank", 60_000, 64];
  const values = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i) / 8);
  await engine.call("loadBank", { bank, rows, width, offset: 0, values });
  void engine.call("nearest", { bank, queries: values, count: 20, device: "cpu" });
}
process.stdout.write(`${engine.pid}\n`);
setInterval(() => undefined, 1000);
