import { extname } from "node:path";
import { Argument, InvalidArgumentError, Option, type Command } from "commander";
import { publishedModels } from "../app.ts";
import type { Model } from "../rpc/records.ts";
import { CoreError } from "../util/errors.ts";
import { run, whole } from "./context.ts";
import type { Output } from "./output.ts";
import { counted, number } from "./text.ts";

/** Commands about models: list, import, download, new, export. */
export function addModelCommands(program: Command): void {
  const models = program
    .command("models")
    .description("list, import, download, make or export models")
    .addHelpText("after", "\nExample:\n  dinoscope models list");

  models
    .command("list")
    .description("list the library's models")
    .addHelpText("after", "\nExample:\n  dinoscope models list")
    .action((_flags: object, command: Command) =>
      run(command, ({ viewer, output }) => {
        const all = viewer().models();
        for (const model of all) output.data("model", model);
        if (all.length === 0) output.line("The library has no models yet.");
        else {
          output.table(
            [
              { title: "name", leaveOut: "end" },
              { title: "model" },
              { title: "features", align: "right" },
              { title: "input", align: "right" },
              { title: "from" },
            ],
            all.map((model) => [
              model.name,
              kindOf(model),
              number(model.width),
              `${model.imageSize} px`,
              origin(model),
            ]),
          );
        }
        return Promise.resolve();
      }),
    );

  models
    .command("import")
    .argument("<file>", "DINO or DINOv2 weights: .pth, full checkpoint, safetensors (Hugging Face, timm), or ONNX")
    .option("--name <name>", "what to call it; the file's name unless given")
    .option("--heads <number>", "attention heads, where the file does not tell them", whole(1, 64))
    .addOption(new Option("--part <part>", "which network of a full checkpoint").choices(["teacher", "student"]))
    .description("copy a model into the library")
    .addHelpText("after", "\nExample:\n  dinoscope models import dino_deitsmall16_pretrain.pth --name dino-vits16")
    .action((file: string, flags: { name?: string; heads?: number; part?: "teacher" | "student" }, command: Command) =>
      run(command, async ({ app, output }) =>
        reportModel(output, await app({ create: true }).importModel(file, flags)),
      ),
    );

  models
    .command("download")
    .addArgument(new Argument("<name>", "a published model").choices(publishedModels.map(({ name }) => name)))
    .option(
      "--base-url <url>",
      "where to fetch from, instead of the authors' server",
      process.env["DINOSCOPE_MODELS_URL"] || undefined,
    )
    .option("--sha256 <hex>", "hash that the file must have", sha256)
    .description("fetch weights that the authors of DINO publish (Apache-2.0), and import them")
    .addHelpText(
      "after",
      `\nModels:\n${publishedModels.map(({ name, summary }) => `  ${name.padEnd(13)}${summary}`).join("\n")}` +
        "\n\nExample:\n  dinoscope models download dino-vits16",
    )
    .action((name: string, flags: { baseUrl?: string; sha256?: string }, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const settings = { baseUrl: flags.baseUrl, sha256: flags.sha256 };
        reportModel(output, await app({ create: true }).downloadModel(name, settings, watch));
      }),
    );

  models
    .command("starter")
    .description("add the small trained model that comes with Dinoscope")
    .addHelpText("after", "\nExample:\n  dinoscope models starter")
    .action((_flags: object, command: Command) =>
      run(command, async ({ app, output }) => reportModel(output, await app({ create: true }).addStarterModel())),
    );

  models
    .command("new")
    .argument("<name>", "what to call it")
    .addOption(
      new Option("--arch <name>", "size of the transformer")
        .choices(["vit-tiny", "vit-small", "vit-base"])
        .default("vit-tiny"),
    )
    .option("--patch <pixels>", "side of a patch", whole(4, 32), 16)
    .option("--size <pixels>", "side of the input, a multiple of the patch", whole(16, 1024), 224)
    .option("--seed <number>", "seed of the random weights", whole(0, 2 ** 32 - 1), 0)
    .description("make a model with random weights: a baseline, and where pretraining starts")
    .addHelpText("after", "\nExample:\n  dinoscope models new untrained --arch vit-tiny")
    .action(
      (
        name: string,
        flags: { arch: "vit-tiny" | "vit-small" | "vit-base"; patch: number; size: number; seed: number },
        command: Command,
      ) =>
        run(command, async ({ app, output }) =>
          reportModel(output, await app({ create: true }).createModel(name, flags)),
        ),
    );

  models
    .command("export")
    .argument("<destination>", "file to write (timm, onnx), or folder (huggingface)")
    .option("--model <name>", "the model; the newest trained one unless given")
    .addOption(
      new Option("--format <format>", "for which tools; told by the destination unless given").choices([
        "timm",
        "huggingface",
        "onnx",
      ]),
    )
    .description("write a model for other tools: safetensors under timm or Hugging Face names, or ONNX with attention")
    .addHelpText("after", "\nExample:\n  dinoscope models export dino.onnx --format onnx")
    .action((destination: string, flags: { model?: string; format?: Format }, command: Command) =>
      run(command, async ({ viewer, output }) => {
        const format = flags.format ?? formatOf(destination);
        for (const file of await viewer().exportModel(flags.model, format, destination)) {
          output.data("file", { file });
          output.line(file);
        }
      }),
    );
}

type Format = "timm" | "huggingface" | "onnx";

/** The format that a destination asks for by its ending. Throws `option-invalid` where it could be either of two. */
function formatOf(destination: string): Format {
  switch (extname(destination).toLowerCase()) {
    case ".onnx":
      return "onnx";
    case ".safetensors":
      return "timm";
    default:
      throw new CoreError("option-invalid", `${destination} does not tell in which format to write.`, {
        hint: "Name a file NAME.safetensors (timm) or NAME.onnx, or a folder with --format huggingface.",
      });
  }
}

/** A parser for SHA-256 hashes, for commander. */
function sha256(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text;
  throw new InvalidArgumentError("Wanted 64 hexadecimal digits.");
}

/** The papers' names of transformers, by width and depth. */
const namedSizes: Readonly<Record<string, string>> = {
  "192 x 12": "ViT-Ti",
  "384 x 12": "ViT-S",
  "768 x 12": "ViT-B",
  "1024 x 24": "ViT-L",
};

/** `ViT-S/16`, or `ViT/16, 3 blocks` for a size without a name. */
function kindOf({ architecture, width }: Model): string {
  if (architecture === null) return "ONNX";
  const { depth, patch, registers } = architecture;
  const name = namedSizes[`${width} x ${String(depth)}`];
  const extra = typeof registers === "number" && registers > 0 ? `, ${counted(registers, "register")}` : "";
  return `${name ?? "ViT"}/${String(patch)}${name === undefined ? `, ${String(depth)} blocks` : ""}${extra}`;
}

function origin({ provenance, trained }: Model): string {
  return trained ? provenance.format : "random weights";
}

function reportModel(output: Output, model: Model): void {
  output.data("model", model);
  const heads = model.architecture === null ? "" : `, ${String(model.architecture["heads"])} heads`;
  output.paragraph(
    `${model.name}: ${kindOf(model)}${heads}, ${number(model.width)} features, input ${model.imageSize} px, ` +
      `from ${origin(model)}.`,
  );
  const { sourceHash } = model.provenance;
  if (sourceHash !== null) output.line(`  SHA-256 ${sourceHash}`);
}
