import type { MenuCommand } from "../../core/rpc/desktop.ts";
import { takesKey } from "../lib/keys.ts";
import type { App } from "./app.svelte.ts";

/**
 * Does what was chosen in the desktop program's menu. Undo is typing's in a field, and the library's elsewhere; while a
 * dialog is open it is nothing else's, as with its key.
 */
export function doMenuCommand(app: Pick<App, "commands" | "panels">, command: MenuCommand): void {
  if (command !== "undo" && command !== "redo") return app.commands.run(command);
  if (takesKey(document.activeElement, { key: "z" }) === "text") {
    // Out of date by its standard, and the one way to ask for what the key does.
    document.execCommand(command);
    return;
  }
  // As the keys do: a stroke on the open picture first.
  const stroke = `${command}-stroke`;
  const id = app.commands.available().some((one) => one.id === stroke) ? stroke : command;
  const dialog = document.querySelector("[data-dialog-content]:not([data-state=closed])");
  if (app.panels.open === null && dialog === null) app.commands.run(id);
}
