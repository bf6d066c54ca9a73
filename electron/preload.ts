/**
 * Runs in the page's process, in a world of its own, and hands the page named functions, never `ipcRenderer` itself.
 * Built as one CommonJS file, because a sandboxed preload can load nothing else.
 */
import { contextBridge, ipcRenderer, webUtils } from "electron";
import { desktopGlobal, type Desktop, type MenuCommand } from "../core/rpc/desktop.ts";
import { commandChannel, type Arguments, type Channel } from "./channels.ts";

function ask<Name extends Channel>(channel: Name, ...args: Arguments<Name>): Promise<never> {
  return ipcRenderer.invoke(channel, ...args) as Promise<never>;
}

const desktop: Desktop = {
  platform: process.platform,
  chooseFolder: (purpose) => ask("choose-folder", purpose),
  chooseFile: (purpose) => ask("choose-file", purpose),
  pathOfDropped: async (file) => {
    // Only a file that a person dropped or chose has a path; one that the page made itself has none.
    const path = webUtils.getPathForFile(file);
    return path === "" ? null : ask("dropped", path);
  },
  reveal: (path) => ask("reveal", path),
  recentLibraries: () => ask("recent-libraries"),
  openRecentLibrary: (folder) => ask("open-recent-library", folder),
  // The event itself stays here: it has a way to every channel.
  onCommand: (listener) => void ipcRenderer.on(commandChannel, (_event, command: MenuCommand) => listener(command)),
  chooseLibrary: () => ask("choose-library"),
};

contextBridge.exposeInMainWorld(desktopGlobal, desktop);
