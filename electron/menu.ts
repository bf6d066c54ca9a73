/** The menu, by the conventions of each platform. */
import type * as Electron from "electron";
import type { MenuCommand } from "../core/rpc/desktop.ts";
import { recentLibrary } from "./settings.ts";
import { externalPages } from "./lockdown.ts";

export interface MenuActions {
  readonly chooseLibrary: () => void;
  readonly openLibrary: (folder: string) => void;
  readonly forgetLibraries: () => void;
  readonly showLibrary: () => void;
  readonly showLog: () => void;
  readonly showLicences: () => void;
  readonly showPage: (url: string) => void;
  /** Has the page do one of its own commands. */
  readonly command: (command: MenuCommand) => void;
}

export interface MenuState {
  readonly platform: NodeJS.Platform;
  readonly recent: readonly string[];
  /** Whether to offer the tools of those who work on Dinoscope itself. */
  readonly developing: boolean;
  readonly actions: MenuActions;
}

type Item = Electron.MenuItemConstructorOptions;

const separator: Item = { type: "separator" };

/** What is done with text in fields. */
const textItems: readonly Item[] = [{ role: "cut" }, { role: "copy" }, { role: "paste" }];

/** The menu of a field, or of text that is marked; empty where there is nothing to do. The page's own menus are its own. */
export function textMenu({ isEditable, selectionText, editFlags }: TextPlace): Item[] {
  if (!isEditable) return selectionText.trim() === "" ? [] : [{ role: "copy" }];
  const { canCut, canCopy, canPaste, canSelectAll } = editFlags;
  const can: Readonly<Record<string, boolean>> = { cut: canCut, copy: canCopy, paste: canPaste };
  return [
    ...textItems.map((item) => ({ ...item, enabled: can[item.role ?? ""] ?? true })),
    separator,
    { role: "selectAll", enabled: canSelectAll },
  ];
}

type TextPlace = Pick<Electron.ContextMenuParams, "isEditable" | "selectionText" | "editFlags">;

/** The whole menu, from left to right. */
export function menuTemplate({ platform, recent, developing, actions }: MenuState): Item[] {
  const mac = platform === "darwin";
  const application: Item = {
    role: "appMenu",
    label: "Dinoscope",
    submenu: [
      { role: "about" },
      separator,
      { role: "services" },
      separator,
      { role: "hide" },
      { role: "hideOthers" },
      { role: "unhide" },
      separator,
      { role: "quit" },
    ],
  };
  const file: Item = {
    label: "&File",
    submenu: [
      // These two keys are the page's as well, which has them first.
      { label: "Add Pictures…", accelerator: "CmdOrCtrl+O", click: () => actions.command("add-folder") },
      { label: "Open Library…", accelerator: "CmdOrCtrl+Shift+O", click: actions.chooseLibrary },
      { label: "Open Recent", submenu: recentItems(recent, actions) },
      separator,
      { label: "Export…", click: () => actions.command("view-export") },
      separator,
      { label: mac ? "Show Library in Finder" : "Show Library Folder", click: actions.showLibrary },
      separator,
      mac ? { role: "close" } : { role: "quit" },
    ],
  };
  const edit: Item = {
    role: "editMenu",
    label: "&Edit",
    submenu: [
      // Not Electron's own, which undo typing only: the page knows whether it is typing or labels that are meant.
      { label: "Undo", accelerator: "CmdOrCtrl+Z", click: () => actions.command("undo") },
      {
        label: "Redo",
        accelerator: platform === "win32" ? "Ctrl+Y" : "CmdOrCtrl+Shift+Z",
        click: () => actions.command("redo"),
      },
      separator,
      ...textItems,
      { role: "delete" },
      separator,
      { role: "selectAll" },
    ],
  };
  const view: Item = {
    label: "&View",
    submenu: [
      { role: "resetZoom" },
      { role: "zoomIn" },
      { role: "zoomOut" },
      separator,
      { role: "togglefullscreen" },
      ...(developing ? ([separator, { role: "reload" }, { role: "toggleDevTools" }] as const) : []),
    ],
  };
  const [paper = "", code = ""] = externalPages;
  const help: Item = {
    role: "help",
    label: "&Help",
    submenu: [
      { label: "The DINO Paper", click: () => actions.showPage(paper) },
      { label: "The DINO Authors' Code", click: () => actions.showPage(code) },
      separator,
      { label: "Show Log", click: actions.showLog },
      { label: "Licences of Others", click: actions.showLicences },
      ...(mac ? [] : ([separator, { role: "about" }] as const)),
    ],
  };
  return [...(mac ? [application] : []), file, edit, view, { role: "windowMenu" }, help];
}

function recentItems(recent: readonly string[], actions: MenuActions): Item[] {
  if (recent.length === 0) return [{ label: "None yet", enabled: false }];
  return [
    ...recent.map((folder): Item => ({
      // A single & would underline the next letter.
      label: recentLibrary(folder).name.replaceAll("&", "&&"),
      toolTip: folder,
      click: () => actions.openLibrary(folder),
    })),
    separator,
    { label: "Forget These", click: actions.forgetLibraries },
  ];
}
