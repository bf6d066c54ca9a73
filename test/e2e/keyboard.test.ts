/** By keys alone: past long lists, into the view, other keys for commands, and a picture looked at without a mouse. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { preparedLibrary } from "./prepared.ts";
import { soon } from "./soon.ts";
import {
  accessibilityFaults,
  buildPage,
  hasBrowser,
  openBrowser,
  openPage,
  startCore,
  type Running,
} from "./support.ts";

/** Stops of everything around the view, however many labels there are. */
const mostStops = 40;

describe.skipIf(!hasBrowser)("the keyboard (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-keyboard-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const labels = (): Locator => page.getByRole("group", { name: "Labels", exact: true });
  const grid = (): Locator => page.getByRole("listbox", { name: "Images" });
  const tile = (at: number): Locator => page.locator(`[data-image][aria-posinset="${at + 1}"]`);
  const focused = (): Promise<string> =>
    page.evaluate(
      () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "",
    );
  const hasFocus = (wanted: Locator): Promise<boolean> =>
    wanted.evaluate((element) => element === document.activeElement);
  const press = (keys: string): Promise<void> => page.keyboard.press(keys);

  async function enter(address: string): Promise<void> {
    await page.evaluate((to) => location.assign(`#/${to}`), address);
    await page.reload();
    await page.getByRole("main").waitFor();
  }

  beforeAll(async () => {
    await buildPage();
    const library = await preparedLibrary(folder, async ({ call }) => {
      const paths = Array.from({ length: 199 }, (_, at) => [`Label ${String(at + 1).padStart(3, "0")}`]);
      await call("labels.create", { paths: [...paths, ["Label 001", "Below"]] });
      await call("labels.assign", { target: { ids: [1] }, label: { path: ["Label 002"] } });
    });
    core = await startCore(library, [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
    await tile(0).waitFor();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("the first stop skips to the grid, where arrows move", async () => {
    await enter("grid");
    await tile(0).waitFor();
    await press("Tab");
    expect(await focused()).toBe("Skip to Grid");
    await press("Enter");
    expect(await hasFocus(grid())).toBe(true);
    await press("ArrowRight");
    await press("ArrowRight");
    await soon(() => page.locator("[data-image].focused").getAttribute("aria-posinset")).toBe("2");
  });

  test("two hundred labels are one stop, and Tab goes on to the grid", async () => {
    await enter("grid");
    await soon(() => labels().locator("[data-row]").count()).toBe(200);
    let stops = 0;
    let among = 0;
    for (; stops < mostStops && !(await hasFocus(grid())); stops++) {
      await press("Tab");
      if (await page.evaluate(() => document.activeElement?.closest("[data-row]") !== null)) {
        if (await labels().evaluate((list) => list.contains(document.activeElement))) among += 1;
      }
    }
    expect(stops).toBeLessThan(mostStops);
    expect(among).toBe(1);
  });

  test("arrows move through the labels, fold them, and lead to what can be done with one", async () => {
    await enter("grid");
    await soon(() => labels().locator("[data-row]").count()).toBe(200);
    const row = (at: number): Locator => labels().locator("[data-row]").nth(at);
    while (!(await labels().evaluate((list) => list.contains(document.activeElement)))) await press("Tab");
    expect(await hasFocus(row(0).locator("[data-main]"))).toBe(true);
    await press("ArrowLeft");
    await soon(() => labels().locator("[data-row]").count()).toBe(199);
    await press("ArrowRight");
    await soon(() => labels().locator("[data-row]").count()).toBe(200);
    await press("End");
    expect(await hasFocus(row(199).locator("[data-main]"))).toBe(true);
    await press("ArrowUp");
    expect(await hasFocus(row(198).locator("[data-main]"))).toBe(true);
    await press("Home");
    await press("ArrowDown");
    await press("ArrowDown");
    await press("ArrowRight");
    expect(await focused()).toBe("More about Label 002");
    await press("Enter");
    await page.getByRole("menuitem", { name: "Rename…" }).waitFor();
    await press("Escape");
    await soon(focused).toBe("More about Label 002");
    await press("ArrowLeft");
    await press("Enter");
    await soon(() => page.url()).toContain("label=");
    // Tab leaves, and Shift+Tab comes back to where one was.
    await press("Tab");
    expect(await labels().evaluate((list) => list.contains(document.activeElement))).toBe(false);
    await press("Shift+Tab");
    expect(await hasFocus(row(2).locator("[data-main]"))).toBe(true);
    await press("Shift+A");
  });

  test("after a click on a filter the arrows are the grid's", async () => {
    await page.getByRole("button", { name: /^All images/ }).click();
    await tile(5).waitFor();
    await press("Home");
    await press("ArrowRight");
    await soon(() => page.locator("[data-image].focused").getAttribute("aria-posinset")).toBe("2");
  });

  test("keys that mean something else there are not taken unasked, and can be taken over", async () => {
    await enter("grid");
    await tile(0).click();
    await press("Escape");
    await press("?");
    const sheet = page.getByRole("dialog");
    const line = (title: string): Locator => sheet.getByRole("button", { name: new RegExp(`^${title}`) });
    await line("Next unlabelled image").click();
    await press("x");
    await sheet.getByText("Selection: Select the focused image or not").waitFor();
    await sheet.getByText("Picture: Eraser: take from the mask").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await press("Escape");
    await soon(() => sheet.getByRole("button", { name: "Take it over" }).count()).toBe(0);
    // The sheet is still there, and nothing was changed.
    expect(await line("Next unlabelled image").textContent()).toContain("N");
    await line("Next unlabelled image").click();
    await press("x");
    await sheet.getByRole("button", { name: "Take it over" }).waitFor();
    await soon(focused).toContain("Take it over");
    await press("Enter");
    await soon(() => line("Next unlabelled image").textContent()).toContain("X");
    await sheet.getByRole("button", { name: "Done" }).click();
    await tile(0).click();
    await press("Escape");
    await press("x");
    await soon(() => page.locator("[data-image].focused").getAttribute("aria-posinset")).toBe("2");
    expect(await page.locator('[data-image][aria-selected="true"]').count()).toBe(0);
    await press("?");
    await sheet.getByRole("button", { name: "Back to the usual keys" }).last().click();
    await soon(() => line("Next unlabelled image").textContent()).toContain("N");
    await sheet.getByRole("button", { name: "Done" }).click();
  });

  test("the spot of Alike goes by arrow keys, and a zoomed picture by Shift and arrows", async () => {
    await enter("grid/3");
    const view = page.getByRole("region", { name: "Picture" });
    await view.locator("img").first().waitFor();
    await press("l");
    await view.getByText("Point at a spot").waitFor();
    await press("ArrowRight");
    await view.getByText(/^Spot in row \d+ of \d+, column \d+ of \d+$/).waitFor({ state: "attached" });
    const said = (): Promise<string | null> => view.locator("[role=status]", { hasText: "Spot in row" }).textContent();
    const before = (await said()) ?? "";
    await press("ArrowRight");
    await soon(said).not.toBe(before);
    expect(await view.locator(".spot.held").count()).toBe(1);
    expect(page.url()).toContain("#/grid/3");
    await press("Space");
    await soon(() => page.url()).toContain("#/grid/4");
    await press("l");
    const left = (): Promise<number> =>
      view
        .locator(".sheet")
        .first()
        .evaluate(
          (sheet) => parseFloat((sheet as HTMLElement).style.left) + parseFloat((sheet as HTMLElement).style.top),
        );
    await view.getByRole("img", { name: /^Picture/ }).hover();
    await page.mouse.wheel(0, -1500);
    await view.getByText(/^× [2-9]/).waitFor();
    const at = await left();
    await press("Shift+ArrowRight");
    await soon(left).not.toBe(at);
    expect(page.url()).toContain("#/grid/4");
    await press("Escape");
  });

  test("nothing was complained about on the console", () => {
    expect(complaints).toEqual([]);
  });
});
