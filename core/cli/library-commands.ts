import { Option, type Command } from "commander";
import { diagnose } from "../app.ts";
import type { IngestSummary } from "../rpc/api.ts";
import { deviceNames, run, whole } from "./context.ts";
import { counted, duration, number, table, type Output } from "./output.ts";
import { reportLabels } from "./label-report.ts";

/** `--device`, the same everywhere. */
export function deviceOption(): Option {
  return new Option("--device <name>", "where models run").choices(deviceNames).default("auto");
}

interface EmbedFlags {
  readonly model?: string;
  readonly device: (typeof deviceNames)[number];
  readonly size?: number;
}

/** Commands that fill and look at a library: add, embed, search, status, doctor, undo, redo, history. */
export function addCommands(program: Command): void {
  program
    .command("add")
    .argument("<folders...>", "folders of pictures; they are read and never written to")
    .option("--labels-from-folders", "label pictures by the folders they lie in")
    .description("take in the pictures of folders; a second run looks only at what changed")
    .addHelpText("after", "\nExample:\n  dinoscope add ~/shelf-photos --labels-from-folders")
    .action((folders: string[], flags: { labelsFromFolders?: boolean }, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        for (const folder of folders) {
          const summary = await app().add(folder, { labelsFromFolders: flags.labelsFromFolders ?? false }, watch);
          output.data("ingest", summary);
          reportIngest(output, summary);
          if (summary.labels !== null) reportLabels(output, summary.labels);
        }
      }),
    );

  program
    .command("embed")
    .option("--model <name>", "the model; the newest trained one unless given")
    .addOption(deviceOption())
    .option("--size <pixels>", "side of the centre crop; the model's own unless given", whole(8, 2048))
    .description("compute the embedding and attention of every picture that has none yet")
    .addHelpText("after", "\nExample:\n  dinoscope embed --model dino-vits16 --device cpu")
    .action((flags: EmbedFlags, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const { model, device, size } = flags;
        const summary = await app().embed({ model, device, imageSize: size }, watch);
        output.data("embed", summary);
        const speed = summary.embedded / (summary.durationMs / 1000);
        output.line(
          `${counted(summary.embedded, "picture")} embedded by ${summary.model.name} on ${summary.device} in ` +
            `${duration(summary.durationMs)}${summary.embedded > 0 ? ` (${speed.toFixed(1)} a second)` : ""}; ` +
            `${number(summary.skipped)} had an embedding already.`,
        );
        for (const { path, reason } of summary.failed) output.line(`  failed: ${path}: ${reason}`);
      }),
    );

  program
    .command("search")
    .argument("<image>", "a picture file, or #ID of an image in the library")
    .option("--model <name>", "the model; the newest trained one unless given")
    .option("--count <number>", "how many to list", whole(1, 10_000), 10)
    .addOption(deviceOption())
    .description("list the images that are most similar to a picture")
    .addHelpText("after", "\nExample:\n  dinoscope search new-photo.jpg --count 5")
    .action((image: string, flags: EmbedFlags & { count: number }, command: Command) =>
      run(command, async ({ app, output }) => {
        const hits = await app().search(image, flags);
        for (const { image: found, similarity, label } of hits) {
          output.data("hit", { id: found.id, path: found.path, similarity, label: label?.name ?? null });
        }
        const rows = hits.map(({ image: found, similarity, label }) => {
          return [`#${found.id} ${found.path}`, similarity.toFixed(4), label?.name ?? ""];
        });
        for (const line of table([["image", "similarity", "label"], ...rows])) output.line(line);
      }),
    );

  program
    .command("status")
    .description("say what the library holds")
    .addHelpText("after", "\nExample:\n  dinoscope status --json")
    .action((_flags: object, command: Command) =>
      run(command, ({ app, output }) => {
        const status = app().status();
        output.data("status", status);
        output.line(`Library ${status.folder}`);
        for (const { source, images } of status.sources) {
          const notes = [
            ...(images.problem > 0 ? [`${number(images.problem)} unreadable`] : []),
            ...(images.missing > 0 ? [`${number(images.missing)} missing`] : []),
          ];
          output.line(
            `  ${source.folder}: ${counted(images.ready, "picture")}${notes.map((note) => `, ${note}`).join("")}`,
          );
        }
        for (const { model, embedded, labelled } of status.models) {
          output.line(`  model ${model.name}: ${number(embedded)} embedded, ${number(labelled)} of them labelled`);
        }
        output.line(`  ${counted(status.labels, "label")}`);
        return Promise.resolve();
      }),
    );

  program
    .command("doctor")
    .description("test every device: what works, how fast it is, and what is missing where it does not")
    .addHelpText("after", "\nExample:\n  dinoscope doctor")
    .action((_flags: object, command: Command) =>
      run(command, async ({ output, signal }) => {
        output.line("ViT-S/16 at 224 px, random weights, float32:");
        for await (const report of diagnose(signal)) {
          output.data("device", report);
          const { device, reason, imagesPerSecond, gigaflopsPerSecond, relativeError } = report;
          const speed =
            imagesPerSecond === null || gigaflopsPerSecond === null
              ? "works; the second opinion that tests compare with, not used for speed"
              : `${imagesPerSecond.toFixed(1)} images/s, ${gigaflopsPerSecond.toFixed(0)} GFLOP/s`;
          const error = relativeError === null ? "" : `, differs from the CPU by ${relativeError.toExponential(1)}`;
          output.line(
            reason === null ? `  ${device.padEnd(9)} ${speed}${error}` : `  ${device.padEnd(9)} out: ${reason}`,
          );
        }
      }),
    );

  for (const step of ["undo", "redo"] as const) {
    program
      .command(step)
      .description(step === "undo" ? "take back the last change of labels" : "do again what was taken back last")
      .addHelpText("after", `\nExample:\n  dinoscope ${step}`)
      .action((_flags: object, command: Command) =>
        run(command, ({ app, output }) => {
          const operation = app()[step]();
          output.data(step, { operation });
          output.line(
            operation === null
              ? `Nothing to ${step}.`
              : `${step === "undo" ? "Undone" : "Redone"}: ${operation.summary}.`,
          );
          return Promise.resolve();
        }),
      );
  }

  program
    .command("history")
    .option("--count <number>", "how many steps", whole(1, 10_000), 20)
    .description("list what was done to labels, newest first")
    .addHelpText("after", "\nExample:\n  dinoscope history --count 5")
    .action((flags: { count: number }, command: Command) =>
      run(command, ({ app, output }) => {
        for (const operation of app().history(flags.count)) {
          output.data("operation", operation);
          const when = new Date(operation.createdAt).toLocaleString();
          output.line(`${when}  ${operation.summary}${operation.state === "undone" ? "  (undone)" : ""}`);
        }
        return Promise.resolve();
      }),
    );
}

function reportIngest(output: Output, summary: IngestSummary): void {
  const { added, changed, moved, unchanged, failed, ignored, missing, durationMs } = summary;
  const total = added + changed + moved;
  const parts = [
    `${number(added)} new`,
    ...(changed > 0 ? [`${number(changed)} changed`] : []),
    ...(moved > 0 ? [`${number(moved)} moved`] : []),
    ...(unchanged > 0 ? [`${number(unchanged)} as before`] : []),
    ...(missing > 0 ? [`${number(missing)} missing`] : []),
    ...(failed > 0 ? [`${number(failed)} unreadable`] : []),
    ...(ignored > 0 ? [`${number(ignored)} other files left out`] : []),
  ];
  const speed = total > 0 ? ` (${((total / durationMs) * 1000).toFixed(0)} a second)` : "";
  output.line(`${summary.source.folder}: ${parts.join(", ")}, in ${duration(durationMs)}${speed}.`);
  for (const { path, reason } of summary.skipped) output.line(`  skipped: ${path}: ${reason}`);
}
