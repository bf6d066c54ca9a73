import { desktopGlobal, type Desktop } from "../../core/rpc/desktop.ts";

/** What only the desktop program can do; null in a browser. */
export function pageDesktop(): Desktop | null {
  return (globalThis as { [desktopGlobal]?: Desktop })[desktopGlobal] ?? null;
}

/** The folders among what is dropped. Asked while the drop is handled: after it the browser has forgotten what it was. */
export function droppedFolders(transfer: DataTransfer | null): File[] {
  return [...(transfer?.items ?? [])]
    .filter((item) => item.webkitGetAsEntry()?.isDirectory === true)
    .flatMap((item) => item.getAsFile() ?? []);
}
