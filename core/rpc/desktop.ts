/** What the desktop program adds to the page: the few things that only it can do. A browser tab has none of them. */

/** Name of the global under which the page finds `Desktop`; undefined in a browser. */
export const desktopGlobal = "dinoscopeDesktop";

/** What a folder is chosen for: it decides the words and whether a new one can be made. */
export type FolderPurpose = "pictures" | "export";

/** What a file is chosen for: it decides which endings are offered. */
export type FilePurpose = "model" | "labels" | "picture";

/** A library that was open before; the newest comes first. */
export interface RecentLibrary {
  readonly folder: string;
  /** The last part of the folder's path. */
  readonly name: string;
}

/** What the menu asks of the page: commands of its own, by their ids. */
export type MenuCommand = "add-folder" | "view-export" | "undo" | "redo";

/**
 * The functions of `window[desktopGlobal]`. A folder or file that a person chose or dropped may be used by the core from
 * then on, wherever it lies. Calls are refused (they throw) when their arguments are not what is written here.
 */
export interface Desktop {
  readonly platform: string;
  /** The system's folder dialog; null when it was left without a choice. */
  chooseFolder(purpose: FolderPurpose): Promise<string | null>;
  /** The system's file dialog; null when it was left without a choice. */
  chooseFile(purpose: FilePurpose): Promise<string | null>;
  /** The path of a file or folder that was dropped on the page; null for what has none. */
  pathOfDropped(file: File): Promise<string | null>;
  /** Shows a file or folder in the file manager. Never opens it. Throws when it is not there. */
  reveal(path: string): Promise<void>;
  recentLibraries(): Promise<readonly RecentLibrary[]>;
  /** Opens one of `recentLibraries`; the page is loaded anew. */
  openRecentLibrary(folder: string): Promise<void>;
  /** Calls `listener` with what is chosen in the menu and is the page's to do. */
  onCommand(listener: (command: MenuCommand) => void): void;
  /** Asks for a library's folder and opens it; false when it was left without a choice. */
  chooseLibrary(): Promise<boolean>;
}
