import type { Command } from "commander";
import type { App } from "../app.ts";
import type { EvaluateSummary, ShownSuggestion } from "../rpc/api.ts";
import type { Model } from "../rpc/records.ts";
import { above, run, whole, type deviceNames } from "./context.ts";
import { reportLabels } from "./label-report.ts";
import { deviceOption } from "./library-commands.ts";
import { counted, duration, number, percent, table, type Output } from "./output.ts";

interface VoteFlags {
  readonly model?: string;
  readonly device: (typeof deviceNames)[number];
  readonly neighbours: number;
  readonly temperature: number;
}

/** k and temperature of the vote, with DINO's defaults. */
function voteOptions(command: Command): Command {
  return command
    .option("--model <name>", "the model; the newest trained one unless given")
    .option("--neighbours <number>", "how many images vote", whole(1, 1000), 20)
    .option("--temperature <number>", "lower gives the nearest more weight", above(0, 10), 0.07)
    .addOption(deviceOption());
}

/** Commands about labels: labels list, labels import, suggest, evaluate knn. */
export function addLabelCommands(program: Command): void {
  const labels = program.command("labels").description("list labels, or read them from a file");
  labels
    .command("list")
    .description("list the labels with their image counts")
    .addHelpText("after", "\nExample:\n  dinoscope labels list")
    .action((_flags: object, command: Command) =>
      run(command, ({ app, output }) => {
        listLabels(output, app().labels(), 0);
        return Promise.resolve();
      }),
    );
  labels
    .command("import")
    .argument("<file>", "CSV, TSV or JSON Lines with path,label and optionally coarse")
    .description("put the labels of a file on the images it names")
    .addHelpText("after", "\nExample:\n  dinoscope labels import labels.csv")
    .action((file: string, _flags: object, command: Command) =>
      run(command, async ({ app, output, signal }) => {
        const summary = await app().importLabels(file, signal);
        output.data("labels", summary);
        reportLabels(output, summary);
      }),
    );

  voteOptions(program.command("suggest"))
    .option("--threshold <confidence>", "below this a suggestion abstains", above(0, 1), 0.5)
    .option("--show <number>", "suggestions to list on a terminal (--json lists all)", whole(0, 1_000_000), 10)
    .description("suggest a label for every picture without one, by the vote of its nearest labelled neighbours")
    .addHelpText("after", "\nExample:\n  dinoscope suggest --neighbours 10 --show 5")
    .action((flags: VoteFlags & { threshold: number; show: number }, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const { show, ...options } = flags;
        const summary = await app().suggest(options, watch);
        if (output.json)
          for (const suggestion of allSuggestions(app(), summary.model)) output.data("suggestion", suggestion);
        output.data("suggest", summary);
        output.line(
          `${counted(summary.suggested, "suggestion")} by ${counted(summary.voters, "labelled image")} in ` +
            `${duration(summary.durationMs)}; ${number(summary.abstained)} below the threshold. ` +
            `On the labelled images themselves the vote is right for ${percent(summary.selfAccuracy)}.`,
        );
        listSuggestions(output, app().suggestions(summary.model, { limit: show }));
      }),
    );

  const evaluate = program.command("evaluate").description("measure how good the model is on your labels");
  voteOptions(evaluate.command("knn"))
    .option("--split <file>", "CSV with path,split: labelled images of split `train` vote, the others are tested")
    .option("--truth <file>", "CSV with path,label[,coarse]: labelled images vote, the unlabelled ones are tested")
    .description("accuracy of the k-NN vote, leave-one-out or over a split, beside simple baselines")
    .addHelpText("after", "\nExample:\n  dinoscope evaluate knn --neighbours 5")
    .action((flags: VoteFlags & { split?: string; truth?: string }, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const summary = await app().evaluate(flags, watch);
        output.data("evaluation", summary);
        reportEvaluation(output, summary);
      }),
    );
}

function listLabels(output: Output, nodes: ReturnType<App["labels"]>, depth: number): void {
  for (const { label, imageCount, totalImageCount, children } of nodes) {
    output.data("label", { ...label, imageCount, totalImageCount });
    output.line(`${"  ".repeat(depth)}${label.name}  ${number(totalImageCount)}`);
    listLabels(output, children, depth + 1);
  }
}

/** Suggestions read from the library at a time. */
const suggestionPage = 500;

function* allSuggestions(app: App, model: Model): Generator<object> {
  let after: ShownSuggestion | undefined;
  for (;;) {
    const page = app.suggestions(model, { limit: suggestionPage, after });
    for (const { image, label, confidence, confidenceLow, confidenceHigh, share, abstained, voters } of page) {
      const { id, path } = image;
      yield { id, path, label, confidence, confidenceLow, confidenceHigh, share, abstained, voters };
    }
    after = page.at(-1);
    if (page.length < suggestionPage) return;
  }
}

/** Voters named behind a suggestion on a terminal. */
const namedVoters = 3;

function listSuggestions(output: Output, suggestions: readonly ShownSuggestion[]): void {
  if (suggestions.length === 0) return;
  const rows = suggestions.map(({ image, label, confidence, confidenceLow, confidenceHigh, voters }) => [
    image.path,
    label,
    `${percent(confidence)} (${(100 * confidenceLow).toFixed(0)}-${(100 * confidenceHigh).toFixed(0)})`,
    voters
      .slice(0, namedVoters)
      .map((voter) => `${voter.path} ${voter.similarity.toFixed(3)} ${voter.label}`)
      .join("; "),
  ]);
  for (const line of table([["image", "suggested", "sure (95 %)", "nearest voters"], ...rows])) output.line(line);
}

/** The table of an evaluation. */
export function reportEvaluation(output: Output, summary: EvaluateSummary): void {
  const { protocol, count, labelCount, neighbours, temperature, accuracies } = summary;
  output.line(
    `${protocol}, ${counted(count, "image")}, ${counted(labelCount, "label")}, k = ${neighbours}, temperature ${temperature}:`,
  );
  const withCoarse = accuracies.some(({ coarseTop1 }) => coarseTop1 !== null);
  const rows = accuracies.map(({ method, top1, top1Low, top1High, top5, coarseTop1 }) => [
    `  ${method}`,
    `${percent(top1)} (${(100 * top1Low).toFixed(0)}-${(100 * top1High).toFixed(0)})`,
    percent(top5),
    ...(withCoarse ? [coarseTop1 === null ? "" : percent(coarseTop1)] : []),
  ]);
  const header = ["", "top-1 (95 %)", "top-5", ...(withCoarse ? ["coarse top-1"] : [])];
  for (const line of table([header, ...rows])) output.line(line);
}
