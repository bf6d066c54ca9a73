/**
 * What the window around the page can do, where the page runs in Dinoscope's own window. In a browser there is nothing
 * of it, and the page does without.
 */
export interface Host {
  /** The system's dialog for a folder; null when it was closed. */
  chooseFolder(): Promise<string | null>;
  /** Where a dropped file or folder is. */
  pathOf(file: File): string;
}

/** The host of this page, or null in a browser. */
export function pageHost(): Host | null {
  return (globalThis as { dinoscopeHost?: Host }).dinoscopeHost ?? null;
}
