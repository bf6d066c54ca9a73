import { Argument, InvalidArgumentError, type Command } from "commander";
import { exportFormats, importFormats, type ExportFormatName, type ExportScope, type ImportFormat } from "../app.ts";
import type { ExportSummary } from "../rpc/api.ts";
import { run, whole } from "./context.ts";
import { reportLabels } from "./label-report.ts";
import type { Output } from "./output.ts";
import { counted, duration, number } from "./text.ts";

interface ExportFlags {
  readonly scope: ExportScope;
  readonly split?: readonly number[];
  readonly seed: number;
  readonly link?: boolean;
  readonly upright?: boolean;
  readonly wholeImages?: boolean;
  readonly replace?: boolean;
  readonly model?: string;
}

/** Commands that hand over and take in data sets: export, import. */
export function addDatasetCommands(program: Command): void {
  const formats = Object.entries(exportFormats);
  const widest = Math.max(...formats.map(([name]) => name.length));
  program
    .command("export")
    .addArgument(new Argument("<format>", "what to write; see below").choices(Object.keys(exportFormats)))
    .argument("<destination>", "folder that the export becomes; it must not be there yet")
    .option("--scope <scope>", "labelled, all, or suggested>=0.9: labelled and suggested so surely", scopeOf, {
      kind: "labelled",
    } as const)
    .option(
      "--split <shares>",
      "shares of train,val,test, such as 80,10,10; copies of a picture stay together",
      sharesOf,
    )
    .option("--seed <number>", "seed of the split", whole(0, 2 ** 32 - 1), 0)
    .option("--link", "link to the pictures instead of copying them")
    .option("--upright", "turn pictures that EXIF turns, for programs that pass over it")
    .option("--whole-images", "take a picture without a mask for one thing that fills it")
    .option("--model <name>", "whose embeddings or suggestions; the one in use unless given")
    .option("--replace", "put it in the place of an earlier export")
    .description("write labels, masks, boxes or embeddings in a format that other tools read")
    .addHelpText(
      "after",
      `\nFormats:\n${formats.map(([name, { summary }]) => `  ${name.padEnd(widest)}  ${summary}`).join("\n")}\n
In CSV, a name that a spreadsheet would take for a formula has an apostrophe before it; label_path has it as it is.

Example:
  dinoscope export coco shelf-coco --split 80,10,10 --seed 7`,
    )
    .action((format: ExportFormatName, destination: string, flags: ExportFlags, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const {
          scope,
          split = null,
          seed,
          link = false,
          upright = false,
          wholeImages = false,
          replace = false,
        } = flags;
        const choice = { scope, split, seed, link, upright, wholeImages, replace, model: flags.model, destination };
        const summary = await app().exportImages(format, choice, watch);
        output.data("export", summary);
        reportExport(output, summary);
      }),
    );

  program
    .command("import")
    .addArgument(new Argument("<format>", "csv and jsonl are labels files").choices([...importFormats]))
    .argument("<path>", "the data set: its folder, or its file")
    .description("put the labels and masks of a data set on the images of the library that it names")
    .addHelpText(
      "after",
      "\nIts pictures are found in the library by path or name. What is there already is replaced; `dinoscope undo`\n" +
        "takes it back, masks and labels in a step each.\n\nExample:\n  dinoscope import coco instances_train.json",
    )
    .action((format: ImportFormat, path: string, _flags: object, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const summary = await app().importDataset(format, path, watch);
        output.data("import", summary);
        reportLabels(output, summary);
        if (summary.masked > 0) output.line(`${counted(summary.masked, "image")} got a mask.`);
      }),
    );
}

function scopeOf(text: string): ExportScope {
  if (text === "labelled" || text === "all") return { kind: text };
  const confidence = Number(/^suggested>=(\d*\.?\d+)$/.exec(text)?.[1] ?? NaN);
  if (confidence >= 0 && confidence <= 1) return { kind: "suggested", confidence };
  throw new InvalidArgumentError("Wanted labelled, all, or suggested>= with a number from 0 to 1.");
}

function sharesOf(text: string): readonly number[] {
  const parts = text.split(",");
  const shares = parts.map((part) => (part.trim() === "" ? NaN : Number(part)));
  const valid = shares.every((share) => Number.isFinite(share) && share >= 0) && shares.some((share) => share > 0);
  if (valid && (shares.length === 2 || shares.length === 3)) return [...shares, 0].slice(0, 3);
  throw new InvalidArgumentError("Wanted two or three numbers from 0 up, such as 80,10,10.");
}

function reportExport(output: Output, summary: ExportSummary): void {
  const { images, labels, objects, parts, files, bytes, folder, durationMs } = summary;
  const masks = objects > 0 ? `, ${counted(objects, "mask")}` : "";
  const split =
    parts.length > 0 ? ` (${parts.map(({ part, images: count }) => `${part} ${number(count)}`).join(", ")})` : "";
  output.paragraph(
    `${counted(images, "image")}${split}, ${counted(labels, "label")}${masks}: ${counted(files, "file")}, ` +
      `${(bytes / 1e6).toFixed(1)} MB, in ${duration(durationMs)}.`,
  );
  output.line(folder);
  const left = [
    [summary.withoutLabel, "no label"],
    [summary.withoutMask, "no mask"],
    [summary.withoutEmbedding, "no embedding"],
  ] as const;
  for (const [count, what] of left) {
    if (count > 0) output.paragraph(`  ${counted(count, "image")} left out: ${what}.`, 4);
  }
  if (parts.length > 0 && summary.largestGroup > Math.max(1, images / 10)) {
    output.paragraph(
      `  One group of near-duplicates has ${number(summary.largestGroup)} images. It is kept in one part, so the ` +
        `shares may be off.`,
      4,
    );
  }
  for (const { path, reason } of summary.skipped) output.paragraph(`  left out: ${path}: ${reason}`, 4);
}
