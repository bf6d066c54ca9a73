import { Option, type Command } from "commander";
import { usualBlend } from "../app.ts";
import type { ForegroundCounts, IngestSummary, LibraryStatus } from "../rpc/api.ts";
import { above, deviceNames, run, whole } from "./context.ts";
import { counted, duration, moment, number, rate } from "./text.ts";
import { reportLabels } from "./label-report.ts";
import type { Output } from "./output.ts";

/** `--device`, the same everywhere. */
export function deviceOption(): Option {
  return new Option("--device <name>", "where models run").choices(deviceNames).default("auto");
}

interface EmbedFlags {
  readonly model?: string;
  readonly device: (typeof deviceNames)[number];
  readonly size?: number;
}

interface ViewFlags extends EmbedFlags {
  readonly foreground?: boolean;
  readonly blend?: number;
}

/** Files that are named on a terminal with their reasons; --json has them all. */
const namedFiles = 5;

/** Commands that fill and look at a library: add, embed, search, status, undo, redo, history. */
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
          const options = { labelsFromFolders: flags.labelsFromFolders ?? false };
          const summary = await app({ create: true }).add(folder, options, watch);
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
    .option("--foreground", "look at the foreground: patches inside the masks, as a model NAME+foreground of its own")
    .option("--blend <share>", `share of the foreground in these embeddings, ${usualBlend} unless given`, above(0, 1))
    .description("compute the embedding and attention of every picture that has none yet")
    .addHelpText(
      "after",
      "\nExample:\n  dinoscope embed --model dino-vits16 --device cpu\n  dinoscope embed --foreground --blend 0.75",
    )
    .action((flags: ViewFlags, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const { size, ...view } = flags;
        const summary = await app().embed({ ...view, imageSize: size }, watch);
        const { embedded, skipped, failed, durationMs } = summary;
        output.data("embed", summary);
        const speed = embedded > 0 ? ` (${rate(embedded / (durationMs / 1000))} a second)` : "";
        output.paragraph(
          `${counted(embedded, "picture")} embedded by ${summary.model.name} on ${summary.device} in ` +
            `${duration(durationMs)}${speed}${skipped > 0 ? `; ${number(skipped)} had an embedding already` : ""}.`,
        );
        if (embedded + skipped + failed.length === 0) {
          output.line("The library has no pictures yet: `dinoscope add FOLDER` takes some in.");
        }
        if (summary.foreground !== null && embedded > 0) reportForeground(output, summary.foreground);
        nameFiles(output, "failed", failed);
      }),
    );

  program
    .command("search")
    .argument("<image>", "a picture file, or the number of an image in the library")
    .option("--model <name>", "the model; the one in use unless given")
    .option("--count <number>", "how many to list", whole(1, 10_000), 10)
    .addOption(deviceOption())
    .description("list the images that are most similar to a picture")
    .addHelpText("after", "\nExample:\n  dinoscope search new-photo.jpg --count 5\n  dinoscope search 207")
    .action((image: string, flags: EmbedFlags & { count: number }, command: Command) =>
      run(command, async ({ viewer, output }) => {
        const hits = await viewer().search(image, flags);
        for (const { image: found, similarity, label } of hits) {
          output.data("hit", { id: found.id, path: found.path, similarity, label: label?.name ?? null });
        }
        output.table(
          [
            { title: "image", align: "right" },
            { title: "similarity", align: "right" },
            { title: "label" },
            { title: "file", leaveOut: "start" },
          ],
          hits.map(({ image: found, similarity, label }) => {
            return [String(found.id), similarity.toFixed(4), label?.name ?? "", found.path];
          }),
        );
      }),
    );

  program
    .command("status")
    .description("say what the library holds")
    .addHelpText("after", "\nExample:\n  dinoscope status --json")
    .action((_flags: object, command: Command) =>
      run(command, ({ viewer, output }) => {
        const status = viewer().status();
        output.data("status", status);
        reportStatus(output, status);
        const named: { path: string; reason: string }[] = [];
        for (const { folder, path, reason } of status.images.problem > 0 ? viewer().unreadable() : []) {
          if (output.json) output.data("unreadable", { folder, path, reason });
          else if (named.length < namedFiles) named.push({ path, reason });
          else break;
        }
        nameFiles(output, "unreadable", named, status.images.problem);
        return Promise.resolve();
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
      run(command, ({ viewer, output }) => {
        const operations = viewer().history(flags.count);
        for (const operation of operations) {
          output.data("operation", operation);
          const undone = operation.state === "undone" ? "  (undone)" : "";
          output.line(`${moment(operation.createdAt)}  ${operation.summary}${undone}`);
        }
        if (operations.length === 0) output.line("Nothing was done to labels yet.");
        return Promise.resolve();
      }),
    );
}

function reportIngest(output: Output, summary: IngestSummary): void {
  const { added, changed, moved, unchanged, failed, ignored, missing, skipped, durationMs } = summary;
  const total = added + changed + moved;
  const parts = [
    `${number(added)} new`,
    ...(changed > 0 ? [`${number(changed)} changed`] : []),
    ...(moved > 0 ? [`${number(moved)} moved`] : []),
    ...(unchanged > 0 ? [`${number(unchanged)} as before`] : []),
    ...(missing > 0 ? [`${number(missing)} missing`] : []),
    ...(failed > 0 ? [`${number(failed)} unreadable (\`dinoscope status\` names them)`] : []),
    ...(ignored > 0 ? [`${counted(ignored, "other file")} ignored`] : []),
  ];
  const speed = total > 0 ? ` (${rate((total / durationMs) * 1000)} a second)` : "";
  output.paragraph(`${summary.source.folder}: ${parts.join(", ")}; ${duration(durationMs)}${speed}.`, 2);
  nameFiles(output, "left out", skipped);
}

function reportForeground(output: Output, { inMask, inScores, without }: ForegroundCounts): void {
  const parts = [
    ...(inMask > 0 ? [`the stored mask of ${counted(inMask, "picture")}`] : []),
    ...(inScores > 0 ? [`what the model takes for it in ${number(inScores)} without a mask`] : []),
    ...(without > 0 ? [`all of ${number(without)}, where none could be told`] : []),
  ];
  output.paragraph(`Foreground: ${parts.join("; ")}.`);
}

function reportStatus(output: Output, { folder, sources, models, labels, images }: LibraryStatus): void {
  output.line(`Library ${folder}`);
  const row = (title: string, text: string): void => output.paragraph(`  ${title.padEnd(10)}${text}`, 12);
  if (sources.length === 0) row("pictures", "none yet");
  sources.forEach(({ source, images: { ready, problem, missing } }, i) => {
    const notes = [
      ...(problem > 0 ? [`${number(problem)} unreadable`] : []),
      ...(missing > 0 ? [`${number(missing)} missing`] : []),
    ];
    row(i === 0 ? "pictures" : "", [`${number(ready)} in ${source.folder}`, ...notes].join(", "));
  });
  row("labels", labels === 0 ? "none yet" : number(labels));
  if (models.length === 0) row("models", "none yet");
  models.forEach(({ model, embedded, labelled, stale }, i) => {
    const random = model.trained ? "" : " (random weights)";
    const share = embedded === images.ready ? "all" : number(embedded);
    const outdated =
      stale > 0
        ? `, ${number(stale)} from masks that have changed (\`embed --model ${model.name}\` makes them anew)`
        : "";
    const text =
      embedded === 0 ? "nothing embedded yet" : `${share} embedded, ${number(labelled)} of them labelled${outdated}`;
    row(i === 0 ? "models" : "", `${model.name}${random}: ${text}`);
  });
}

/** The first files of a list with their reasons, and how many more there are. */
export function nameFiles(
  output: Output,
  what: string,
  files: readonly { readonly path: string; readonly reason: string }[],
  count = files.length,
): void {
  if (count > 0) output.line(`${counted(count, "file")} ${what}:`);
  for (const { path, reason } of files.slice(0, namedFiles)) output.paragraph(`  ${path}: ${reason}`, 4);
  if (count > namedFiles) output.line(`  and ${number(count - namedFiles)} more; --json names all`);
}
