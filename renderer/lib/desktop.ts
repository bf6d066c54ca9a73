import { desktopGlobal, type Desktop } from "../../core/rpc/desktop.ts";

/** What only the desktop program can do; null in a browser. */
export function pageDesktop(): Desktop | null {
  return (globalThis as { [desktopGlobal]?: Desktop })[desktopGlobal] ?? null;
}
