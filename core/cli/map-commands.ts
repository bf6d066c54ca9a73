import { Option, type Command } from "commander";
import type { QueuedImage } from "../rpc/api.ts";
import { seedNumber } from "./cluster-commands.ts";
import { run, whole, type deviceNames } from "./context.ts";
import { deviceOption } from "./library-commands.ts";
import type { Output } from "./output.ts";
import { counted, duration, number, percent } from "./text.ts";

const queueNames = ["uncertain", "diverse", "typical", "mixed"] as const;

interface MapFlags {
  readonly refit?: true;
  readonly out?: string;
  readonly colour: "label" | "cluster";
  readonly seed: number;
  readonly model?: string;
  readonly device: (typeof deviceNames)[number];
}

/** Commands that show the whole library, and what to look at: map and next. */
export function addMapCommands(program: Command): void {
  program
    .command("map")
    .option("--refit", "lay everything out anew; else only new pictures are placed, and nothing moves")
    .option("--out <file>", "write a picture of the map, .svg or .png")
    .addOption(new Option("--colour <what>", "what colours say").choices(["label", "cluster"]).default("label"))
    .option("--seed <number>", "the same seed gives the same map", seedNumber, 1)
    .option("--model <name>", "the model; the one in use unless given")
    .addOption(deviceOption())
    .description("make a map on which pictures that look alike lie near each other")
    .addHelpText("after", "\nExample:\n  dinoscope map --out map.png --colour cluster")
    .action((flags: MapFlags, command: Command) =>
      run(command, async ({ app, output, watch, signal }) => {
        const { refit = false, out, colour, model, device, seed } = flags;
        const summary = await app().map({ model, device, seed, refit }, watch);
        output.data("map", summary);
        const { fitted, placed, points, durationMs } = summary;
        const done = fitted > 0 ? `laid out in ${duration(durationMs)}` : `${number(placed)} of them placed now`;
        output.line(`${counted(points, "image")} on the map, ${done}.`);
        if (output.json) for (const point of app().mapPoints(summary.model.name)) output.data("point", point);
        if (out === undefined) return;
        const file = await app().drawMap(summary.model.name, { colour, file: out }, signal);
        output.data("picture", { file });
        output.line(`Written: ${file}`);
      }),
    );

  program
    .command("next")
    .addOption(new Option("--queue <name>", "why to look at a picture").choices(queueNames).default("mixed"))
    .option("--count <number>", "pictures to list", whole(1, 10_000), 20)
    .option("--model <name>", "the model; the one in use unless given")
    .addOption(deviceOption())
    .description("list the pictures that are most worth labelling next")
    .addHelpText("after", "\nExample:\n  dinoscope next --queue uncertain --count 10")
    .action(
      (
        flags: Pick<MapFlags, "model" | "device"> & { queue: (typeof queueNames)[number]; count: number },
        command: Command,
      ) =>
        run(command, async ({ viewer, output }) => {
          listQueue(
            output,
            await viewer().next({ model: flags.model, device: flags.device, queue: flags.queue, count: flags.count }),
          );
        }),
    );
}

function listQueue(output: Output, queue: readonly QueuedImage[]): void {
  for (const item of queue) output.data("next", item);
  output.table(
    [
      { title: "image", align: "right" },
      { title: "why" },
      { title: "suggested" },
      { title: "sure", align: "right" },
      { title: "cluster", align: "right" },
      { title: "file", leaveOut: "start" },
    ],
    queue.map(({ image, queue: why, suggested, confidence, clusterId }) => [
      String(image.id),
      why,
      suggested ?? "",
      confidence === null ? "" : percent(confidence),
      clusterId === null ? "" : String(clusterId),
      image.path,
    ]),
  );
}
