import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { CoreError } from "../util/errors.ts";
import { addCheckCommands } from "./check-commands.ts";
import { addClusterCommands } from "./cluster-commands.ts";
import { exitCodes } from "./context.ts";
import { addDatasetCommands } from "./dataset-commands.ts";
import { addDemoCommand } from "./demo.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addLabelCommands } from "./label-commands.ts";
import { addCommands } from "./library-commands.ts";
import { addMaskCommands } from "./mask-commands.ts";
import { addMapCommands } from "./map-commands.ts";
import { addModelCommands } from "./model-commands.ts";
import { createOutput } from "./output.ts";
import { addServeCommand } from "./serve-command.ts";
import { addPretrainCommands } from "./pretrain-commands.ts";

/** The whole command line. Parsing throws a CommanderError for wrong usage, and after `--help` and `--version`. */
export function createProgram(): Command {
  const program = new Command("dinoscope")
    .description(
      "Label thousands of pictures by naming a few: DINO embeddings, label suggestions and masks, all on this machine.",
    )
    .version(versionOfPackage(), "-V, --version", "print the version")
    .option(
      "--library <folder>",
      "the library's folder, or the variable DINOSCOPE_LIBRARY",
      // An empty variable is one that is not set.
      process.env["DINOSCOPE_LIBRARY"] || "dinoscope-library",
    )
    .option("--json", "results as JSON, one object a line")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show the help of a command")
    // Commands that are added below take these three over.
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText(
      "after",
      `
Example:
  dinoscope add ~/shelf-photos           take in the pictures of a folder
  dinoscope models download dino-vits16  fetch weights (or: models import FILE)
  dinoscope embed                        compute what the model sees
  dinoscope labels import labels.csv     columns path,label[,coarse]
  dinoscope suggest                      labels for the rest, with their voters`,
    );
  addCommands(program);
  addModelCommands(program);
  addLabelCommands(program);
  addClusterCommands(program);
  addMapCommands(program);
  addCheckCommands(program);
  addMaskCommands(program);
  addDatasetCommands(program);
  addPretrainCommands(program);
  addServeCommand(program);
  addDoctorCommand(program);
  addDemoCommand(program);
  return program;
}

/** Runs the command line on arguments (without those of Node), and sets the exit code. */
export async function runProgram(args: readonly string[]): Promise<void> {
  // Help is often read through a pipe that ends early; commands that run see to it themselves.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  try {
    await createProgram().parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    process.exitCode = exitCodes.usage;
    createOutput(args.includes("--json")).error(usageError(error));
  }
}

/** `error: unknown command 'embd'\n(Did you mean embed?)` as one of our errors. */
export function usageError({ code, message }: CommanderError): CoreError {
  // Without a command commander has printed the help, and has nothing to say itself.
  if (code === "commander.help") return new CoreError("usage", "Expected a command.");
  const [what = "", ...rest] = message.replace(/^error: /, "").split("\n");
  const sentence = what.charAt(0).toUpperCase() + what.slice(1);
  const suggestion = rest.join(" ").replace(/^\(|\)$/g, "");
  return new CoreError("usage", /[.?!]$/.test(sentence) ? sentence : `${sentence}.`, {
    hint: suggestion === "" ? "Add --help to see how the command is used." : suggestion,
  });
}

function versionOfPackage(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
