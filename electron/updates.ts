/** Updates: off unless the program was packed with a feed, and never fetched without a yes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type * as Electron from "electron";

type Parts = Pick<typeof Electron, "app" | "dialog">;

/**
 * Asks the feed once whether there is a newer version; where there is one, asks the user, and installs it at the next
 * quit. Returns false without a feed. Trouble with it is nobody's business but the log's.
 */
export async function lookForUpdate({ app, dialog }: Parts, log: (text: string) => void): Promise<boolean> {
  // electron-builder writes this file when it is told where updates will be (docs/packaging.md).
  if (!app.isPackaged || !existsSync(join(process.resourcesPath, "app-update.yml"))) return false;
  const { autoUpdater } = await import("electron-updater");
  autoUpdater.autoDownload = false;
  autoUpdater.autoInstallOnAppQuit = true;
  try {
    const found = await autoUpdater.checkForUpdates();
    if (found?.isUpdateAvailable !== true) return true;
    const { response } = await dialog.showMessageBox({
      type: "info",
      message: `Dinoscope ${found.updateInfo.version} is there. Download it?`,
      detail: "It is installed when you quit. Your libraries stay as they are.",
      buttons: ["Download", "Not now"],
      defaultId: 0,
      cancelId: 1,
    });
    if (response === 0) await autoUpdater.downloadUpdate();
  } catch (error) {
    log(`Looking for an update failed: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  return true;
}
