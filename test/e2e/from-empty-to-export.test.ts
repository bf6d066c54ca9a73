/** The whole way as a person goes it: clicks and keys from an empty library to an export, which is read by itself. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Client } from "../server/support.ts";
import { readCoco, type CocoImage } from "./coco-reader.ts";
import { soon } from "./soon.ts";
import { buildPage, hasBrowser, openBrowser, openPage, startCore, type Running } from "./support.ts";

const pictureCount = 240;
/** The names that a person would give; which cluster gets which does not matter for what leaves the library. */
const names = ["Crisps", "Jam", "Oat drink", "Cereal"] as const;
const labelledClusters = 6;
/** The sample is drawn, looked at and compared meanwhile: seconds on idle cores, a minute on busy ones. */
const patience = { timeout: 180_000 };

describe.skipIf(!hasBrowser)("from an empty library to an export (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-whole-"));
  const exported = join(folder, "for training");
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  let client: Client;

  /** Tiles of the wall that is shown; the choices of a select are options too. */
  const tile = (at: number): Locator => page.locator("[role=option]").nth(at);
  const tiles = (): Promise<number> => page.locator("[role=option]").count();
  const view = (name: string): Promise<void> =>
    page.getByRole("navigation", { name: "Views" }).getByRole("button", { name }).click();

  beforeAll(async () => {
    await buildPage();
    core = await startCore(join(folder, "library"), [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
  }, 120_000);

  afterAll(async () => {
    client?.socket.close();
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test(
    "the sample library is opened from the start, and its pictures fill the grid",
    { timeout: 200_000 },
    async () => {
      await page.getByRole("button", { name: "Open the sample library" }).click();
      // At once, and not when the first picture has been drawn.
      const adding = page.getByRole("status").filter({ has: page.getByRole("heading", { name: "Adding pictures" }) });
      await adding.waitFor({ timeout: 5_000 });
      await page.locator("[data-image] img").first().waitFor(patience);
      await page.getByText(`${pictureCount} images`).first().waitFor(patience);
    },
  );

  test("the starter model looks at every picture", { timeout: 200_000 }, async () => {
    const chooser = page.getByRole("button", { name: "Choose a model" }).first();
    await chooser.click(patience);
    await page.getByRole("radio", { name: /^Starter/ }).check();
    await page.getByRole("button", { name: "Use this model" }).click();
    await page.getByText("Has looked at every image.").waitFor(patience);
  });

  test("clusters are made, and each of six is labelled in one act", { timeout: 200_000 }, async () => {
    await view("Clusters");
    await page.getByRole("button", { name: `Group ${pictureCount} pictures` }).click();
    await page.getByRole("listbox", { name: "Clusters" }).waitFor(patience);
    await soon(tiles).toBeGreaterThan(labelledClusters);
    for (let at = 0; at < labelledClusters; at++) {
      // The first of each name is typed; from then on the label has a key.
      if (at < names.length) {
        await page.keyboard.press("/");
        await page.getByRole("combobox", { name: "Label", exact: true }).fill(names[at] ?? "");
        await page.keyboard.press("Enter");
      } else await page.keyboard.press(String(1 + (at % names.length)));
      await soon(() => tile(at).textContent()).toContain("all labelled");
      await soon(() => tile(at + 1).getAttribute("class")).toContain("focused");
    }
    // One act each: the history has one step for every cluster.
    await page.keyboard.press("Shift+H");
    await soon(() => page.getByText(/Labelled \d+ images/).count()).toBeGreaterThanOrEqual(labelledClusters);
    await page.keyboard.press("Escape");
  });

  test("the labels suggest the others, and the slider accepts many in one act", { timeout: 200_000 }, async () => {
    await view("Review");
    await page.getByRole("button", { name: "Suggest labels" }).click();
    await page.getByRole("listbox", { name: /^Suggestions/ }).waitFor(patience);
    const slider = page.getByLabel("How many of the most certain to accept");
    await slider.focus();
    await page.keyboard.press("End");
    const accept = page.getByRole("button", { name: /^Accept\s+\d+$/ });
    const count = Number(/\d+/.exec((await accept.textContent()) ?? "")?.[0]);
    expect(count).toBeGreaterThan(10);
    const before = await tiles();
    await accept.click();
    await page
      .getByText(new RegExp(`^Accepted ${count}`))
      .first()
      .waitFor();
    await soon(tiles).toBeLessThan(before);
  });

  test("a check looks for mistakes, and what it proposes is done by a key", { timeout: 200_000 }, async () => {
    await view("Checks");
    await page.getByRole("button", { name: `Check ${pictureCount} pictures` }).click();
    await page.getByText(/^Checked /).waitFor(patience);
    const twins = page.getByRole("tab", { name: /^Twins \d/ });
    await twins.click();
    const found = Number(/\d+/.exec((await twins.textContent()) ?? "")?.[0]);
    await page.keyboard.press("Enter");
    await soon(async () => Number(/\d+/.exec((await twins.textContent()) ?? "")?.[0])).toBeLessThan(found);
  });

  test("two pictures get a mask out of the model's attention", { timeout: 200_000 }, async () => {
    await view("Grid");
    await page.keyboard.press("Shift+A");
    await page.locator("[data-image]").first().click();
    await page.keyboard.press("Enter");
    await page.keyboard.press("m");
    for (let at = 0; at < 2; at++) {
      if (at > 0) await page.keyboard.press("ArrowRight");
      await page.getByRole("button", { name: "Keep", exact: true }).click(patience);
      await page.getByText("Kept, made by a model").waitFor(patience);
    }
    await page.keyboard.press("Escape");
  });

  test("the export is written as it was announced", { timeout: 200_000 }, async () => {
    await view("Export");
    await page.getByText("COCO", { exact: true }).click();
    await page.getByRole("switch", { name: /without a mask count/ }).click();
    await page.getByRole("switch", { name: "Split into train, val and test" }).click();
    await page.getByLabel("Name of the new folder").fill("for training");
    await page.getByText(/train \d+ · val \d+ · test \d+/).waitFor();
    await page.getByRole("button", { name: /^Export \d+ images$/ }).click();
    await page.getByText(/^\s*Wrote \d+ images with \d labels/).waitFor(patience);
  });

  test("every label, split and mask in the files is the library's", async () => {
    const { server } = core;
    client = await connect(server, { cookie: `${server.cookieName}=${"5".repeat(64)}`, origin: server.origin });
    const parts = ["train", "val", "test"].map((part) => ({ part, images: readCoco(exported, part) }));
    const all: CocoImage[] = parts.flatMap(({ images }) => images);
    const split = [0.8, 0.1, 0.1] as [number, number, number];
    const said = await client.call("exports.preview", { format: "coco", split, wholeImages: true });
    expect(parts.map(({ part, images }) => ({ part, images: images.length }))).toEqual(said.parts);
    expect(new Set(all.map(({ path }) => path)).size).toBe(said.images);
    const { annotated } = await client.call("library.overview", {});
    expect(all).toHaveLength(annotated);

    const details = await Promise.all(all.map(({ id }) => client.call("images.detail", { imageId: id })));
    for (const [at, { image, annotation, file }] of details.entries()) {
      const read = all[at];
      expect(read).toMatchObject({
        path: image.path,
        width: image.width,
        height: image.height,
        label: annotation?.label,
      });
      expect(readFileSync(join(exported, "images", read?.file ?? "")).equals(readFileSync(file)), image.path).toBe(
        true,
      );
    }
    let masks = 0;
    for (const { id, width, height, pixels } of all) {
      const mask = await client.call("masks.get", { imageId: id });
      const runs = mask?.runs ?? [0, width * height];
      masks += mask === null ? 0 : 1;
      expect(pixels.length).toBe(width * height);
      const wanted = Buffer.concat(runs.map((length, run) => Buffer.alloc(length, run % 2)));
      expect(wanted.equals(pixels), `the mask of image ${id}`).toBe(true);
    }
    // Of the two pictures with a mask at least one has a label; both where both have.
    expect(masks).toBeGreaterThan(0);
  });

  test("nothing was complained about on the console", () => {
    expect(complaints).toEqual([]);
  });
});
