import { InvalidArgumentError, Option, type Command } from "commander";
import type { CheckSummary, ShownFinding, ShownFoundImage } from "../rpc/api.ts";
import type { CheckKind, Operation } from "../rpc/records.ts";
import { run, whole, type Context, type deviceNames } from "./context.ts";
import { deviceOption } from "./library-commands.ts";
import type { Output } from "./output.ts";
import { counted, duration, number, percent } from "./text.ts";

const checkKinds = ["wrong-labels", "twins", "duplicates", "outliers"] as const satisfies readonly CheckKind[];

/** Kinds as the command names them: labels with few images need no search, so they are no findings. */
const kindNames = [...checkKinds, "rare-labels"] as const;

interface CheckFlags {
  readonly kind?: (typeof kindNames)[number];
  readonly count: number;
  readonly last?: true;
  readonly model?: string;
  readonly device: (typeof deviceNames)[number];
}

/** Commands that look for likely mistakes and mend them: check, and check accept, relabel, unify, merge, dismiss. */
export function addCheckCommands(program: Command): void {
  const check = program
    .command("check")
    .addOption(new Option("--kind <kind>", "one kind of mistake; all unless given").choices(kindNames))
    .option("--count <number>", "findings of each kind to list", whole(0, 10_000), 10)
    .option("--last", "list what the last check found, without looking again")
    .option("--model <name>", "the model; the one in use unless given")
    .addOption(deviceOption())
    .description(
      "look for wrong labels, look-alikes with two labels, copies, odd pictures, and labels with few pictures",
    )
    .addHelpText("after", "\nExample:\n  dinoscope check --kind wrong-labels --count 20\n  dinoscope check accept 5")
    .action((flags: CheckFlags, command: Command) => run(command, (context) => checkAndList(context, flags)));

  check
    .command("accept")
    .argument("<number>", "how many, from the top of the list", whole(1, 10_000))
    .description("give the first likely wrong labels of the last check the label of their neighbours")
    .addHelpText("after", "\nExample:\n  dinoscope check accept 5")
    .action((count: number, _flags: object, command: Command) =>
      act(command, ({ app }) => app().acceptWrongLabels(count)),
    );
  check
    .command("relabel")
    .argument("<image>", "number of an image, such as 12", imageNumber)
    .argument("<label>", "name of a label, with those above it where several have the name: Drinks/Oat")
    .description("give an image another label")
    .addHelpText("after", "\nExample:\n  dinoscope check relabel 12 Oat")
    .action((image: number, label: string, _flags: object, command: Command) =>
      act(command, ({ app }) => app().relabel(image, label)),
    );
  check
    .command("unify")
    .argument("<image>", "number of an image of the group", imageNumber)
    .argument("[label]", "the label for all; that of the group's first picture unless given")
    .description("give all copies of a group one label")
    .addHelpText("after", "\nExample:\n  dinoscope check unify 12")
    .action((image: number, label: string | undefined, _flags: object, command: Command) =>
      act(command, ({ app }) => app().unifyDuplicates(image, label)),
    );
  check
    .command("merge")
    .argument("<label>", "the label to give up")
    .argument("<into>", "the label that its images get")
    .description("merge a label, such as one with few images, into another")
    .addHelpText("after", "\nExample:\n  dinoscope check merge Oatmilk Oat")
    .action((label: string, into: string, _flags: object, command: Command) =>
      act(command, ({ app }) => app().mergeLabels(label, into)),
    );
  check
    .command("dismiss")
    .argument("<kind>", `kind of the finding: ${checkKinds.join(", ")}`, findingKind)
    .argument("<image>", "number of an image of the finding", imageNumber)
    .description("say that a finding is right as it is: no check shows it again")
    .addHelpText("after", "\nExample:\n  dinoscope check dismiss wrong-labels 12")
    .action((kind: CheckKind, imageId: number, _flags: object, command: Command) =>
      act(command, ({ app }) => app().dismissChecks(kind, { imageId })),
    );
}

/** Runs something that can be undone, and says what it did. */
function act(command: Command, work: (context: Context) => Operation | null): Promise<void> {
  return run(command, (context) => {
    const operation = work(context);
    context.output.data("operation", { operation });
    context.output.line(
      operation === null ? "Nothing to change." : `${operation.summary}. \`dinoscope undo\` takes it back.`,
    );
    return Promise.resolve();
  });
}

async function checkAndList({ app, viewer, output, watch }: Context, flags: CheckFlags): Promise<void> {
  const { kind, count, last, ...choice } = flags;
  const kinds = checkKinds.filter((known) => kind === undefined || known === kind);
  if (last === undefined && kinds.length > 0) {
    const summary = await app().check({ ...choice, kinds, temperature: 0.07 }, watch);
    output.data("check", summary);
    reportCheck(output, summary);
  }
  // A library that was opened to write answers for itself.
  const view = last === undefined && kinds.length > 0 ? app() : viewer();
  for (const listed of kinds) listFindings(output, listed, view.findings(listed, count));
  if (kind !== undefined && kind !== "rare-labels") return;
  const rare = view.rareLabels();
  for (const row of output.json ? rare : []) output.data("rare-label", row);
  if (rare.length > 0) {
    output.line();
    output.line(`Labels with few images: ${number(rare.length)}`);
  }
  for (const { label, imageCount, missing } of rare.slice(0, count)) {
    output.paragraph(`${label.name}: ${counted(imageCount, "image")}, ${number(missing)} more wanted`, 4);
  }
}

function reportCheck(output: Output, { checks, durationMs }: CheckSummary): void {
  for (const { kind, examined, found, likely, leftOut } of checks) {
    const what = leftOut ?? `${number(likely)} likely of ${number(found)} found among ${counted(examined, "image")}.`;
    output.paragraph(`${kind}: ${what}`, 4);
  }
  output.line(`Checked in ${duration(durationMs)}.`);
}

const titles: Readonly<Record<CheckKind, string>> = {
  "wrong-labels": "Labels that neighbours doubt, with the label they have",
  twins: "Look-alikes with two labels",
  duplicates: "Copies, best first; those with two labels come first",
  outliers: "Pictures far from all others",
};

/** Images named in a line on a terminal. */
const namedImages = 4;

function listFindings(output: Output, kind: CheckKind, findings: readonly ShownFinding[]): void {
  for (const finding of findings) output.data("finding", finding);
  if (findings.length === 0) return;
  output.line();
  output.line(`${titles[kind]}:`);
  for (const finding of findings) output.paragraph(describe(finding), 4);
}

function describe({ kind, images, neighbours, suggestion, suggestedLabel, score }: ShownFinding): string {
  const named = (list: readonly ShownFoundImage[]): string => {
    const rest = list.length - namedImages;
    const texts = list.slice(0, namedImages).map((image) => imageText(image, image !== images[0]));
    return texts.join("; ") + (rest > 0 ? `; and ${number(rest)} more` : "");
  };
  switch (kind) {
    case "wrong-labels":
      return (
        `${named(images)} -> ${suggestedLabel ?? ""} (${percent(suggestion?.share ?? 0)} of the vote against ` +
        `${percent(suggestion?.ownShare ?? 0)}), as ${named(neighbours.slice(0, 2))}`
      );
    case "twins":
    case "duplicates":
      return named(images);
    case "outliers":
      return `${named(images)}, ${score.toFixed(1)} deviations out; nearest ${named(neighbours.slice(0, 1))}`;
  }
}

/** `#12 shelf/1.jpg [Oat] 0.983, 3 bits`, or without measures, which the first image has only to itself. */
function imageText({ imageId, path, label, similarity, hashBits }: ShownFoundImage, measured: boolean): string {
  const measures = [
    ...(similarity === null || !measured ? [] : [similarity.toFixed(3)]),
    ...(hashBits === null || !measured ? [] : [counted(hashBits, "bit")]),
  ];
  const behind = measures.length === 0 ? "" : ` ${measures.join(", ")}`;
  return `#${imageId} ${path}${label === null ? "" : ` [${label}]`}${behind}`;
}

/** `12` or `#12`, for commander. */
function imageNumber(text: string): number {
  const id = Number(/^#?(\d+)$/.exec(text)?.[1] ?? NaN);
  if (Number.isSafeInteger(id) && id > 0) return id;
  throw new InvalidArgumentError("Wanted the number of an image, such as 12.");
}

function findingKind(text: string): CheckKind {
  const kind = checkKinds.find((known) => known === text);
  if (kind !== undefined) return kind;
  throw new InvalidArgumentError(`Wanted ${checkKinds.join(", ")}.`);
}
