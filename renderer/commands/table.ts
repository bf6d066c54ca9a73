import type { App, AppCommand } from "../state/app.svelte.ts";
import { placesOfGroups } from "../lib/key-places.ts";
import { clusterCommands } from "./clusters.ts";
import { checkCommands } from "./checks.ts";
import { exportCommands } from "./exporting.ts";
import { frameCommands } from "./frame.ts";
import { imageCommands } from "./images.ts";
import { libraryCommands } from "./library.ts";
import { trainingCommands } from "./training.ts";
import { mapCommands } from "./map.ts";
import { pictureCommands } from "./picture.ts";
import { reviewCommands } from "./review.ts";

/** A view in the table of views (views/table.ts), as far as commands need it. */
interface ViewName {
  readonly id: string;
  readonly title: string;
  readonly keys: readonly string[];
}

/** A command with its places; one that says nothing of when it can be done can be done anywhere. */
function placed(command: AppCommand): AppCommand {
  return command.when === undefined ? command : { where: placesOfGroups[command.group], ...command };
}

/** The one table of commands: views, palette, cheat sheet and keys are made from it. */
export function commandTable(views: readonly ViewName[]): readonly AppCommand[] {
  return [
    ...views.map(({ id, title, keys }) => ({
      id: `view-${id}`,
      title: `Go to ${title}`,
      group: "Views",
      keys,
      run: ({ place }: App) => place.go({ view: id, imageId: null }),
    })),
    ...pictureCommands,
    // First, since keys of the grid mean other things on these walls.
    ...clusterCommands,
    ...reviewCommands,
    ...checkCommands,
    ...trainingCommands,
    ...exportCommands,
    ...imageCommands,
    ...mapCommands,
    ...libraryCommands,
    ...frameCommands,
  ].map(placed);
}
