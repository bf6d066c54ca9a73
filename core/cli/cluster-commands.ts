import { InvalidArgumentError, type Command } from "commander";
import type { ShownCluster, ShownMember } from "../rpc/api.ts";
import { CoreError } from "../util/errors.ts";
import { run, whole, type deviceNames } from "./context.ts";
import { deviceOption } from "./library-commands.ts";
import type { Output } from "./output.ts";
import { counted, duration, number, percent } from "./text.ts";

interface ClusterFlags {
  readonly count?: number;
  readonly auto?: true;
  readonly minimum: number;
  readonly restarts: number;
  readonly seed: number;
  readonly show: number;
  readonly model?: string;
  readonly device: (typeof deviceNames)[number];
}

/** Seeds as commands take them. */
export const seedNumber = whole(0, 2 ** 31 - 1);

const clusterNumber = whole(1, Number.MAX_SAFE_INTEGER);

/** Commands that group pictures by look: cluster, and cluster list, show, label, split, merge. */
export function addClusterCommands(program: Command): void {
  const cluster = program
    .command("cluster")
    .option("--count <number>", "how many groups to make (k-means)", whole(1, 100_000))
    .option("--auto", "as many groups as there are dense ones (HDBSCAN); the default")
    .option("--minimum <number>", "with --auto: fewer pictures than this are no group", whole(2, 10_000), 10)
    .option("--restarts <number>", "with --count: starts to choose the best of", whole(1, 1000), 5)
    .option("--seed <number>", "the same seed gives the same groups", seedNumber, 1)
    .option("--show <number>", "groups to list", whole(0, 100_000), 10)
    .option("--model <name>", "the model; the one in use unless given")
    .addOption(deviceOption())
    .description("group the pictures that look alike")
    .addHelpText("after", '\nExample:\n  dinoscope cluster --count 40\n  dinoscope cluster label 17 "Drinks/Oat Drink"')
    .action((flags: ClusterFlags, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const { count, auto, show, model, ...options } = flags;
        if (count !== undefined && auto === true) {
          throw new CoreError("option-invalid", "Give either --count or --auto.");
        }
        const summary = await app().makeClusters({ ...options, model, count: count ?? null }, watch);
        output.data("clustering", summary);
        const { method, clusters, images, noise, durationMs } = summary;
        output.paragraph(
          `${counted(clusters, "cluster")} of ${counted(images, "image")} by ${method} in ${duration(durationMs)}` +
            `${noise > 0 ? `; ${number(noise)} belong to none` : ""}.`,
        );
        list(output, app().clusters(summary.model.name), show);
      }),
    );

  cluster
    .command("list")
    .option("--model <name>", "the model; the one in use unless given")
    .option("--count <number>", "clusters to list", whole(1, 100_000), 1000)
    .description("list the clusters, largest first, with what their labels say")
    .addHelpText("after", "\nExample:\n  dinoscope cluster list")
    .action((_flags: object, command: Command) =>
      run(command, ({ viewer, output }) => {
        // Options of the same name stand on both commands; either place counts.
        const { model, count } = command.optsWithGlobals<{ model?: string; count?: number }>();
        list(output, viewer().clusters(model), count ?? Infinity);
        return Promise.resolve();
      }),
    );
  cluster
    .command("show")
    .argument("<cluster>", "number of a cluster", clusterNumber)
    .option("--members <number>", "typical and borderline members to list", whole(1, 10_000), 8)
    .description("show the most typical and the most doubtful pictures of a cluster")
    .addHelpText("after", "\nExample:\n  dinoscope cluster show 17")
    .action((id: number, { members }: { members: number }, command: Command) =>
      run(command, ({ viewer, output }) => {
        const details = viewer().cluster(id, members);
        output.data("cluster-details", details);
        list(output, output.json ? [] : [details.cluster], 1);
        listMembers(output, "Most typical:", details.typical);
        listMembers(output, "Borderline:", details.borderline);
        return Promise.resolve();
      }),
    );
  cluster
    .command("label")
    .argument("<cluster>", "number of a cluster", clusterNumber)
    .argument("<label>", "the label, with those above it: Drinks/Oat", labelPath)
    .option("--overwrite", "also where a picture has a label already")
    .description("give all pictures of a cluster a label; `dinoscope undo` takes it back")
    .addHelpText("after", "\nExample:\n  dinoscope cluster label 17 Oat")
    .action((id: number, path: readonly string[], { overwrite = false }: { overwrite?: boolean }, command: Command) =>
      run(command, ({ app, output }) => {
        const result = app().labelCluster(id, { path, overwrite });
        output.data("labels", result);
        const { labelled, kept } = result;
        output.line(
          `${counted(labelled, "image")} labelled${kept > 0 ? `, ${number(kept)} with a label left as they are` : ""}.`,
        );
        return Promise.resolve();
      }),
    );
  cluster
    .command("split")
    .argument("<cluster>", "number of a cluster", clusterNumber)
    .option("--parts <number>", "how many to make of it", whole(2, 1000), 2)
    .description("split a cluster; the parts get new numbers")
    .addHelpText("after", "\nExample:\n  dinoscope cluster split 17 --parts 3")
    .action((id: number, { parts }: { parts: number }, command: Command) =>
      run(command, async ({ app, output }) => {
        const { seed, device } = command.optsWithGlobals<ClusterFlags>();
        const { clusterIds: ids } = await app().splitCluster(id, { parts, seed, device });
        output.data("clusters", { ids });
        output.line(`Cluster ${id} is now ${ids.join(", ")}.`);
      }),
    );
  cluster
    .command("merge")
    .argument("<clusters...>", "numbers of two clusters or more")
    .description("make one cluster of several; it gets a new number")
    .addHelpText("after", "\nExample:\n  dinoscope cluster merge 17 21")
    .action((texts: readonly string[], _flags: object, command: Command) =>
      run(command, ({ app, output }) => {
        const { clusterIds: ids } = app().mergeClusters(texts.map(clusterNumberOf));
        output.data("clusters", { ids });
        output.line(`Clusters ${texts.join(", ")} are now cluster ${ids.join()}.`);
        return Promise.resolve();
      }),
    );
}

function clusterNumberOf(text: string): number {
  try {
    return clusterNumber(text);
  } catch {
    throw new CoreError("option-invalid", `${text} is no number of a cluster.`);
  }
}

/** `Drinks/Oat` as names from the top down. */
function labelPath(text: string): readonly string[] {
  const path = text.split("/").map((name) => name.trim());
  if (path.every((name) => name !== "")) return path;
  throw new InvalidArgumentError("Wanted a name, or names with slashes between them.");
}

function list(output: Output, clusters: readonly ShownCluster[], show: number): void {
  const shown = clusters.slice(0, show);
  for (const cluster of shown) output.data("cluster", cluster);
  if (shown.length === 0) return;
  output.table(
    [
      { title: "cluster", align: "right" },
      { title: "images", align: "right" },
      { title: "labelled", align: "right" },
      { title: "purity", align: "right" },
      { title: "name" },
      { title: "most typical", leaveOut: "start" },
    ],
    shown.map(({ id, size, labelled, purity, proposal, medoid }) => [
      String(id),
      number(size),
      number(labelled),
      purity === null ? "" : percent(purity),
      proposal === null ? "" : `${proposal.label}${proposal.source === "neighbours" ? " (by neighbours)" : ""}`,
      medoid?.path ?? "",
    ]),
  );
  if (clusters.length > show) output.line(`and ${number(clusters.length - show)} more: dinoscope cluster list`);
}

function listMembers(output: Output, title: string, members: readonly ShownMember[]): void {
  output.line(title);
  output.table(
    [
      { title: "image", align: "right" },
      { title: "similarity", align: "right" },
      { title: "margin", align: "right" },
      { title: "label" },
      { title: "file", leaveOut: "start" },
    ],
    members.map(({ imageId, similarity, margin, label, image }) => [
      String(imageId),
      similarity.toFixed(3),
      margin.toFixed(3),
      label ?? "",
      image.path,
    ]),
  );
}
