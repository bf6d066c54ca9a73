import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import type { PretrainEstimate, PretrainSummary, RunDetails, RunEvent } from "../rpc/api.ts";
import type { Run, RunProbe, RunScores } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { run, whole, type Context } from "./context.ts";
import { nameFiles } from "./library-commands.ts";
import type { Output } from "./output.ts";
import { addPretrainOptions, newRunOf, resumedRunOf, type PretrainFlags } from "./pretrain-options.ts";
import { counted, duration, moment, number, percent, rate } from "./text.ts";

/** Commands about pretraining: pretrain, runs. */
export function addPretrainCommands(program: Command): void {
  addPretrainOptions(program.command("pretrain"))
    .description("train a DINO transformer on the library's own pictures; Ctrl-C saves, --resume goes on")
    .addHelpText(
      "after",
      "\nExample:\n  dinoscope pretrain --minutes 40\n  dinoscope pretrain --resume\n  dinoscope pretrain --start dino-vits16 --epochs 50",
    )
    .action((flags: PretrainFlags, command: Command) =>
      run(command, async (context) => {
        const { app, viewer, output, watch } = context;
        if (flags.estimate === true) {
          const estimate =
            flags.resume === undefined
              ? viewer().estimatePretraining(newRunOf(flags))
              : viewer().estimateResume(resumedRunOf(flags));
          return reportEstimate(output, await estimate);
        }
        let saved = false;
        const onRun = (event: RunEvent): void => {
          saved ||= event.kind === "saved";
          reportEvent(output, event);
        };
        const following = { ...watch, onRun };
        const summary = await (
          flags.resume === undefined
            ? app().pretrain(newRunOf(flags), following)
            : app().resumePretraining(resumedRunOf(flags), following)
        ).catch((error: unknown) => {
          throw watch.signal.aborted && saved ? stoppedRun() : error;
        });
        reportSummary(output, summary);
        if (flags.export !== undefined) {
          const file = await app().exportRun(summary.run.id, flags.export);
          output.data("file", { file });
          output.line(file);
        }
        if (!(await isKept(context, flags.keep))) {
          await app().discardRun(summary.run.id);
          output.data("discarded", { run: summary.run.id });
          output.line(`Discarded; the curves of run ${summary.run.id} stay.`);
        }
      }),
    );

  const runs = program
    .command("runs")
    .description("list, show or discard pretraining runs, or write their checkpoints")
    .addHelpText("after", "\nExample:\n  dinoscope runs list");
  runs
    .command("list")
    .option("--count <number>", "how many", whole(1, 10_000), 20)
    .description("list runs, newest first")
    .addHelpText("after", "\nExample:\n  dinoscope runs list --count 5")
    .action((flags: { count: number }, command: Command) =>
      run(command, ({ viewer, output }) => {
        const all = viewer().runs(flags.count);
        for (const one of all) output.data("run", one);
        if (all.length === 0) output.line("The library has no runs yet: `dinoscope pretrain` makes one.");
        else reportRuns(output, all);
        return Promise.resolve();
      }),
    );
  runs
    .command("show")
    .argument("<run>", "the number of a run", whole(1, 2 ** 31))
    .description("show a run: what it was set to, how it went, what its curves say")
    .addHelpText("after", "\nExample:\n  dinoscope runs show 3 --json")
    .action((id: number, _flags: object, command: Command) =>
      run(command, ({ viewer, output }) => {
        const details = viewer().run(id);
        output.data("run", details);
        if (output.json)
          for (const metrics of viewer().runMetrics(id, { from: 0, limit: 1_000_000 })) output.data("metrics", metrics);
        reportRun(output, details);
        return Promise.resolve();
      }),
    );
  runs
    .command("export")
    .argument("<run>", "the number of a run", whole(1, 2 ** 31))
    .argument("<file>", "safetensors file to write")
    .description("write student, teacher, heads and centre, in the layout of the official full checkpoints")
    .addHelpText("after", "\nExample:\n  dinoscope runs export 3 full.safetensors")
    .action((id: number, file: string, _flags: object, command: Command) =>
      run(command, async ({ viewer, output }) => {
        const written = await viewer().exportRun(id, file);
        output.data("file", { file: written });
        output.line(written);
      }),
    );
  runs
    .command("discard")
    .argument("<run>", "the number of a run", whole(1, 2 ** 31))
    .description("delete a run's model and files; its settings and curves stay")
    .addHelpText("after", "\nExample:\n  dinoscope runs discard 3")
    .action((id: number, _flags: object, command: Command) =>
      run(command, async ({ app, output }) => {
        const discarded = await app().discardRun(id);
        output.data("discarded", { run: discarded.id });
        output.line(`The model and the files of run ${id} are gone; its curves stay.`);
      }),
    );
}

/** The same command again would begin another run. */
function stoppedRun(): CoreError {
  return new CoreError("stopped", "Stopped; the run is saved.", { hint: "`dinoscope pretrain --resume` goes on." });
}

/** `ask` is a question on a terminal, and yes elsewhere. */
async function isKept({ output, signal }: Context, keep: PretrainFlags["keep"]): Promise<boolean> {
  if (keep !== "ask" || output.json || !process.stdin.isTTY) return keep !== "no";
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question("Keep this model? [Y/n] ", { signal });
    return !/^\s*n/i.test(answer);
  } finally {
    terminal.close();
  }
}

function reportEvent(output: Output, event: RunEvent): void {
  switch (event.kind) {
    case "begun": {
      const { kind: _, ...begun } = event;
      output.data("run", begun);
      const { run: started, microBatch } = event;
      const goesOn = started.iteration > 0 ? `, from iteration ${number(started.iteration)}` : "";
      output.paragraph(
        `Run ${started.id}, ${started.name}: ${describeSettings(started)}, ${counted(started.imageCount, "picture")} on ` +
          `${started.device}, ${microBatch} at a time${goesOn}.`,
        2,
      );
      return;
    }
    case "estimate":
      output.data("estimate", { milliseconds: event.milliseconds, imagesPerSecond: event.imagesPerSecond });
      output.line(`About ${duration(event.milliseconds)} to go, at ${rate(event.imagesPerSecond)} pictures a second.`);
      return;
    case "metrics":
      for (const metrics of event.metrics) output.data("metrics", metrics);
      return;
    case "probe":
      output.data("probe", event.probe);
      output.line(`Iteration ${number(event.probe.iteration)}: ${describeScores(event.probe)}.`);
      return;
    case "health":
      output.data("health", { iteration: event.iteration, findings: event.findings });
      for (const { sentence, advice } of event.findings) output.paragraph([sentence, advice ?? ""].join(" ").trim(), 2);
      return;
    case "saved":
      output.data("checkpoint", { iteration: event.iteration });
      return;
    case "note":
      output.data("note", { sentence: event.sentence });
      output.paragraph(event.sentence, 2);
  }
}

/** `width 128, 6 blocks, patch 8, crops 2 x 64 + 4 x 32 px, batch 16, 1,500 iterations`. */
function describeSettings({ settings, iterations }: Pick<Run, "settings" | "iterations">): string {
  const part = (name: string): Readonly<Record<string, unknown>> =>
    (settings[name] ?? {}) as Readonly<Record<string, unknown>>;
  const architecture = part("architecture");
  const crops = part("crops");
  const text = (value: unknown): string => (typeof value === "number" ? number(value) : "?");
  return [
    `width ${text(architecture["width"])}, ${text(architecture["depth"])} blocks, patch ${text(architecture["patch"])}`,
    `crops 2 x ${text(crops["globalSize"])} + ${text(crops["localCount"])} x ${text(crops["localSize"])} px`,
    `batch ${text(settings["batch"])}, ${number(iterations)} iterations`,
  ].join(", ");
}

function describeScores({ selfRetrieval, selfRetrievalCount, accuracy, accuracyCount }: RunScores): string {
  const found = `${percent(selfRetrieval)} of ${selfRetrievalCount} pictures find their other crop`;
  return accuracy === null ? found : `${found}, ${percent(accuracy)} of ${accuracyCount} labels are voted right`;
}

function reportSummary(output: Output, summary: PretrainSummary): void {
  output.data("pretrain", summary);
  const { model, before, after, since, findings, failed, durationMs, run: done } = summary;
  output.paragraph(
    `Model ${model.name}, ${number(model.width)} features, after ${duration(durationMs)} (run ${done.id}).`,
    2,
  );
  const rows = [
    [
      `pictures that find their other crop${whenSame(since.selfRetrieval)}`,
      percent(before.selfRetrieval),
      percent(after.selfRetrieval),
    ],
    ...(after.accuracy === null || before.accuracy === null
      ? []
      : [[`labels voted right${whenSame(since.accuracy)}`, percent(before.accuracy), percent(after.accuracy)]]),
  ];
  output.table([{ title: "" }, { title: "before", align: "right" }, { title: "after", align: "right" }], rows);
  for (const { sentence, advice } of findings) output.paragraph([sentence, advice ?? ""].join(" ").trim(), 2);
  nameFiles(output, "left out", failed);
  output.paragraph(
    `\`dinoscope embed --model ${model.name}\` shows it the library; \`dinoscope evaluate knn\` compares models.`,
    2,
  );
}

/** Figures of before the library changed are of other pictures, and not shown beside those of now. */
function whenSame(since: number): string {
  return since === 0 ? "" : `, the same ones since iteration ${number(since)}`;
}

function reportEstimate(output: Output, estimate: PretrainEstimate): void {
  output.data("estimate", estimate);
  const { preset, runId, device, imageCount, epochs, imagesPerSecond, milliseconds, caution } = estimate;
  output.paragraph(
    `${runId === null ? `Preset ${preset}` : `What is left of run ${runId}`}: ${describeSettings(estimate)}; ${rate(epochs)} passes over ${counted(imageCount, "picture")}.`,
    2,
  );
  output.line(`About ${duration(milliseconds)} on ${device}, at ${rate(imagesPerSecond)} pictures a second.`);
  if (caution !== null) output.paragraph(caution, 2);
}

function reportRuns(output: Output, all: readonly Run[]): void {
  output.table(
    [
      { title: "run", align: "right" },
      { title: "model", leaveOut: "end" },
      { title: "state" },
      { title: "iterations", align: "right" },
      { title: "other crop", align: "right" },
      { title: "labels", align: "right" },
      { title: "begun" },
    ],
    all.map(({ id, name, state, iteration, iterations, summary, createdAt }) => [
      String(id),
      name,
      state,
      `${number(iteration)} / ${number(iterations)}`,
      summary === null ? "" : percent(summary.after.selfRetrieval),
      summary?.after.accuracy === null || summary === null ? "" : percent(summary.after.accuracy),
      moment(createdAt),
    ]),
  );
}

function reportRun(output: Output, { run: one, model, latest, probes, findings }: RunDetails): void {
  const { id, name, state, iteration, iterations, problem, imageCount, device } = one;
  output.paragraph(`Run ${id}, ${name}: ${describeSettings(one)}, ${counted(imageCount, "picture")} on ${device}.`, 2);
  const became = model === null ? "" : `; it is the model ${model}`;
  output.paragraph(`  ${state}, ${number(iteration)} of ${number(iterations)} iterations saved${became}.`, 4);
  if (problem !== null) output.paragraph(`  ${problem.message}`, 4);
  if (latest !== null) {
    output.line(
      `  loss ${latest.loss.toFixed(3)}, entropy ${latest.teacherEntropy.toFixed(3)} at iteration ${number(latest.iteration)}`,
    );
  }
  for (const { sentence, advice } of findings) output.paragraph(`  ${[sentence, advice ?? ""].join(" ").trim()}`, 4);
  if (probes.length === 0) return;
  output.table(
    [
      { title: "iteration", align: "right" },
      { title: "find their other crop", align: "right" },
      { title: "labels voted right", align: "right" },
    ],
    probes.map((probe: RunProbe) => [
      number(probe.iteration),
      percent(probe.selfRetrieval),
      probe.accuracy === null ? "" : percent(probe.accuracy),
    ]),
  );
}
