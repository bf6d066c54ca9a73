import type { Command } from "commander";
import { diagnose, type DeviceReport } from "../app.ts";
import { run } from "./context.ts";
import { rate } from "./text.ts";

/** Columns before a device's result. */
const indent = 12;

/** `dinoscope doctor`: what works on this machine. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("test every device: what works, how fast it is, and what is missing where it does not")
    .addHelpText("after", "\nExample:\n  dinoscope doctor")
    .action((_flags: object, command: Command) =>
      run(command, async ({ output, signal }) => {
        output.line("Speed is that of ViT-S/16 at 224 px in float32, with random weights.");
        for await (const report of diagnose(signal)) {
          output.data("device", report);
          output.paragraph(`  ${report.device.padEnd(indent - 2)}${describeDevice(report)}`, indent);
        }
      }),
    );
}

/** A device's result in a line: what keeps it out, or how fast it is and how far from the CPU's figures. */
export function describeDevice(report: DeviceReport): string {
  const { device, reason, imagesPerSecond, gigaflopsPerSecond, relativeError } = report;
  if (reason !== null) return `no: ${reason}`;
  if (device === "tfjs") return `works, as a second opinion for tests; it is never chosen${accuracyOf(relativeError)}`;
  const speed = `${rate(gigaflopsPerSecond ?? 0)} GFLOP/s`;
  if (imagesPerSecond === null) return `works, but at ${speed} it is far too slow: probably a software driver`;
  // The CPU is what the others are compared with.
  return `${rate(imagesPerSecond)} images/s, ${speed}${device === "cpu" ? "" : accuracyOf(relativeError)}`;
}

function accuracyOf(relativeError: number | null): string {
  return relativeError === null ? "" : `; within ${relativeError.toExponential(0)} of the CPU's figures`;
}
