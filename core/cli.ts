/** The app from a terminal: `dinoscope COMMAND`. `--help` shows every command with an example. */
import { Command } from "commander";
import { addCommands } from "./cli/library-commands.ts";
import { addModelCommands } from "./cli/model-commands.ts";
import { addLabelCommands } from "./cli/label-commands.ts";
import { addDemoCommand } from "./cli/demo.ts";

const program = new Command("dinoscope")
  .description(
    "Label thousands of pictures by naming a few: DINO embeddings, label suggestions and masks, all on this machine.",
  )
  .option(
    "--library <folder>",
    "the library's folder; made when it is not there",
    process.env["DINOSCOPE_LIBRARY"] ?? "dinoscope-library",
  )
  .option("--json", "results as JSON, one object a line")
  .showHelpAfterError("(dinoscope --help shows the commands)")
  .addHelpText(
    "after",
    `
Example:
  dinoscope add ~/shelf-photos              take in the pictures of a folder
  dinoscope models download dino-vits16     fetch published weights (or: models import FILE)
  dinoscope embed                           compute what the model sees
  dinoscope labels import labels.csv        columns path,label[,coarse]
  dinoscope suggest                         labels for the rest, with their voters`,
  );

addCommands(program);
addModelCommands(program);
addLabelCommands(program);
addDemoCommand(program);

await program.parseAsync();
