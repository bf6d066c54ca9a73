import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openApp } from "../../core/app.ts";
import { drawLabelled, tinyRun } from "../helpers/pretraining.ts";
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

/** Options of a run of seconds, by the titles of their fields. */
const options = {
  Passes: "4",
  Batch: "4",
  "Large crops": "32",
  "Small crops": "16",
  "Number of small crops": "1",
  Width: "24",
  Blocks: "1",
  Prototypes: "16",
};

describe.skipIf(!hasBrowser)("training and exporting in a browser (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-train-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    await buildPage();
    const photos = await drawLabelled(join(folder, "photos"));
    const app = openApp({ folder: join(folder, "library"), holder: "a test" });
    await app.add(photos, { labelsFromFolders: true });
    await app.pretrain({ ...tinyRun, name: "earlier" });
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

  test("a preset is offered with its time, and a run with own options trains to its end", async () => {
    await page.keyboard.press("Shift+T");
    await page
      .getByText(/about .+(s|min|h)$/)
      .first()
      .waitFor({ timeout: 50_000 });
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "More options" }).click();
    await page.getByLabel("Name of the model").fill("of the page");
    for (const [title, value] of Object.entries(options)) await page.getByLabel(title, { exact: true }).fill(value);
    await page.getByRole("button", { name: "Start training" }).click();
    await page.getByRole("button", { name: "Keep and use it" }).waitFor({ timeout: 50_000 });
    await page.getByRole("heading", { name: "of-the-page" }).waitFor();
    expect(new URL(page.url()).hash).toMatch(/^#\/train\?.*train\.run=2/);
  });

  test("a run is stopped, and goes on where it was", async () => {
    await page.getByRole("button", { name: "New run" }).click();
    await page.getByRole("button", { name: "More options" }).click();
    await page.getByLabel("Passes", { exact: true }).fill("2000");
    await page.keyboard.press("ControlOrMeta+Enter");
    await page.getByRole("progressbar", { name: "Training" }).last().waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByRole("button", { name: "Go on", exact: true }).last().click();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByRole("button", { name: "Go on", exact: true }).last().waitFor();
    await page
      .getByText(/^Stopped$/)
      .first()
      .waitFor();
  });

  test("a run shows its curves with values, its health in words, and where it looked, to scrub", async () => {
    await page.getByRole("button", { name: /^earlier/ }).click();
    await page.getByRole("heading", { name: "earlier" }).waitFor();
    await page
      .getByText(/Too early to tell|It is learning|cannot come/)
      .first()
      .waitFor();
    await expect.poll(() => page.locator("section[aria-label='Attention through the run'] li canvas").count()).toBe(6);
    // The film goes to a look as the slider does.
    await page.getByRole("button", { name: "Step 0", exact: true }).click();
    const loss = page.getByRole("slider", { name: "Loss" });
    await loss.focus();
    await page.keyboard.press("Home");
    expect(await loss.getAttribute("aria-valuetext")).toMatch(/^step 1: loss \d/);
    const place = page.getByRole("slider", { name: "Place in the run" });
    await page.getByRole("heading", { name: "earlier" }).click();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => place.getAttribute("aria-valuetext")).toBe("Step 3, pass 1");
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("the models of two runs are laid side by side on their maps, with how well each tells the labels", async () => {
    await page.getByRole("button", { name: "Compare their maps" }).click();
    await page.getByRole("img", { name: "Map of 14 images by earlier" }).waitFor();
    await page.getByRole("img", { name: "Map of 14 images by of-the-page" }).waitFor();
    await soon(() => page.getByText("of labels told").count()).toBe(2);
    await page.getByText(/No clear difference|tells more labels/).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("a run that is discarded can be had back from the toast", async () => {
    await page.getByRole("button", { name: "Discard" }).click();
    await page.getByText("Discarded earlier").waitFor();
    await page.getByRole("button", { name: "Undo", exact: true }).last().click();
    await page.getByRole("heading", { name: "earlier" }).waitFor();
    // The key for undoing means what was done last, and that is the discarding.
    await page.getByRole("button", { name: "Discard" }).click();
    await page.getByText("Discarded earlier").waitFor();
    await page.keyboard.press("ControlOrMeta+z");
    await page.getByRole("heading", { name: "earlier" }).waitFor();
    expect(await page.getByText("Discarded earlier").count()).toBe(0);
    expect(await page.getByText(/^Undone/).count()).toBe(0);
  });

  test("labels leave as CSV, with a split, and are read back as they are in the library", async () => {
    await page.keyboard.press("Shift+E");
    await page.getByText("First files").waitFor();
    await page.locator("pre").getByText("path,label,coarse").waitFor();
    await page.getByRole("switch", { name: "Split into train, val and test" }).click();
    await page.getByLabel("Name of the new folder").fill("for the classifier");
    await page.getByText(/train \d+ · val \d+ · test \d+/).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("ControlOrMeta+Enter");
    await page.getByText("Wrote 14 images with 2 labels").waitFor();
    const text = readFileSync(join(folder, "for the classifier", "labels.csv"), "utf8");
    const rows = parse<{ path: string; label: string; split: string }>(text, { columns: true });
    expect(rows).toHaveLength(14);
    for (const { path, label } of rows) expect(path.startsWith(`${label}/`)).toBe(true);
    expect(new Set(rows.map(({ split }) => split)).has("train")).toBe(true);
  });

  test("COCO of images without masks says so, and writes boxes of whole pictures when told to", async () => {
    await page.getByText("COCO", { exact: true }).click();
    await page.getByText("This format needs masks").waitFor();
    await page.getByRole("switch", { name: /without a mask count/ }).click();
    await page.getByRole("button", { name: "annotations/instances_train.json" }).click();
    await page.getByText('"file_name"').first().waitFor();
    await page.getByLabel("Name of the new folder").fill("as coco");
    const start = page.getByRole("button", { name: "Export 14 images" });
    await start.click();
    await page.getByText("Wrote 14 images with 2 labels and 14 masks").waitFor();
    const parts = ["train", "val", "test"].map(
      (part) =>
        JSON.parse(readFileSync(join(folder, "as coco", "annotations", `instances_${part}.json`), "utf8")) as {
          annotations: { bbox: number[] }[];
        },
    );
    const boxes = parts.flatMap(({ annotations }) => annotations.map(({ bbox }) => bbox.join()));
    expect(boxes).toHaveLength(14);
    expect(new Set(boxes)).toEqual(new Set(["0,0,60,44", "0,0,44,60"]));
  });

  test("in light colours there are no accessibility faults either, and nothing was complained of", async () => {
    await page.emulateMedia({ colorScheme: "light" });
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("Shift+T");
    await page.getByRole("button", { name: /^earlier/ }).click();
    await page.getByRole("heading", { name: "earlier" }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
