import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openApp } from "../../core/app.ts";
import { drawPictures } from "../helpers/pictures.ts";
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

describe.skipIf(!hasBrowser)("an open picture in a browser (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-picture-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  const panel = (): Locator => page.getByRole("complementary", { name: "Over the picture" });
  const state = (): Promise<string | null> => panel().getByRole("status").textContent();
  /** What lies over the picture, as it is drawn. */
  const drawn = (): Promise<string> =>
    page
      .locator(".picture-view .sheet canvas")
      .first()
      .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());

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
    await page.locator("[data-mask-canvas]").waitFor();
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
    await page.getByRole("banner").getByText("Not saved").waitFor();
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

  test("asks before a tab is closed with strokes on it, and saves them where one goes on to another picture", async () => {
    const { x, y, width, height } = (await page.getByRole("img", { name: /^Picture\./ }).boundingBox()) ?? {
      x: 0,
      y: 0,
      width: 0,
      height: 0,
    };
    const asked: string[] = [];
    page.on("dialog", (dialog) => {
      asked.push(dialog.type());
      void dialog.dismiss();
    });
    await page.keyboard.press("r");
    await page.mouse.move(x + 0.3 * width, y + 0.3 * height);
    await page.mouse.down();
    await page.mouse.move(x + 0.5 * width, y + 0.3 * height, { steps: 4 });
    await page.mouse.up();
    await soon(state).toBe("Corrected, not saved yet");
    await page.close({ runBeforeUnload: true });
    await soon(() => asked).toEqual(["beforeunload"]);
    await page.keyboard.press("ArrowRight");
    await soon(() => page.url()).toContain("#/grid/2");
    await page.keyboard.press("ArrowLeft");
    await soon(state).toBe("Kept, corrected by hand");
    await page.getByRole("banner").getByText("Saved", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Restore the automatic mask" }).click();
    await soon(state).toBe("Kept, made by a model");
  });

  test("draws another mask by another method, along edges or not, and as faintly as one likes", async () => {
    const choose = (title: string): Promise<unknown> =>
      panel().getByLabel("How the mask is made").selectOption({ label: title });
    const before = await drawn();
    await choose("TokenCut");
    await soon(drawn).not.toBe(before);
    const cut = await drawn();
    await page.getByRole("switch", { name: "Follow edges" }).click();
    await soon(drawn).not.toBe(cut);
    const blocks = await drawn();
    await page.getByRole("switch", { name: "Follow edges" }).click();
    await soon(drawn).toBe(cut);
    expect(blocks).not.toBe(cut);
    // The head is trained on the library's own pictures; where these show no foreground, that is said.
    await choose("Foreground head");
    const refusal = panel().getByRole("alert");
    // Training it may take a busy machine half a minute and more.
    await expect
      .poll(async () => (await refusal.count()) > 0 || (await drawn()) !== cut, { timeout: 150_000 })
      .toBe(true);
    await choose("Attention");
    await page.locator("[data-mask-canvas]").waitFor();
    const opacity = (): Promise<string> =>
      page.locator("[data-mask-canvas]").evaluate((canvas) => getComputedStyle(canvas).opacity);
    const usual = await opacity();
    await panel().getByRole("slider", { name: "Opacity" }).fill("0.2");
    await soon(opacity).toBe("0.2");
    await panel().getByRole("slider", { name: "Opacity" }).fill(usual);
    await page.getByRole("button", { name: "Back to kept" }).click();
    await soon(drawn).toBe(before);
  });

  test("says that it waits where the model takes its time", async () => {
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    await page.route(/attention|patches/, async (route) => {
      await held;
      await route.continue();
    });
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("l");
    const wait = page.locator(".awaited", { hasText: "The model is looking" });
    await wait.waitFor();
    await soon(() => wait.evaluate((element) => getComputedStyle(element).opacity)).toBe("1");
    go();
    await wait.waitFor({ state: "detached" });
    await page.unroute(/attention|patches/);
    await page.keyboard.press("m");
    await page.keyboard.press("ArrowLeft");
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
    const mean = await drawn();
    await page.getByRole("button", { name: "Head 2" }).click();
    await soon(drawn).not.toBe(mean);
    await page.keyboard.press("l");
    await page.getByText("Point at a spot").waitFor();
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
