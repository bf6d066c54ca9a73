import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { drawSampleLibrary, openApp, type App } from "../app.ts";
import type { EmbedSummary, EvaluateSummary, SuggestSummary } from "../rpc/api.ts";
import { run, whole, type Context } from "./context.ts";
import { counted, number, percent, rate } from "./text.ts";
import { reportEvaluation } from "./label-commands.ts";

/** Labels that the demo's user is taken to have given, for each product. */
const labelsPerSku = 3;

const photosPerSku = 20;

/** Neighbours that vote: with three labels a product, more than five only bring in other products. */
const neighbours = 5;

/** The model that was never trained, for comparison. */
const untrained = "untrained";

interface DemoResult {
  readonly folder: string;
  readonly photos: number;
  readonly products: number;
  readonly labelled: number;
  readonly embed: EmbedSummary;
  readonly suggest: SuggestSummary;
  readonly right: number;
  /** The model, a network that was never trained, and the baselines. */
  readonly evaluation: EvaluateSummary;
}

/** `dinoscope demo`: the main job from an empty folder to suggestions, on pictures that Dinoscope draws itself. */
export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .option("--folder <folder>", "where the sample pictures and their library go", "dinoscope-demo")
    .option("--seed <number>", "seed of the pictures", whole(0, 2 ** 32 - 1), 1)
    .description("draw a sample library and run the main job on it: add, embed, label a few, suggest, evaluate")
    .addHelpText("after", "\nExample:\n  dinoscope demo --folder /tmp/dinoscope-demo")
    .action((flags: { folder: string; seed: number }, command: Command) =>
      run(command, async (context) => {
        const folder = resolve(flags.folder);
        const sample = join(folder, "sample");
        await mkdir(sample, { recursive: true });
        const drawn = await draw(context, sample, flags.seed);
        const app = openApp({ folder: join(folder, "library"), holder: "dinoscope demo" });
        try {
          report(context, await work(context, app, folder, sample, drawn));
        } finally {
          await app.close();
        }
      }),
    );
}

async function draw(
  { output, signal }: Context,
  folder: string,
  seed: number,
): Promise<{ photoCount: number; skuCount: number }> {
  const started = Date.now();
  return drawSampleLibrary({
    folder,
    seed,
    photosPerSku,
    signal,
    onProgress: (done, total) => {
      const perSecond = done / ((Date.now() - started) / 1000);
      const remainingMs = ((total - done) / perSecond) * 1000;
      output.progress({ phase: "drawing the sample pictures", done, total, perSecond, remainingMs });
    },
  });
}

async function work(
  { output, watch, signal }: Context,
  app: App,
  folder: string,
  sample: string,
  drawn: { photoCount: number; skuCount: number },
): Promise<DemoResult> {
  await app.add(join(sample, "photos"), { labelsFromFolders: false }, watch);
  if (!app.models().some((model) => model.name === untrained)) {
    await app.createModel(untrained, { arch: "vit-tiny", patch: 16, size: 224, seed: 1 });
  }
  await app.embed({ model: untrained, device: "auto" }, watch);
  const choice = { model: (await app.addStarterModel()).name, device: "auto" as const };
  const embed = await app.embed(choice, watch);

  const truth = await readTruth(join(sample, "labels.csv"));
  const given = firstOfEach(truth, labelsPerSku);
  const labelsFile = join(folder, "labels.csv");
  await writeFile(labelsFile, toCsv(given));
  const imported = await app.importLabels(labelsFile, signal);
  const vote = { ...choice, neighbours, temperature: 0.07 };
  const suggest = await app.suggest({ ...vote, threshold: 0.5 }, watch);
  const suggestions = app.suggestions(suggest.model, { limit: drawn.photoCount });
  const right = suggestions.filter(({ image, label }) => truth.get(image.path)?.label === label).length;

  const truthFile = join(sample, "labels.csv");
  const trained = await app.evaluate({ ...vote, truth: truthFile }, watch);
  const baseline = await app.evaluate({ ...vote, model: untrained, truth: truthFile }, watch);
  const [first, ...others] = trained.accuracies;
  const accuracies = [...(first === undefined ? [] : [first]), ...baseline.accuracies.slice(0, 1), ...others];
  output.settle();
  return {
    folder,
    photos: drawn.photoCount,
    products: drawn.skuCount,
    labelled: imported.labelled + imported.unchanged,
    embed,
    suggest,
    right,
    evaluation: { ...trained, accuracies },
  };
}

interface Truth {
  readonly label: string;
  readonly coarse: string;
}

/** The sample library's own labels; its names hold no commas or quotes. */
async function readTruth(file: string): Promise<Map<string, Truth>> {
  const [, ...lines] = (await readFile(file, "utf8")).trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [path = "", label = "", coarse = ""] = line.split(",");
      return [path, { label, coarse }];
    }),
  );
}

/** The first `count` pictures of each label, in the order of the file. */
function firstOfEach(truth: ReadonlyMap<string, Truth>, count: number): Map<string, Truth> {
  const seen = new Map<string, number>();
  return new Map(
    [...truth].filter(([, { label, coarse }]) => {
      const key = `${coarse}/${label}`;
      const before = seen.get(key) ?? 0;
      seen.set(key, before + 1);
      return before < count;
    }),
  );
}

function toCsv(rows: ReadonlyMap<string, Truth>): string {
  return ["path,label,coarse", ...[...rows].map(([path, { label, coarse }]) => `${path},${label},${coarse}`), ""].join(
    "\n",
  );
}

function report({ output }: Context, result: DemoResult): void {
  output.data("demo", result);
  const { folder, photos, products, labelled, embed, suggest, right, evaluation } = result;
  const speed = embed.embedded / (embed.durationMs / 1000);
  const { model } = embed;
  const row = (title: string, text: string): void => output.paragraph(`  ${title.padEnd(13)}${text}`, 15);
  output.line("Dinoscope demo");
  row("pictures", `${photos} drawn photos of ${products} products, in ${join(folder, "sample")}`);
  row("model", `${model.name}, the small model that comes with Dinoscope, at ${model.imageSize} px`);
  row(
    "embedding",
    embed.embedded > 0
      ? `${counted(embed.embedded, "picture")} on ${embed.device}, ${rate(speed)} a second`
      : `all ${number(embed.skipped)} pictures had one already`,
  );
  row("labels", `${labelled} given, ${labelsPerSku} of each product`);
  row(
    "suggestions",
    `${suggest.suggested} for the rest: ${right} right (${percent(right / suggest.suggested)}); ` +
      `${suggest.suggested - suggest.abstained} above the threshold, ${suggest.abstained} abstained`,
  );
  output.line();
  reportEvaluation(output, evaluation);
  output.line();
  output.line(`The library is in ${join(folder, "library")}. What to do next:`);
  output.line("  dinoscope add FOLDER                     your own pictures");
  output.line("  dinoscope models download dino-vits16    weights that DINO's authors trained");
  output.line("  dinoscope embed, labels import, suggest  the same again, and in earnest");
}
