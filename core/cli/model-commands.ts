import { Argument, Option, type Command } from "commander";
import { publishedModels } from "../app.ts";
import type { Model } from "../rpc/records.ts";
import { run, whole } from "./context.ts";
import { number, table, type Output } from "./output.ts";

/** Commands about models: list, import, download, new, export. */
export function addModelCommands(program: Command): void {
  const models = program.command("models").description("list, import, download, make or export models");

  models
    .command("list")
    .description("list the library's models")
    .addHelpText("after", "\nExample:\n  dinoscope models list")
    .action((_flags: object, command: Command) =>
      run(command, ({ app, output }) => {
        const all = app().models();
        for (const model of all) output.data("model", model);
        const rows = all.map((model) => [
          model.name,
          describe(model),
          `${model.imageSize} px`,
          model.provenance.format,
        ]);
        if (rows.length === 0) output.line("The library has no model yet.");
        else for (const line of table([["name", "architecture", "input", "from"], ...rows])) output.line(line);
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
      run(command, async ({ app, output }) => reportModel(output, await app().importModel(file, flags))),
    );

  models
    .command("download")
    .addArgument(new Argument("<name>", "a published model").choices(publishedModels.map(({ name }) => name)))
    .option(
      "--base-url <url>",
      "where to fetch from, instead of the authors' server",
      process.env["DINOSCOPE_MODELS_URL"],
    )
    .option("--sha256 <hex>", "hash that the file must have")
    .description("fetch weights that the authors of DINO publish (Apache-2.0), and import them")
    .addHelpText(
      "after",
      `\nModels:\n${publishedModels.map(({ name, summary }) => `  ${name.padEnd(13)}${summary}`).join("\n")}` +
        "\n\nExample:\n  dinoscope models download dino-vits16",
    )
    .action((name: string, flags: { baseUrl?: string; sha256?: string }, command: Command) =>
      run(command, async ({ app, output, watch }) => {
        const settings = { baseUrl: flags.baseUrl, sha256: flags.sha256 };
        reportModel(output, await app().downloadModel(name, settings, watch));
      }),
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
      ) => run(command, async ({ app, output }) => reportModel(output, await app().createModel(name, flags))),
    );

  models
    .command("export")
    .argument("<destination>", "file to write (timm, onnx), or folder (huggingface)")
    .option("--model <name>", "the model; the newest trained one unless given")
    .addOption(
      new Option("--format <format>", "for which tools").choices(["timm", "huggingface", "onnx"]).default("timm"),
    )
    .description("write a model for other tools: safetensors under timm or Hugging Face names, or ONNX with attention")
    .addHelpText("after", "\nExample:\n  dinoscope models export dino.onnx --format onnx")
    .action(
      (destination: string, flags: { model?: string; format: "timm" | "huggingface" | "onnx" }, command: Command) =>
        run(command, async ({ app, output }) => {
          for (const file of await app().exportModel(flags.model, flags.format, destination)) {
            output.data("file", { file });
            output.line(file);
          }
        }),
    );
}

function describe({ architecture, width, kind }: Model): string {
  if (architecture === null) return `${kind}, ${number(width)} features`;
  const { depth, heads, patch, registers } = architecture;
  const extra = typeof registers === "number" && registers > 0 ? `, ${registers} registers` : "";
  return `ViT, width ${width}, depth ${String(depth)}, ${String(heads)} heads, patch ${String(patch)}${extra}`;
}

function reportModel(output: Output, model: Model): void {
  output.data("model", model);
  output.line(`${model.name}: ${describe(model)}, input ${model.imageSize} px, from ${model.provenance.format}.`);
  output.line(`  SHA-256 of the original: ${model.provenance.sourceHash ?? "none, random weights"}`);
}
