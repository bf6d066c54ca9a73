/** Ways to take a folder of pictures in: the system's dialog and a drop, and the page's own dialog where they are not. */
import { pageDesktop } from "../lib/desktop.ts";
import type { App } from "./app.svelte.ts";

type Rooms = Pick<App, "core" | "jobs" | "panels" | "toasts">;

/** Asks for a folder and takes it in. */
export async function addFolder({ core, jobs, panels }: Rooms): Promise<void> {
  const desktop = pageDesktop();
  if (desktop === null) return panels.show("folder");
  try {
    const folder = await desktop.chooseFolder("pictures");
    if (folder !== null) await jobs.start({ kind: "ingest", parameters: { folder } });
  } catch (error) {
    core.refused(error);
  }
}

/** Takes dropped folders in. A browser does not say where they are, so there the page asks once more. */
export async function addDropped({ core, jobs, panels, toasts }: Rooms, folders: readonly File[]): Promise<void> {
  const desktop = pageDesktop();
  if (desktop === null) {
    toasts.show({ kind: "done", message: "A browser does not say where a folder is. Choose it here once more." });
    return panels.show("folder");
  }
  try {
    for (const dropped of folders) {
      const folder = await desktop.pathOfDropped(dropped);
      if (folder !== null) await jobs.start({ kind: "ingest", parameters: { folder } });
    }
  } catch (error) {
    core.refused(error);
  }
}
