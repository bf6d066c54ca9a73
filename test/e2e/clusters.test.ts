import { mkdtempSync, rmSync } from "node:fs";
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

describe.skipIf(!hasBrowser)("clusters in a browser (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-clusters-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const tile = (at: number): Locator => page.locator(`[data-at="${at}"]`);
  const tiles = (): Promise<number> => page.locator("[data-at]").count();
  const words = (at: number): Promise<string | null> => tile(at).locator(".visually-hidden").textContent();

  beforeAll(async () => {
    await buildPage();
    core = await startCore(await preparedLibrary(folder), [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
    await page.keyboard.press("Shift+C");
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("without clusters there is one thing to do, and it makes as many as are asked for", async () => {
    await page.getByLabel("Groups").fill("0");
    await page.getByText("A whole number from 1").waitFor();
    await page.getByLabel("Groups").fill(String(kinds));
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: `Group ${kinds * ofEachKind} pictures` }).click();
    await soon(tiles).toBe(kinds);
    await soon(() => words(0)).toBe(`No name yet, ${ofEachKind} images, nothing labelled`);
  });

  test("an open cluster is labelled without the odd ones in one act, and one key takes it back", async () => {
    await page.keyboard.press("Enter");
    await soon(tiles).toBe(ofEachKind);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("x");
    await tile(3).click();
    await page.getByText("2 left out").waitFor();
    await soon(() => words(3)).toContain("left out");
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("/");
    await page.getByRole("combobox").fill("Green tea");
    await page.keyboard.press("Enter");
    await soon(() => words(0)).toBe(`Green tea, ${ofEachKind} images, ${ofEachKind - 2} labelled · 100 % pure`);
    await page.keyboard.press("ControlOrMeta+z");
    await soon(() => words(0)).toContain("nothing labelled");
  });

  test("a label's key labels the cluster in focus, and the focus goes on", async () => {
    await page.keyboard.press("ControlOrMeta+Shift+z");
    await soon(() => words(0)).toContain("Green tea");
    await page.keyboard.press("Home");
    await page.keyboard.press("1");
    await soon(() => words(0)).toContain(`Green tea, ${ofEachKind} images, all labelled`);
    await soon(() => tile(1).getAttribute("class")).toContain("focused");
  });

  test("marked clusters are merged and a cluster is split; both are taken back by their toasts", async () => {
    await page.keyboard.press("x");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("x");
    await page.keyboard.press("+");
    await soon(tiles).toBe(kinds - 1);
    await page.getByRole("status").getByRole("button", { name: "Undo" }).last().click();
    await soon(tiles).toBe(kinds);
    await page.keyboard.press("Shift+S");
    await soon(tiles).toBe(kinds + 1);
    await page.getByRole("status").getByRole("button", { name: "Undo" }).last().click();
    await soon(tiles).toBe(kinds);
  });

  test("a split is a step of the history, in words, and is done again from there", async () => {
    await page.keyboard.press("Shift+H");
    const split = page.getByRole("dialog", { name: "History" }).getByRole("button", { name: /^Split cluster/ });
    await soon(() => split.innerText()).toMatch(
      new RegExp(`^Split cluster \\d+ \\(${ofEachKind} images\\) in two\\s+undone`),
    );
    await split.click();
    await soon(tiles).toBe(kinds + 1);
    await page.keyboard.press("Escape");
    await page.keyboard.press("ControlOrMeta+z");
    await soon(tiles).toBe(kinds);
  });

  test("what is left out of a cluster becomes one of its own, and comes back with one key", async () => {
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await soon(tiles).toBe(ofEachKind);
    await page.keyboard.press("x");
    await page.keyboard.press("Shift+X");
    await page.getByText("Took 1 image out of cluster").waitFor();
    await soon(tiles).toBe(ofEachKind - 1);
    await page.keyboard.press("Escape");
    await soon(tiles).toBe(kinds + 1);
    await page.keyboard.press("ControlOrMeta+z");
    await soon(tiles).toBe(kinds);
  });

  test("a link opens the same cluster, and Escape goes back to the wall", async () => {
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await soon(() => page.url()).toContain("clusters.open=");
    await page.reload();
    await soon(tiles).toBe(ofEachKind);
    await page.keyboard.press("Escape");
    await soon(tiles).toBe(kinds);
    expect(page.url()).not.toContain("clusters.open=");
  });

  test.each(["light", "dark"] as const)("the wall has no accessibility faults in %s colours", async (theme) => {
    await page.emulateMedia({ colorScheme: theme });
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("foregrounds that nobody looked at are offered", async () => {
    await page.getByRole("tab", { name: "Foreground" }).click();
    await page.getByRole("button", { name: `Look at ${kinds * ofEachKind} pictures` }).waitFor();
    await page.getByRole("tab", { name: "Whole" }).click();
    await soon(tiles).toBe(kinds);
  });

  test("nothing was complained about on the console", () => {
    expect(complaints).toEqual([]);
  });
});
