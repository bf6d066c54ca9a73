/** The app from a terminal: `dinoscope COMMAND`. `--help` shows every command with an example. */
import { runProgram } from "./cli/program.ts";

await runProgram(process.argv.slice(2));
