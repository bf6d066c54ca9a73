import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openApp } from "../../core/app.ts";
import { drawPictures } from "../helpers/pictures.ts";
import {
  accessibilityFaults,
  buildPage,
  hasBrowser,
  openBrowser,
  openPage,
  startCore,
  type Running,
} from "./support.ts";

const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });

describe.skipIf(!hasBrowser)("an open picture in a browser (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-picture-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  const state = (): Promise<string | null> =>
    page
      .getByRole("status")
      .filter({ hasText: /ept|saved/ })
      .textContent();

  beforeAll(async () => {
    await buildPage();
    await drawPictures(join(folder, "pictures"), 6, { seed: 5, width: 120, height: 90 });
    const app = openApp({ folder: join(folder, "library"), holder: "a test" });
    await app.add(join(folder, "pictures"), { labelsFromFolders: false });
    await app.createModel("untrained", { arch: "vit-tiny", patch: 16, size: 64, seed: 1 });
    await app.embed({ device: "cpu" });
    await app.close();
    core = await startCore(join(folder, "library"), [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("shows a mask that follows its slider, and keeps it", async () => {
    await page.locator("[data-image]").first().click();
    await page.keyboard.press("Enter");
    await page.keyboard.press("m");
    await page.locator("[data-mask-canvas]").waitFor({ timeout: 20_000 });
    await page.getByRole("slider", { name: /attention that is kept/ }).fill("0.3");
    await page.getByRole("button", { name: "Keep", exact: true }).click();
    await soon(state).toBe("Kept, made by a model");
  });

  test("takes strokes back one by one, and saves the others as one step that can be undone", async () => {
    const stage = page.getByRole("img", { name: /^Picture\./ });
    const { x, y, width, height } = (await stage.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.keyboard.press("r");
    for (const down of [0.4, 0.6]) {
      await page.mouse.move(x + 0.4 * width, y + down * height);
      await page.mouse.down();
      await page.mouse.move(x + 0.6 * width, y + down * height, { steps: 4 });
      await page.mouse.up();
    }
    await soon(state).toBe("Corrected, not saved yet");
    await page.keyboard.press("Control+z");
    await soon(state).toBe("Corrected, not saved yet");
    await page.keyboard.press("Escape");
    await soon(state).toBe("Kept, corrected by hand");
    await page.keyboard.press("Control+z");
    await soon(state).toBe("Kept, made by a model");
    await page.keyboard.press("Control+Shift+z");
    await soon(state).toBe("Kept, corrected by hand");
    await page.getByRole("button", { name: "Restore the automatic mask" }).click();
    await soon(state).toBe("Kept, made by a model");
  });

  test("hides the mask while V is held", async () => {
    await page.keyboard.down("v");
    await soon(() => page.locator("[data-mask-canvas]").count()).toBe(0);
    await page.keyboard.up("v");
    await soon(() => page.locator("[data-mask-canvas]").count()).toBe(1);
  });

  test("shows heads of attention, and what looks like the spot under the pointer here and in other pictures", async () => {
    const canvases = page.locator(".picture-view canvas");
    await page.keyboard.press("t");
    await soon(() => canvases.count()).toBe(1);
    await page.getByRole("button", { name: "Head 2" }).click();
    await page.keyboard.press("l");
    await page.getByText("Point at a spot").waitFor({ timeout: 20_000 });
    const { x, y, width, height } = (await page.getByRole("img", { name: /^Picture\./ }).boundingBox()) ?? {
      x: 0,
      y: 0,
      width: 0,
      height: 0,
    };
    await page.mouse.move(x + width / 2, y + height / 2);
    // Its own and those of the five others.
    await soon(() => canvases.count()).toBe(6);
    expect(page.url()).toContain("over=alike");
  });

  test("has no accessibility faults in either theme, and nothing to complain about", async () => {
    for (const colorScheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const key of ["m", "t"]) {
        await page.keyboard.press(key);
        expect(await accessibilityFaults(page)).toEqual([]);
      }
    }
    expect(complaints).toEqual([]);
  });
});
