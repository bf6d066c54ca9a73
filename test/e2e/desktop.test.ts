/** What the page does with the desktop program's functions: the built page in Debian's browser, with these played. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { desktopGlobal } from "../../core/rpc/desktop.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { soon } from "./soon.ts";
import { buildPage, hasBrowser, openBrowser, startCore, type Running } from "./support.ts";

describe.skipIf(!hasBrowser)("the page in Dinoscope's own window (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-window-"));
  const shelf = join(folder, "shelf");
  const dropped = join(folder, "dropped");
  let core: Running;
  let browser: Browser;
  let page: Page;

  /** What the page asked of the desktop program so far. */
  const asked = (): Promise<string[]> => page.evaluate(() => (globalThis as unknown as { asked: string[] }).asked);

  beforeAll(async () => {
    await buildPage();
    await drawPictures(shelf, 5, { seed: 3 });
    await drawPictures(dropped, 4, { seed: 9 });
    core = await startCore(join(folder, "library"), [folder]);
    browser = await openBrowser();
    page = await browser.newPage();
    await page.addInitScript(
      ({ name, chosen, above }) => {
        const log: string[] = [];
        const say = <T>(words: string, result: T): Promise<T> => {
          log.push(words);
          return Promise.resolve(result);
        };
        Object.assign(globalThis, {
          asked: log,
          [name]: {
            platform: "linux",
            chooseFolder: (purpose: string) => say(`folder ${purpose}`, chosen),
            chooseFile: (purpose: string) => say(`file ${purpose}`, null),
            pathOfDropped: (file: File) => say(`dropped ${file.name}`, `${above}/${file.name}`),
            reveal: (path: string) => say(`reveal ${path}`, undefined),
            recentLibraries: () => say("recent", [{ folder: "/srv/shop", name: "shop" }]),
            openRecentLibrary: async (path: string) => {
              await say(`recent ${path}`, undefined);
              await new Promise((resolve) => setTimeout(resolve, 500));
            },
            onCommand: (listener: (command: string) => void) => Object.assign(globalThis, { fromMenu: listener }),
            chooseLibrary: () => say("library", false),
          },
        });
      },
      { name: desktopGlobal, chosen: shelf, above: folder },
    );
    await page.goto(core.server.startUrl);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("the first page offers the other libraries that were open", async () => {
    await page.getByRole("button", { name: "Open “shop”" }).click();
    await soon(asked).toContain("recent /srv/shop");
    // While it opens it cannot be asked for again.
    expect(await page.getByRole("button", { name: "Open “shop”" }).isDisabled()).toBe(true);
    await soon(() => page.getByRole("button", { name: "Open “shop”" }).isEnabled()).toBe(true);
  });

  test("a folder is chosen in the system's dialog, and its pictures fill the grid", async () => {
    await page.getByRole("button", { name: "Choose a folder" }).click();
    await soon(() => page.locator("[data-image]").count()).toBe(5);
    expect(await asked()).toContain("folder pictures");
  });

  test("a dropped folder is taken in by its path", async () => {
    const { protocol, at } = { protocol: await page.context().newCDPSession(page), at: { x: 700, y: 500 } };
    const data = { items: [], files: [dropped], dragOperationsMask: 1 };
    const drag = (type: "dragEnter" | "dragOver" | "drop"): Promise<unknown> =>
      protocol.send("Input.dispatchDragEvent", { type, ...at, data });
    await drag("dragEnter");
    // As a hand does, which moves until the page says that it would take the folder: a drop before that is none.
    await soon(async () => {
      await drag("dragOver");
      return page.getByText("or a folder to add it").isVisible();
    }).toBe(true);
    await drag("drop");
    await soon(asked).toContain("dropped dropped");
    await soon(() => page.locator("[data-image]").count()).toBe(9);
  });

  test("the page's own folder dialog can ask the system's", async () => {
    await page.keyboard.press("ControlOrMeta+o");
    await page.getByRole("button", { name: "Choose with the system’s dialog…" }).click();
    await soon(() => page.getByLabel("Folder", { exact: true }).inputValue()).toBe(shelf);
    await page.getByRole("button", { name: "Cancel" }).click();
  });

  test("the menu's undo is typing's in a field, and the library's elsewhere", async () => {
    const choose = (command: string) =>
      page.evaluate((id) => (globalThis as unknown as { fromMenu: (id: string) => void }).fromMenu(id), command);
    const undo = (): Promise<number> => page.getByRole("button", { name: /^Undo: Labelled/ }).count();
    const redo = (): Promise<number> => page.getByRole("button", { name: /^Redo: Labelled/ }).count();
    await page.locator("[data-image]").first().click();
    await page.keyboard.press("/");
    await page.keyboard.type("cup");
    await page.keyboard.press("Enter");
    await soon(undo).toBe(1);

    await page.keyboard.press("ControlOrMeta+f");
    await page.keyboard.type("x");
    await choose("undo");
    expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).value)).toBe("");
    expect([await undo(), await redo()]).toEqual([1, 0]);
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await choose("undo");
    await soon(redo).toBe(1);
    await choose("redo");
    await soon(undo).toBe(1);
    expect(await redo()).toBe(0);

    await choose("view-export");
    await soon(() => page.url()).toContain("export");
    await choose("add-folder");
    await soon(() => page.getByRole("dialog").count()).toBe(1);
    await page.keyboard.press("Escape");
    await choose("view-grid");
  });

  test("a picture is shown in the file manager", async () => {
    await page.locator("[data-image]").first().click();
    await page.getByRole("button", { name: "Show in folder" }).click();
    await soon(async () => (await asked()).filter((words) => words.startsWith("reveal"))).toEqual([
      expect.stringMatching(`^reveal ${folder}/(shelf|dropped)/`),
    ]);
  });

  test("another library is opened by its key", async () => {
    await page.keyboard.press("ControlOrMeta+Shift+O");
    await soon(asked).toContain("library");
  });
});
