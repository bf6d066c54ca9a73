import { InvalidArgumentError, Option, type Command } from "commander";
import type { EvaluateMasksSummary, MaskImportSummary, MasksSummary } from "../rpc/api.ts";
import type { MaskMethod, MaskRecipe } from "../rpc/records.ts";
import { above, run, whole, type deviceNames } from "./context.ts";
import { deviceOption, nameFiles } from "./library-commands.ts";
import type { Output } from "./output.ts";
import { counted, duration, number, rate } from "./text.ts";

const methods: readonly MaskMethod[] = ["attention", "tokencut", "foreground"];
const components: readonly MaskRecipe["components"][] = ["largest", "all"];

interface LookFlags {
  readonly model?: string;
  readonly device: (typeof deviceNames)[number];
  readonly size?: number;
  readonly mass: number;
  readonly components: MaskRecipe["components"];
}

interface MaskFlags extends LookFlags {
  readonly method: MaskMethod;
  readonly heads: "mean" | "best" | readonly number[];
  readonly refine: boolean;
  readonly retrain?: boolean;
}

/** `mean`, `best`, or numbers of heads with commas between them. */
function headList(text: string): MaskFlags["heads"] {
  if (text === "mean" || text === "best") return text;
  const heads = text.split(",").map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : NaN));
  if (heads.every((head) => head < 1000)) return [...new Set(heads)].sort((a, b) => a - b);
  throw new InvalidArgumentError("Wanted mean, best, or numbers of heads such as 0,3.");
}

/** Options that making and measuring masks share. */
function lookOptions(command: Command): Command {
  return command
    .option("--model <name>", "the model; the one in use unless given")
    .option("--mass <share>", "share of attention that is kept, for masks from attention", above(0, 1), 0.6)
    .addOption(
      new Option("--components <which>", "the largest connected part, or all").choices(components).default("largest"),
    )
    .option(
      "--size <pixels>",
      "side of a square of as many pixels as the model looks at; 28 patches unless given, 448 for patches of 16",
      whole(8, 2048),
    )
    .addOption(deviceOption());
}

/** Commands about masks: masks, masks import, evaluate masks. */
export function addMaskCommands(program: Command): void {
  const masks = lookOptions(program.command("masks"))
    .addOption(
      new Option("--method <name>", "attention, TokenCut, or a head trained on the library's own pictures")
        .choices(methods)
        .default("foreground"),
    )
    .option(
      "--heads <which>",
      "attention heads: mean, best (on corrected masks), or numbers such as 0,3",
      headList,
      "mean",
    )
    .option("--refine", "edges follow the picture at full size (the default)", true)
    .option("--no-refine", "masks of whole patches")
    .option("--retrain", "train the foreground head anew")
    .description("make a foreground mask of every picture that has none yet; corrected masks stay as they are")
    .addHelpText(
      "after",
      "\nExample:\n  dinoscope masks --method tokencut\n  dinoscope masks --method attention --heads best --mass 0.6 --size 448",
    )
    .action((flags: MaskFlags, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const { refine, retrain = false, ...options } = flags;
        const summary = await app().masks({ ...options, refined: refine, retrain }, watch);
        output.data("masks", summary);
        reportMasks(output, summary);
      }),
    );
  masks
    .command("import")
    .argument("<folder>", "PNG files with the names of the pictures, foreground white")
    .description("take in corrected masks; `dinoscope undo` takes them back")
    .addHelpText("after", "\nExample:\n  dinoscope masks import ~/corrected-masks")
    .action((folder: string, _flags: object, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const summary = await app().importMasks(folder, watch);
        output.data("mask-import", summary);
        reportImport(output, summary);
      }),
    );

  const evaluate = program.commands.find((command) => command.name() === "evaluate") ?? program.command("evaluate");
  lookOptions(evaluate.command("masks"))
    .requiredOption("--truth <folder>", "true masks: PNG files with the names of the pictures, foreground white")
    .description("how well each way of making masks fits true masks, beside simple baselines")
    .addHelpText("after", "\nExample:\n  dinoscope evaluate masks --truth ~/true-masks")
    .action((flags: LookFlags & { truth: string }, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const summary = await app().evaluateMasks(flags, watch);
        output.data("mask-evaluation", summary);
        reportEvaluation(output, summary);
      }),
    );
}

/** `attention, mean of all heads, mass 0.6, edges refined, largest part, 448 px`. */
function describeRecipe({ method, heads, mass, refined, components: parts, size }: MaskRecipe): string {
  const named = heads === null ? "mean of all heads" : `${heads.length === 1 ? "head" : "heads"} ${heads.join(", ")}`;
  return [
    method,
    ...(method === "attention" ? [named, `mass ${mass ?? "-"}`] : []),
    refined ? "edges refined" : "whole patches",
    parts === "largest" ? "largest part" : "all parts",
    `${size} px`,
  ].join(", ");
}

function reportMasks(output: Output, { model, device, recipe, made, failed, skipped, durationMs }: MasksSummary): void {
  const speed = made > 0 ? ` (${rate(made / (durationMs / 1000))} a second)` : "";
  output.paragraph(
    `${counted(made, "mask")} made by ${model.name}${model.trained ? "" : " (random weights)"} on ${device} in ` +
      `${duration(durationMs)}${speed}${skipped > 0 ? `; ${number(skipped)} pictures had one already` : ""}: ` +
      `${describeRecipe(recipe)}.`,
  );
  nameFiles(output, "failed", failed);
}

function reportImport(output: Output, { imported, unchanged, unmatched }: MaskImportSummary): void {
  const before = unchanged > 0 ? `; ${number(unchanged)} were there already` : "";
  output.paragraph(`${counted(imported, "mask")} taken in${before}.`);
  nameFiles(output, "not used", unmatched);
}

function reportEvaluation(output: Output, summary: EvaluateMasksSummary): void {
  const { model, size, count, rows, failed } = summary;
  const random = model.trained ? "" : " (random weights: what follows is a baseline)";
  output.paragraph(`Masks of ${counted(count, "image")} by ${model.name}${random} at ${size} px.`);
  const edges = { true: "refined", false: "patches", null: "" } as const;
  output.table(
    [
      { title: "mask", leaveOut: "end" },
      { title: "edges" },
      { title: "mean overlap (IoU)", align: "right" },
      { title: "+-", align: "right" },
    ],
    rows.map(({ method, refined, overlap, standardError }) => [
      method,
      edges[`${refined}`],
      overlap.toFixed(3),
      standardError.toFixed(3),
    ]),
  );
  nameFiles(output, "not used", failed);
}
