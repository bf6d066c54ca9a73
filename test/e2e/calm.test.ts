/** What must not move, vanish or stay silent while people work: layout, words about exports, menus of labels. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds, ofEachKind, preparedLibrary } from "./prepared.ts";
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

const total = kinds * ofEachKind;

describe.skipIf(!hasBrowser)("a calm page (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-calm-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const button = (name: string | RegExp): Locator =>
    page.getByRole("button", { name, exact: typeof name === "string" });
  const tile = (at: number): Locator => page.locator(`[data-image][aria-posinset="${at + 1}"]`);
  const topOf = async (what: Locator): Promise<number> => (await what.boundingBox())?.y ?? -1;
  const goTo = (address: string): Promise<void> => page.evaluate((to) => location.assign(`#/${to}`), address);

  beforeAll(async () => {
    await buildPage();
    const library = await preparedLibrary(folder);
    core = await startCore(library, [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl, { height: 620 }));
    await tile(0).waitFor();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("the start page has no serious faults by all rules, in light colours too", async () => {
    const other = mkdtempSync(join(tmpdir(), "dinoscope-empty-"));
    const empty = await startCore(join(other, "library"), [other]);
    for (const theme of ["light", "dark"] as const) {
      const { page: first, complaints: said } = await openPage(browser, empty.server.startUrl, { theme });
      await first.getByText("Drop a folder of pictures here").waitFor();
      expect(await accessibilityFaults(first)).toEqual([]);
      expect(said).toEqual([]);
      await first.context().close();
    }
    await empty.close();
    rmSync(other, { recursive: true, force: true });
  });

  test("what helps next names the clusters, and nothing moves when it comes and goes", async () => {
    const note = page.getByRole("note");
    await note.getByText("group by look, and name whole groups").waitFor();
    const at = await topOf(tile(0));
    await tile(0).click();
    await soon(() => note.count()).toBe(0);
    expect(await topOf(tile(0))).toBe(at);
    await page.keyboard.press("Escape");
    await note.waitFor();
    // Neither it nor what is in its place for a selection covers the last row.
    await page.keyboard.press("End");
    await soon(async () => {
      const [last, over] = [await tile(total - 1).boundingBox(), await note.boundingBox()];
      return last !== null && over !== null && last.y + last.height <= over.y;
    }).toBe(true);
    await button("Group by look").click();
    await soon(() => page.url()).toContain("#/clusters");
    await goTo("grid");
    await note.waitFor();
    await button("Not now").click();
    await soon(() => note.count()).toBe(0);
    await page.keyboard.press("Home");
    await soon(() => topOf(tile(0))).toBe(at);
  });

  test("a box goes on scrolling while the pointer rests at the edge", async () => {
    const room = page.getByRole("listbox", { name: "Images" });
    await page.keyboard.press("+");
    await page.keyboard.press("+");
    await page.keyboard.press("Home");
    const { x, y, height } = (await room.boundingBox()) ?? { x: 0, y: 0, height: 0 };
    await page.mouse.move(x + 5, y + 5);
    await page.mouse.down();
    await page.mouse.move(x + 300, y + height - 4, { steps: 4 });
    const scrolled = (): Promise<number> => room.evaluate((element) => element.scrollTop);
    await soon(scrolled).toBeGreaterThan(200);
    await page.mouse.up();
    const at = await scrolled();
    await page.waitForTimeout(150);
    expect(await scrolled()).toBe(at);
    await page.keyboard.press("Escape");
    await page.keyboard.press("-");
    await page.keyboard.press("-");
  });

  test("a label says why it cannot be deleted, and its old name gives way to what is typed", async () => {
    for (const [first, name] of [
      [0, "Oat"],
      [1, "Soy"],
    ] as const) {
      for (let at = first; at < 12; at += 2) {
        await tile(at).click({ modifiers: at === first ? [] : ["ControlOrMeta"] });
      }
      await page.keyboard.press("/");
      await page.getByRole("combobox", { name: "Label", exact: true }).fill(name);
      await page.keyboard.press("Enter");
      await page.getByText(`Labelled 6 images as ${name}`).waitFor();
    }
    await button("More about Oat").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: "Delete is on 6 images" }).waitFor();
    await page.getByRole("menuitem", { name: "Rename…" }).click();
    await page.getByLabel("Name", { exact: true }).waitFor();
    await page.keyboard.type("Oat drink");
    await page.keyboard.press("Enter");
    await button("More about Oat drink").waitFor({ state: "attached" });
  });

  test("the slider of a review stays where it is, whatever its words say", async () => {
    await button("Suggest labels").click();
    await goTo("review");
    const slider = page.getByLabel("How many of the most certain to accept");
    await slider.waitFor();
    for (const width of [1440, 900]) {
      await page.setViewportSize({ width, height: 700 });
      await slider.focus();
      await page.keyboard.press("End");
      const at = await topOf(slider);
      await page.keyboard.press("Home");
      await page.getByText("Slide to accept the most certain at once").waitFor();
      expect(await topOf(slider)).toBe(at);
    }
    await page.setViewportSize({ width: 1440, height: 700 });
  });

  test("an export begins beside the library; what is there already is said at the name, before and not after", async () => {
    mkdirSync(join(folder, "demo"));
    await goTo("export");
    await page.getByText("First files").waitFor();
    await page.getByText(join(folder, "library csv"), { exact: true }).waitFor();
    const suggested = page.getByText("Labelled, and sure suggestions").locator("..");
    await soon(() => suggested.textContent()).toMatch(/\d+\s*$/);
    const name = page.getByLabel("Name of the new folder");
    const start = button(/^Export \d+ images$/);
    await name.fill("demo");
    await page.getByText("There is a folder of this name.").first().waitFor();
    expect(await start.isDisabled()).toBe(true);
    expect(await accessibilityFaults(page)).toEqual([]);
    // A folder that is no export is not replaced; the core says so, and it is said no longer than that is wished.
    await page.getByRole("switch", { name: "Replace an export that is there" }).click();
    await start.click();
    const foot = page.locator(".foot").last();
    await foot.getByText("is no export of Dinoscope").waitFor();
    const toast = page.getByText(/^Exporting failed/);
    await toast.waitFor();
    expect(await page.getByText("--replace").count()).toBe(0);
    await page.getByRole("switch", { name: "Replace an export that is there" }).click();
    await name.fill("another");
    expect(await foot.getByText("is no export of Dinoscope").count()).toBe(0);
    await start.click();
    await page.getByText(/Wrote \d+ images/).waitFor();
    await soon(() => toast.count()).toBe(0);
    expect(existsSync(join(folder, "another", "labels.csv"))).toBe(true);
    // The name is taken by now.
    await page.getByText("There is a folder of this name.").first().waitFor();
  });

  test("nothing was complained about on the console", () => {
    expect(complaints).toEqual([]);
  });
});
