import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

const pictureCount = 24;

/** What the core answers is there in a moment, on a busy machine in a few. */

describe.skipIf(!hasBrowser)("the page in a browser (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-page-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const tile = (at: number): ReturnType<Page["locator"]> => page.locator("[data-image]").nth(at);
  const badge = (at: number): Promise<string | null> => tile(at).getAttribute("aria-label");
  const firstPicture = (): string => readdirSync(join(folder, "pictures/shelf")).sort()[0] ?? "";
  const selectedCount = (): Promise<number> => page.locator('[data-image][aria-selected="true"]').count();

  beforeAll(async () => {
    await buildPage();
    await drawPictures(join(folder, "pictures", "shelf"), pictureCount, { seed: 3, width: 120, height: 90 });
    core = await startCore(join(folder, "library"), [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("an empty library asks for pictures, and has no accessibility faults", async () => {
    await page.getByText("Drop a folder of pictures here").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("a folder is chosen in the folder browser, and its pictures fill the grid", async () => {
    await page.getByRole("button", { name: "Choose a folder" }).click();
    await page.getByRole("button", { name: "pictures" }).click();
    await page.getByRole("button", { name: "shelf" }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Add this folder" }).click();
    await page.getByText(`${pictureCount} images`).first().waitFor();
    await soon(() => page.locator("[data-image] img").count()).toBe(pictureCount);
  });

  test("an untrained model is chosen in plain words, and looks at every picture", async () => {
    await page.getByRole("button", { name: "Choose a model" }).first().click();
    await page.getByText("Untrained").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByText("Untrained").click();
    await page.getByRole("button", { name: "Use this model" }).click();
    await page.getByText("Has looked at every image.").waitFor({ timeout: 50_000 });
  });

  test("the field takes what is typed from a tile that has the focus, and Escape gives the focus back", async () => {
    await tile(0).click();
    const field = page.getByRole("combobox", { name: "Label", exact: true });
    for (const open of [
      () => page.keyboard.press("/"),
      () => page.getByRole("button", { name: "Label", exact: true }).click(),
    ]) {
      await open();
      await page.keyboard.type("wide 1 fish", { delay: 10 });
      expect(await field.inputValue()).toBe("wide 1 fish");
      await page.keyboard.press("Escape");
      await soon(() => field.count()).toBe(0);
      expect(await page.evaluate(() => document.activeElement === document.body)).toBe(false);
    }
    expect(await badge(0)).toContain("no label");
    await page.keyboard.press("Escape");
  });

  test("click, Shift, Control, select all, a box and Escape select", async () => {
    await tile(2).click();
    await tile(5).click({ modifiers: ["Shift"] });
    await soon(selectedCount).toBe(4);
    await tile(8).click({ modifiers: ["ControlOrMeta"] });
    await soon(selectedCount).toBe(5);
    await page.keyboard.press("ControlOrMeta+a");
    await soon(selectedCount).toBe(pictureCount);
    await page.keyboard.press("Escape");
    await soon(selectedCount).toBe(0);
    const [first, last] = [await tile(0).boundingBox(), await tile(2).boundingBox()];
    if (first === null || last === null) throw new Error("The first row is not on screen.");
    await page.mouse.move(first.x + 20, first.y + 40);
    await page.mouse.down();
    await page.mouse.move(last.x + 20, last.y + 60, { steps: 5 });
    await page.mouse.up();
    await soon(selectedCount).toBe(3);
  });

  test("a name that is typed makes a label and is put on the whole selection; undo and redo follow", async () => {
    await page.keyboard.press("/");
    await page.getByRole("combobox").fill("Oat drink");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Undo", exact: true }).waitFor();
    await soon(() => badge(0)).toContain("Oat drink");
    await soon(() => badge(2)).toContain("Oat drink");
    await page.keyboard.press("ControlOrMeta+z");
    await soon(() => badge(1)).toContain("no label");
    await page.keyboard.press("ControlOrMeta+Shift+z");
    await soon(() => badge(1)).toContain("Oat drink");
  });

  test("the label's key labels the focused image and goes on to the next", async () => {
    await tile(10).click();
    await page.keyboard.press("1");
    await page.keyboard.press("1");
    await soon(() => badge(10)).toContain("Oat drink");
    await soon(() => badge(11)).toContain("Oat drink");
    expect(await badge(12)).toContain("no label");
    await page.keyboard.press("n");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Backspace");
    await expect
      .poll(() =>
        page
          .getByRole("button", { name: /^Oat drink/ })
          .first()
          .textContent(),
      )
      .toContain("5");
  });

  test("Enter opens the picture, arrows go on, Escape comes back", async () => {
    await tile(4).click();
    await page.keyboard.press("Enter");
    await page.getByText(`5 of ${pictureCount}`).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.getByText(`6 of ${pictureCount}`).waitFor();
    const shown = page.getByRole("region", { name: "Picture" }).locator("img").first();
    await soon(() => shown.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(120);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await tile(5).waitFor();
    expect(new URL(page.url()).hash).toMatch(/^#\/grid(\?|$)/);
  });

  test("a picture that is dropped on any view is searched for, and the chip leads back to names", async () => {
    await page.keyboard.press("Shift+C");
    const data = readFileSync(join(folder, "pictures/shelf", firstPicture())).toString("base64");
    await page.evaluate((encoded) => {
      const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], "query.png", { type: "image/png" }));
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
    }, data);
    await page.getByText("your picture", { exact: true }).waitFor();
    expect(new URL(page.url()).hash).toContain("sort=picture.");
    // The picture itself is in the library, and most like itself.
    await soon(() => badge(0)).toContain("similarity 1.00");
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "No longer sort by similarity" }).click();
    await soon(() => page.url()).not.toContain("sort=");
  });

  test("the palette finds a command, the cheat sheet lists it, the history goes back", async () => {
    await page.keyboard.press("ControlOrMeta+k");
    await page.getByRole("combobox").fill("unlabelled images");
    await page.keyboard.press("Enter");
    await page
      .getByText(`${pictureCount - 5} images`)
      .first()
      .waitFor();
    expect(page.url()).toContain("labelled=no");
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("Show unlabelled images").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Shift+H");
    await page.getByRole("button", { name: "The beginning" }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("Escape");
  });

  test("a link brings back the filter, the selection and the picture", async () => {
    await page.getByRole("button", { name: /^All images/ }).click();
    await page.getByText(`${pictureCount} images`).first().waitFor();
    await soon(() => page.locator("[data-image]").count()).toBe(pictureCount);
    await tile(3).click();
    await tile(6).click({ modifiers: ["Shift"] });
    await soon(() => page.url()).toMatch(/selected=\w+-\w+/);
    await page.reload();
    await soon(selectedCount).toBe(4);
    await soon(() => badge(1)).toContain("Oat drink");
  });

  test.each(["light", "dark"] as const)("the grid has no accessibility faults in %s colours", async (theme) => {
    await page.emulateMedia({ colorScheme: theme });
    await tile(3).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("nothing was complained about on the console", () => {
    expect(complaints).toEqual([]);
  });

  test("when the core goes away the page says so, and goes on when it is back", async () => {
    await core.cut();
    await page.getByText("The core does not answer.").waitFor();
    await core.mend();
    await page.getByText("Dinoscope was started anew.").waitFor();
    await core.admit(page);
    await page.getByText("Dinoscope was started anew.").waitFor({ state: "hidden" });
    await tile(15).click();
    await page.keyboard.press("1");
    await soon(() => badge(15)).toContain("Oat drink");
  });
});
