import type { Command } from "commander";
import type { Viewer } from "../app.ts";
import type { EvaluateSummary, ShownSuggestion } from "../rpc/api.ts";
import type { Model } from "../rpc/records.ts";
import { above, run, whole, type deviceNames } from "./context.ts";
import { reportLabels } from "./label-report.ts";
import { deviceOption } from "./library-commands.ts";
import type { Output } from "./output.ts";
import { counted, duration, number, percent, percentBetween } from "./text.ts";

interface VoteFlags {
  readonly model?: string;
  readonly device: (typeof deviceNames)[number];
  readonly neighbours: number;
  readonly temperature: number;
}

/** k and temperature of the vote, with DINO's defaults. */
function voteOptions(command: Command): Command {
  return command
    .option("--model <name>", "the model; the one in use unless given")
    .option("--neighbours <number>", "how many images vote", whole(1, 1000), 20)
    .option("--temperature <number>", "lower gives the nearest more weight", above(0, 10), 0.07)
    .addOption(deviceOption());
}

/** Commands about labels: labels list, labels import, suggest, evaluate knn. */
export function addLabelCommands(program: Command): void {
  const labels = program
    .command("labels")
    .description("list labels, or read them from a file")
    .addHelpText("after", "\nExample:\n  dinoscope labels list");
  labels
    .command("list")
    .description("list the labels with their image counts")
    .addHelpText("after", "\nExample:\n  dinoscope labels list")
    .action((_flags: object, command: Command) =>
      run(command, ({ viewer, output }) => {
        listLabels(output, viewer().labels());
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
        const { suggested, voters, abstained, selfAccuracy, durationMs } = summary;
        output.paragraph(
          `${counted(suggested, "suggestion")} from ${counted(voters, "labelled image")} in ${duration(durationMs)}, ` +
            `${number(abstained)} below the threshold. Of the labelled images themselves the vote gets ` +
            `${percent(selfAccuracy)} right.`,
        );
        listSuggestions(output, app().suggestions(summary.model, { limit: show }));
      }),
    );

  const evaluate = program
    .command("evaluate")
    .description("measure how good the model is on your labels")
    .addHelpText("after", "\nExample:\n  dinoscope evaluate knn --neighbours 5");
  voteOptions(evaluate.command("knn"))
    .option("--split <file>", "CSV with path,split: labelled images of split `train` vote, the others are tested")
    .option("--truth <file>", "CSV with path,label[,coarse]: labelled images vote, the unlabelled ones are tested")
    .description("accuracy of the k-NN vote, whole against foreground, beside simple baselines")
    .addHelpText("after", "\nExample:\n  dinoscope evaluate knn --neighbours 5")
    .action((flags: VoteFlags & { split?: string; truth?: string }, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const summary = await app().evaluate(flags, watch);
        output.data("evaluation", summary);
        reportEvaluation(output, summary);
      }),
    );
}

/** Labels from the top down, each after the one above it, with how far down it is. */
function* flattened(nodes: ReturnType<Viewer["labels"]>, depth = 0): Generator<{ node: LabelNode; depth: number }> {
  for (const node of nodes) {
    yield { node, depth };
    yield* flattened(node.children, depth + 1);
  }
}

type LabelNode = ReturnType<Viewer["labels"]>[number];

function listLabels(output: Output, nodes: readonly LabelNode[]): void {
  const all = [...flattened(nodes)];
  for (const { label, imageCount, totalImageCount } of all.map(({ node }) => node)) {
    output.data("label", { ...label, imageCount, totalImageCount });
  }
  if (all.length === 0) output.line("The library has no labels yet.");
  else {
    output.table(
      [
        { title: "label", leaveOut: "end" },
        { title: "images", align: "right" },
      ],
      all.map(({ node, depth }) => ["  ".repeat(depth) + node.label.name, number(node.totalImageCount)]),
    );
  }
}

/** Suggestions read from the library at a time. */
const suggestionPage = 500;

function* allSuggestions(app: Viewer, model: Model): Generator<object> {
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
  for (const { image, label, confidence, confidenceLow, confidenceHigh, abstained, voters } of suggestions) {
    const nearest = voters
      .slice(0, namedVoters)
      .map((voter) => `${voter.label} ${voter.similarity.toFixed(3)}`)
      .join(", ");
    const sure = `${percentBetween(confidence, confidenceLow, confidenceHigh)} sure`;
    output.line(image.path);
    output.paragraph(`  ${label}, ${sure}${abstained ? ", below the threshold" : ""}; nearest: ${nearest}`, 4);
  }
}

/** The table of an evaluation. */
export function reportEvaluation(output: Output, summary: EvaluateSummary): void {
  const { protocol, count, labelCount, neighbours, temperature, accuracies, leftOut } = summary;
  output.line(
    `${protocol}, ${counted(count, "image")}, ${counted(labelCount, "label")}, k = ${neighbours}, temperature ${temperature}:`,
  );
  const withCoarse = accuracies.some(({ coarseTop1 }) => coarseTop1 !== null);
  const rows = accuracies.map(({ method, top1, top1Low, top1High, top5, coarseTop1 }) => [
    `  ${method}`,
    percentBetween(top1, top1Low, top1High),
    percent(top5),
    ...(withCoarse ? [coarseTop1 === null ? "" : percent(coarseTop1)] : []),
  ]);
  output.table(
    [
      { title: "", leaveOut: "end" },
      { title: "top-1 (95 %)", align: "right" },
      { title: "top-5", align: "right" },
      ...(withCoarse ? [{ title: "coarse top-1", align: "right" } as const] : []),
    ],
    rows,
  );
  for (const { model, embedded } of leftOut) {
    output.paragraph(
      `${model} is not compared: it has embedded ${number(embedded)} of these images. ` +
        `\`dinoscope embed --model ${model}\` does the rest.`,
    );
  }
}
