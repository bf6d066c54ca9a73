import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type * as Electron from "electron";
import { expect, test } from "vitest";
import { externalPages } from "../../electron/lockdown.ts";
import { menuTemplate, textMenu, type MenuState } from "../../electron/menu.ts";
import { root } from "./support.ts";

type Item = Electron.MenuItemConstructorOptions;

const itemsOf = ({ submenu }: Item): Item[] => (Array.isArray(submenu) ? submenu : []);
const flat = (items: readonly Item[]): Item[] => items.flatMap((item) => [item, ...flat(itemsOf(item))]);

function menu(state: Partial<MenuState> = {}): { template: Item[]; done: string[]; click: (label: string) => void } {
  const done: string[] = [];
  const template = menuTemplate({
    platform: "linux",
    recent: [],
    developing: false,
    ...state,
    actions: {
      chooseLibrary: () => void done.push("choose"),
      openLibrary: (folder) => void done.push(`open ${folder}`),
      forgetLibraries: () => void done.push("forget"),
      showLibrary: () => void done.push("library"),
      showLog: () => void done.push("log"),
      showLicences: () => void done.push("licences"),
      showPage: (url) => void done.push(url),
      command: (command) => void done.push(command),
    },
  });
  const click = (label: string): void => {
    const item = flat(template).find((one) => one.label === label);
    // What is clicked needs nothing of what Electron hands over.
    (item?.click as (() => void) | undefined)?.();
  };
  return { template, done, click };
}

const rolesOf = (items: readonly Item[]): (string | undefined)[] => items.map(({ role }) => role);

test("on macOS about, hiding and quitting are in the program's own menu, and File closes the window", () => {
  const { template } = menu({ platform: "darwin" });
  const [application = {}, file = {}] = template;
  expect(application.role).toBe("appMenu");
  expect(rolesOf(itemsOf(application))).toEqual(
    expect.arrayContaining(["about", "services", "hide", "hideOthers", "unhide", "quit"]),
  );
  expect(rolesOf(itemsOf(file))).toContain("close");
  expect(rolesOf(itemsOf(file))).not.toContain("quit");
  expect(flat(template).some(({ label }) => label === "Show Library in Finder")).toBe(true);
  expect(flat(template).filter(({ role }) => role === "about")).toHaveLength(1);
});

test.each(["linux", "win32"] as const)("on %s File quits, and Help tells about the program", (platform) => {
  const { template } = menu({ platform });
  expect(template[0]?.label).toBe("&File");
  expect(rolesOf(itemsOf(template[0] ?? {}))).toContain("quit");
  expect(rolesOf(itemsOf(template.at(-1) ?? {}))).toContain("about");
  expect(rolesOf(template)).not.toContain("appMenu");
});

test("fields can be cut, copied and pasted, and the window can be managed, on every platform", () => {
  for (const platform of ["darwin", "linux", "win32"] as const)
    expect(rolesOf(menu({ platform }).template)).toEqual(expect.arrayContaining(["editMenu", "windowMenu", "help"]));
});

test("undo and redo go to the page, which knows whether typing or labels are meant", () => {
  for (const platform of ["darwin", "linux", "win32"] as const) {
    const { template, done, click } = menu({ platform });
    click("Undo");
    click("Redo");
    expect(done).toEqual(["undo", "redo"]);
    // Electron's own would undo typing only.
    expect(rolesOf(flat(template)).filter((role) => role === "undo" || role === "redo")).toEqual([]);
    const edit = template.find(({ role }) => role === "editMenu") ?? {};
    expect(rolesOf(itemsOf(edit))).toEqual(expect.arrayContaining(["cut", "copy", "paste", "delete", "selectAll"]));
  }
});

test("a field has a menu for its text, marked text can be copied, and elsewhere the page has its own", () => {
  const editFlags = { canCut: false, canCopy: false, canPaste: true, canSelectAll: true } as Electron.EditFlags;
  const field = textMenu({ isEditable: true, selectionText: "", editFlags });
  expect(field.map(({ role, enabled }) => [role, enabled])).toEqual([
    ["cut", false],
    ["copy", false],
    ["paste", true],
    [undefined, undefined],
    ["selectAll", true],
  ]);
  expect(rolesOf(textMenu({ isEditable: false, selectionText: "shelf", editFlags }))).toEqual(["copy"]);
  expect(textMenu({ isEditable: false, selectionText: " ", editFlags })).toEqual([]);
});

test("recent libraries are offered by name, open by folder and can be forgotten", () => {
  const { template, done, click } = menu({ recent: ["/home/ada/R&D shelf", "/mnt/shop"] });
  const recent = itemsOf(flat(template).find(({ label }) => label === "Open Recent") ?? {});
  expect(recent.map(({ label }) => label)).toEqual(["R&&D shelf", "shop", undefined, "Forget These"]);
  click("R&&D shelf");
  click("Forget These");
  expect(done).toEqual(["open /home/ada/R&D shelf", "forget"]);
  expect(flat(menu().template).find(({ label }) => label === "None yet")?.enabled).toBe(false);
});

test("every other item does what it says", () => {
  const { done, click } = menu();
  for (const label of [
    "Add Pictures…",
    "Export…",
    "Open Library…",
    "Show Library Folder",
    "Show Log",
    "Licences of Others",
    "The DINO Paper",
  ])
    click(label);
  expect(done).toEqual(["add-folder", "view-export", "choose", "library", "log", "licences", externalPages[0]]);
});

test("developer tools and reloading are offered from a checkout only", () => {
  const tools = (developing: boolean): number =>
    flat(menu({ developing }).template).filter(({ role }) => role === "toggleDevTools" || role === "reload").length;
  expect([tools(true), tools(false)]).toEqual([2, 0]);
});

test("the page has no key that the menu has, but those that mean the same", () => {
  // What Electron gives to the roles that are used (lib/browser/api/menu-item-roles.ts); those of the edit menu are
  // of text fields, and the page takes undo and the others only outside of them.
  const ofRoles = ["Q", "W", "M", "H", "Alt+H", "0", "+", "-", "R"].map((key) => `Mod+${key}`);
  const own = flat(menu().template).flatMap(({ accelerator }) =>
    accelerator === undefined || accelerator === null ? [] : [String(accelerator).replace("CmdOrCtrl", "Mod")],
  );
  const page = globSync("renderer/commands/*.ts", { cwd: root })
    .map((file) => readFileSync(join(root, file), "utf8"))
    .flatMap((text) => [...text.matchAll(/keys: \[([^\]]*)\]/g)])
    .flatMap(([, list = ""]) => [...list.matchAll(/"([^"]+)"/g)].map(([, keys = ""]) => keys));
  expect(page).toContain("Mod+K");
  expect(page.filter((keys) => ofRoles.includes(keys))).toEqual([]);
  expect([...new Set(page.filter((keys) => own.includes(keys)))]).toEqual([
    "Mod+Z",
    "Mod+Shift+Z",
    "Mod+O",
    "Mod+Shift+O",
  ]);
});
