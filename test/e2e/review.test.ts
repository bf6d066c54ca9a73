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

const total = kinds * ofEachKind;

describe.skipIf(!hasBrowser)("review in a browser (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-review-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const tile = (at: number): Locator => page.locator(`[data-at="${at}"]`);
  const tiles = (): Promise<number> => page.locator("[data-at]").count();
  const words = (at: number): Promise<string | null> => tile(at).locator(".visually-hidden").textContent();
  const mode = (name: string): Promise<void> => page.getByRole("tab", { name }).click();

  async function labelAs(name: string): Promise<void> {
    await page.keyboard.press("/");
    await page.getByRole("combobox").fill(name);
    await page.keyboard.press("Enter");
  }

  beforeAll(async () => {
    await buildPage();
    core = await startCore(await preparedLibrary(folder), [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
    await page.keyboard.press("Shift+R");
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("without labels it says to label a few first, and where to start", async () => {
    await page.getByText("Label a few first").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Start with the most different" }).click();
    await soon(tiles).toBe(total);
    await page.getByText("Looks most like").waitFor();
  });

  test("a queue goes on by itself after each label, by name and by key", async () => {
    await labelAs("Oat drink");
    await soon(() => words(0)).toContain("labelled");
    await labelAs("Green tea");
    await soon(() => words(1)).toContain("labelled");
    await soon(() => page.getByText("Green tea").count()).toBeGreaterThan(0);
    for (const [at, key] of ["1", "2", "2"].entries()) {
      await page.keyboard.press(key);
      await soon(() => words(2 + at)).toContain("labelled");
    }
  });

  test("suggestions are made where they are missing, most certain first, with their voters", async () => {
    await mode("Suggestions");
    await page.getByRole("button", { name: "Suggest with these" }).click();
    await soon(tiles).toBe(total - 5);
    await page.getByText(/of 5 look-alikes voted for it/).waitFor();
    const sure = await Promise.all(
      [0, 1, 2, 3].map(async (at) => Number(/(\d+) %/.exec((await words(at)) ?? "")?.[1])),
    );
    expect(sure).toEqual(sure.toSorted((a, b) => b - a));
  });

  test("accept, reject, skip and another label are one key each, and undo brings the image back", async () => {
    await page.keyboard.press("Enter");
    await page.keyboard.press("x");
    await page.keyboard.press("Space");
    await page.keyboard.press("2");
    await soon(() => words(0)).toContain("accepted");
    await soon(() => words(1)).toContain("rejected");
    await soon(() => words(2)).toContain("skipped");
    await soon(() => words(3)).toContain("labelled");
    await soon(() => tile(4).getAttribute("class")).toContain("focused");
    await page.keyboard.press("ControlOrMeta+z");
    await soon(() => words(3)).toContain("perhaps");
    await soon(() => tile(3).getAttribute("class")).toContain("focused");
  });

  test.each(["light", "dark"] as const)("the list has no accessibility faults in %s colours", async (theme) => {
    await page.emulateMedia({ colorScheme: theme });
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("the slider says what accepting means and accepts all but the skipped in one act", async () => {
    const slider = page.getByLabel("How many of the most certain to accept");
    await slider.focus();
    await page.keyboard.press("End");
    const left = total - 5 - 3;
    await page.getByText(new RegExp(`Accept ${left} at about \\d+ %, between \\d+ and \\d+.* 1 skipped`)).waitFor();
    await page.getByRole("button", { name: `Accept ${left}`, exact: false }).click();
    await soon(tiles).toBe(1);
    await page.keyboard.press("ControlOrMeta+z");
    await soon(tiles).toBe(left + 1);
  });

  test("a label shows its suggestions only, and a link brings them back", async () => {
    const row = page.getByRole("navigation", { name: "Suggestions by label" }).getByRole("button").nth(1);
    const count = Number(/(\d+)\s*$/.exec((await row.textContent()) ?? "")?.[1]);
    await row.click();
    await soon(tiles).toBe(count);
    await page.reload();
    await soon(tiles).toBe(count);
    expect(page.url()).toContain("review.label=");
  });

  test("typical images ask for clusters first", async () => {
    await mode("Typical");
    await page.getByRole("button", { name: "Go to the clusters" }).waitFor();
  });

  test("nothing was complained about on the console", () => {
    expect(complaints).toEqual([]);
  });
});
