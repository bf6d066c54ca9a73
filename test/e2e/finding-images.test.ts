/** What is listed, in which order, and what is selected of it: search, sorting, choices of images, and links that lead nowhere. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { kinds, ofEachKind, preparedLibrary } from "./prepared.ts";
import { soon } from "./soon.ts";
import { buildPage, hasBrowser, openBrowser, openPage, startCore, type Running } from "./support.ts";

const total = kinds * ofEachKind;

describe.skipIf(!hasBrowser)("finding images (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-finding-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const tile = (at: number): Locator => page.locator(`[data-image][aria-posinset="${at + 1}"]`);
  const said = (at: number): Promise<string | null> => tile(at).getAttribute("aria-label");
  const idAt = (at: number): Promise<string | null> => tile(at).getAttribute("data-image");
  const tiles = (): Promise<number> => page.locator("[data-image]").count();
  const bar = (): Locator => page.getByRole("toolbar", { name: "Selected images" });
  const button = (name: string | RegExp): Locator =>
    page.getByRole("button", { name, exact: typeof name === "string" });
  const search = (): Locator => page.getByLabel("Search by name or pasted picture");
  const labelled = (): Promise<string | null> => button(/^Labelled/).textContent();
  const goTo = (address: string): Promise<void> => page.evaluate((to) => location.assign(`#/${to}`), address);

  beforeAll(async () => {
    await buildPage();
    const library = await preparedLibrary(folder, async ({ call, run }) => {
      for (let at = 0; at < total / 2; at++) {
        await call("labels.assign", { target: { ids: [at + 1] }, label: { path: [`Kind ${at % kinds}`] } });
      }
      for (const kind of ["suggest", "map", "check"]) await run(kind, {});
      await run("masks", { recipe: { method: "attention" } });
    });
    core = await startCore(library, [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl, { height: 1400 }));
  }, 120_000);

  beforeEach(async () => {
    await goTo("grid");
    await soon(tiles).toBe(total);
    await page.keyboard.press("Escape");
  });

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("keys do nothing to images that a search does not show, and the details let go of them", async () => {
    const before = await labelled();
    const name = await said(total - 1);
    await tile(total - 1).click();
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: `${String(total - 1).padStart(3, "0")}.png` }).waitFor();
    await search().fill("zzz");
    await page.getByText("Nothing matches the filter").waitFor();
    await search().blur();
    await page.keyboard.press("1");
    await page.keyboard.press("Enter");
    await page
      .getByRole("complementary", { name: "Details" })
      .getByRole("heading", { name: `${total} images` })
      .waitFor();
    await search().fill("");
    await soon(tiles).toBe(total);
    expect(await said(total - 1)).toBe(name);
    expect(await labelled()).toBe(before);
    expect(page.url()).not.toMatch(/grid\/\d/);
  });

  test("a search narrows the selection to what it shows", async () => {
    await tile(0).click();
    await page.keyboard.press("ControlOrMeta+a");
    await bar().getByText(`${total} images`).waitFor();
    await search().fill("00");
    await soon(tiles).toBe(10);
    await bar().getByText("10 images").waitFor();
    await search().fill("");
    await soon(tiles).toBe(total);
    await bar().getByText("10 images").waitFor();
  });

  test("where nobody sees what is selected, a label's key does nothing", async () => {
    const before = await labelled();
    await tile(total - 1).click();
    await button("Train").click();
    await button("Start training").waitFor();
    await page.keyboard.press("1");
    await button("Grid").click();
    await soon(tiles).toBe(total);
    expect(await labelled()).toBe(before);
  });

  test("what is selected can be shown alone, by a chip, a link and the way back", async () => {
    await tile(1).click();
    await tile(20).click({ modifiers: ["ControlOrMeta"] });
    await tile(30).click({ modifiers: ["ControlOrMeta"] });
    await bar().getByRole("button", { name: "Show only these" }).click();
    await soon(tiles).toBe(3);
    expect(page.url()).toContain("only=");
    await page.getByText("3 chosen").waitFor();
    expect(await bar().getByRole("button", { name: "Show only these" }).count()).toBe(0);
    await page.reload();
    await soon(tiles).toBe(3);
    await button("Remove the filter 3 chosen").click();
    await soon(tiles).toBe(total);
    await page.goBack();
    await soon(tiles).toBe(3);
  });

  test("a link to a choice that this page does not know shows no images, and says so", async () => {
    await goTo("grid?only=~2880.abc");
    await page.getByText("This choice of images is not known any more").waitFor();
    await button("Show all images").click();
    await soon(tiles).toBe(total);
  });

  test("the map counts, and takes into a lasso, what the filter has", async () => {
    await goTo("map?labelled=no");
    await page.locator("canvas").first().waitFor();
    await page.getByText(`${total / 2} of ${total} images`).waitFor();
    const counts = await page.locator("[aria-label=Legend] .count").allTextContents();
    expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(total / 2);
    await page.keyboard.press("Shift+B");
    const room = await page.locator("canvas").first().boundingBox();
    if (room === null) throw new Error("There is no map.");
    await page.mouse.move(room.x + 2, room.y + 2);
    await page.mouse.down();
    await page.mouse.move(room.x + room.width - 2, room.y + room.height - 2, { steps: 6 });
    await page.mouse.up();
    await bar()
      .getByText(`${total / 2} images`)
      .waitFor();
    await bar().getByRole("button", { name: "Show only these" }).click();
    await soon(tiles).toBe(total / 2);
    await page.keyboard.press("Shift+A");
  });

  test("a word that is typed slowly is one step back", async () => {
    const steps = await page.evaluate(() => history.length);
    await search().focus();
    await page.keyboard.type("00", { delay: 350 });
    await soon(tiles).toBe(10);
    await page.keyboard.type("1", { delay: 350 });
    await soon(tiles).toBe(1);
    expect(await page.evaluate(() => history.length)).toBe(steps + 1);
    await page.goBack();
    await soon(tiles).toBe(total);
    expect(await search().inputValue()).toBe("");
  });

  test("the way back leads through the labels of a review and the tabs of the checks", async () => {
    await goTo("review");
    const labels = page.getByRole("navigation", { name: "Suggestions by label" });
    await labels.getByRole("button", { name: /^Kind 1/ }).click();
    await soon(() => page.url()).toContain("review.label=");
    await page.goBack();
    await soon(() => labels.getByRole("button", { name: /^All labels/ }).getAttribute("aria-pressed")).toBe("true");
    await goTo("checks");
    const tab = (name: RegExp): Locator => page.getByRole("tab", { name });
    await tab(/^Dupl/).click();
    await soon(() => page.url()).toContain("checks.tab=duplicates");
    await tab(/^Outl/).click();
    await soon(() => page.url()).toContain("checks.tab=outliers");
    await page.goBack();
    await soon(() => tab(/^Dupl/).getAttribute("aria-selected")).toBe("true");
    await page.goBack();
    await soon(() => tab(/^Wrong/).getAttribute("aria-selected")).toBe("true");
  });

  test("links that lead nowhere say so, or lead to the grid", async () => {
    await goTo("grid/999999");
    await page.getByText("There is no such image in this library").waitFor();
    expect(await page.getByText("has not looked at this picture").count()).toBe(0);
    expect(await page.getByText("may have been moved").count()).toBe(0);
    await button("Back to Grid").click();
    await soon(tiles).toBe(total);
    await goTo("nonsense");
    await page.locator("nav[aria-label=Views] [aria-current=page]", { hasText: "Grid" }).waitFor();
    await soon(() => page.url()).toMatch(/#\/grid$/);
    complaints.splice(0);
  });

  test("a picture from the clipboard is searched for; one that is not known any more can be dropped", async () => {
    const data = readFileSync(join(folder, "pictures", "005.png")).toString("base64");
    await page.evaluate((encoded) => {
      const clipboardData = new DataTransfer();
      const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
      clipboardData.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
      window.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, data);
    await page.getByText("your picture", { exact: true }).waitFor();
    await soon(() => said(0)).toContain("similarity 1.00");
    expect(await idAt(0)).toBe("6");
    await goTo("grid?sort=picture.gone");
    await page.getByText("The picture searched by is not known any more.").waitFor();
    expect(await button("Try again").count()).toBe(0);
    await button("Sort by name instead").click();
    await soon(tiles).toBe(total);
    complaints.splice(0);
  });

  test("the least certain come first, or the most, or the newest", async () => {
    const choose = async (title: string): Promise<void> => {
      await button(/^Sorted by/).click();
      await page.getByRole("menuitem", { name: title, exact: true }).click();
    };
    const sure = async (): Promise<number[]> => {
      const names = await page.locator("[data-image]").evaluateAll((all) => all.map((one) => one.ariaLabel ?? ""));
      return names.flatMap((name) => (/, (\d+) % sure/.exec(name)?.[1] ?? []) as string[]).map(Number);
    };
    await choose("Least certain first");
    await soon(() => page.url()).toContain("sort=uncertainty");
    await soon(async () => (await sure()).length).toBeGreaterThan(3);
    await soon(async () => (await sure()).join()).toBe((await sure()).toSorted((a, b) => a - b).join());
    await choose("Most certain first");
    await soon(async () => (await sure()).join()).toBe((await sure()).toSorted((a, b) => b - a).join());
    await choose("Newest first");
    await soon(() => page.url()).toContain("sort=date-down");
    // The address is there before the list is: nothing else says that it has come.
    await page.waitForTimeout(1500);
    const newest = await idAt(0);
    await choose("Oldest first");
    await soon(() => idAt(total - 1)).toBe(newest);
  });

  test("squares are as wide as they are high, and masks lie over the tiles", async () => {
    const box = async (): Promise<number> => {
      const { width = 0, height = 1 } = (await tile(3).boundingBox()) ?? {};
      return width / height;
    };
    expect(await box()).not.toBeCloseTo(1, 1);
    await button("Show as squares").click();
    await soon(box).toBeCloseTo(1, 2);
    await button("Show whole pictures").click();
    await soon(box).not.toBeCloseTo(1, 1);
    const veiled = (): Promise<number> => page.locator("[data-image] .mask").count();
    expect(await veiled()).toBe(0);
    const bare = await tile(3).screenshot();
    await button("Masks on thumbnails").click();
    await soon(veiled).toBe(total);
    await soon(async () => (await tile(3).screenshot()).equals(bare)).toBe(false);
    await button("Masks on thumbnails").click();
    await soon(veiled).toBe(0);
  });

  test("nothing was complained about on the console", () => {
    expect(complaints.filter((line) => !line.includes("GPU stall due to ReadPixels"))).toEqual([]);
  });
});
