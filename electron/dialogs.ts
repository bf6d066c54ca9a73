/** The system's own dialogs and its file manager. */
import { statSync } from "node:fs";
import { isAbsolute } from "node:path";
import type * as Electron from "electron";
import type { FilePurpose, FolderPurpose } from "../core/rpc/desktop.ts";
import type { CoreFailure } from "./core-process.ts";

type Parts = Pick<typeof Electron, "dialog" | "shell">;
type Window = Electron.BrowserWindow | null;

const folderWords: Readonly<Record<FolderPurpose | "library", { title: string; buttonLabel: string }>> = {
  pictures: { title: "Choose a folder of pictures", buttonLabel: "Add folder" },
  export: { title: "Choose where to write", buttonLabel: "Choose" },
  library: { title: "Open or make a library", buttonLabel: "Open library" },
};

const fileWords: Readonly<Record<FilePurpose, { title: string; filters: Electron.FileFilter[] }>> = {
  model: {
    title: "Choose weights",
    filters: [{ name: "Models", extensions: ["pth", "pt", "safetensors", "onnx"] }],
  },
  labels: {
    title: "Choose labels",
    filters: [{ name: "Labels", extensions: ["csv", "jsonl", "json", "zip"] }],
  },
  picture: {
    title: "Choose a picture",
    filters: [{ name: "Pictures", extensions: ["jpg", "jpeg", "png", "webp", "avif", "gif", "tif", "tiff"] }],
  },
};

export interface Dialogs {
  chooseFolder(purpose: FolderPurpose | "library"): Promise<string | null>;
  chooseFile(purpose: FilePurpose): Promise<string | null>;
  /** Shows a path in the file manager; opening it could run it. Throws for what is not there, or not on this machine. */
  reveal(path: string): void;
  /** Whether to stop what runs, and quit or open another library. */
  confirmLeaving(jobs: number, then: "quit" | "switch"): Promise<boolean>;
  /** The core does not run, or does not open the library of this name. */
  coreFailed(failure: CoreFailure, library: string): Promise<"again" | "other" | "log" | "quit">;
  /** The page died. */
  pageFailed(reason: string): Promise<"reload" | "quit">;
}

/** The dialogs of a window, or of no window while none is shown: one of a hidden window would be hidden, too. */
export function createDialogs({ dialog, shell }: Parts, anyWindow: () => Window): Dialogs {
  const currentWindow = (): Window => {
    const window = anyWindow();
    return window?.isVisible() === true ? window : null;
  };
  const open = async (options: Electron.OpenDialogOptions): Promise<string | null> => {
    const window = currentWindow();
    const shown = window === null ? dialog.showOpenDialog(options) : dialog.showOpenDialog(window, options);
    const { canceled, filePaths } = await shown;
    return canceled ? null : (filePaths[0] ?? null);
  };
  const ask = async <Answer>(
    answers: readonly [Answer, ...Answer[]],
    options: Electron.MessageBoxOptions & { readonly buttons: string[] },
  ): Promise<Answer> => {
    const window = currentWindow();
    const shown = window === null ? dialog.showMessageBox(options) : dialog.showMessageBox(window, options);
    return answers[(await shown).response] ?? answers[0];
  };
  return {
    chooseFolder: (purpose) =>
      open({ ...folderWords[purpose], properties: ["openDirectory", "createDirectory", "promptToCreate"] }),
    chooseFile: (purpose) => open({ ...fileWords[purpose], properties: ["openFile"] }),
    reveal: (path) => {
      if (!isLocal(path)) throw new Error(`Expected the full path of something on this machine, got ${path}.`);
      if (statSync(path, { throwIfNoEntry: false }) === undefined) throw new Error(`${path} is not there any more.`);
      shell.showItemInFolder(path);
    },
    confirmLeaving: (jobs, then) => {
      const leave = then === "quit" ? "quit" : "open the other library";
      return ask([true, false], {
        type: "question",
        message:
          jobs === 1 ? `A job is running. Stop it and ${leave}?` : `${jobs} jobs are running. Stop them and ${leave}?`,
        detail: "What is done so far is kept, and you can go on with the rest next time.",
        buttons: [then === "quit" ? "Stop and quit" : "Stop and open", "Keep running"],
        defaultId: 1,
        cancelId: 1,
      });
    },
    coreFailed: ({ reason, code, logTail }, library) =>
      ask(["again", "other", "log", "quit"], {
        type: "error",
        message: failureWords(code, library),
        detail: [reason, shortened(logTail)].filter((part) => part !== "").join("\n\n"),
        buttons: ["Try again", "Open or make another library…", "Show Log", "Quit"],
        defaultId: 0,
        cancelId: 3,
      }),
    pageFailed: (reason) =>
      ask(["reload", "quit"], {
        type: "error",
        message: "The window stopped working.",
        detail: `Nothing is lost: the library is kept by another process. (${reason})`,
        buttons: ["Load it again", "Quit"],
        defaultId: 0,
        cancelId: 1,
      }),
  };
}

function failureWords(code: string | null, library: string): string {
  if (code === null) return "Dinoscope stopped working.";
  return code === "library-missing" ? `“${library}” is not there any more.` : `“${library}” cannot be opened.`;
}

/** Lines of the log that a dialog shows, and characters of each: it does not scroll everywhere. */
const shownLines = 12;
const shownCharacters = 200;

function shortened(log: string): string {
  const lines = log.split("\n").slice(-shownLines);
  return lines.map((line) => (line.length > shownCharacters ? `${line.slice(0, shownCharacters)}…` : line)).join("\n");
}

/** Whether a path is absolute and on this machine: naming a share of another would send it this user's password hash. */
export function isLocal(path: string): boolean {
  return isAbsolute(path) && !/^[\\/]{2}/.test(path) && !path.includes("\0");
}
