import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CheckKind } from "../../core/rpc/records.ts";
import { drawPictures } from "../helpers/pictures.ts";
import { prepareLibrary } from "../helpers/workplace.ts";
import { connect, runJob, type Client } from "../server/support.ts";
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

const perLabel = 20;
const pictureCount = 2 * perLabel + 1;
const token = "5".repeat(64);
/** On two busy cores a change takes longer than the second that polling has otherwise. */

describe.skipIf(!hasBrowser)("the map and the checks (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-map-"));
  let core: Running;
  let client: Client;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const selected = (): Locator => page.getByRole("toolbar", { name: "Selected images" });
  const tab = (name: string): Locator => page.getByRole("tab", { name: new RegExp(`^${name}`) });
  const foundOf = async (wanted: CheckKind): Promise<number> =>
    (await client.call("checks.counts", {})).find(({ kind }) => kind === wanted)?.found ?? 0;
  const labelsOf = async (ids: readonly number[]): Promise<(number | undefined)[]> => {
    const details = await Promise.all(ids.map((imageId) => client.call("images.detail", { imageId })));
    return details.map(({ annotation }) => annotation?.labelId);
  };

  beforeAll(async () => {
    await buildPage();
    // Two kinds by colour, and one picture that is here twice with two labels.
    for (const [at, name] of ["apple", "pear"].entries()) {
      await drawPictures(join(folder, "pictures", name), perLabel, { seed: 3 + at, width: 120, height: 90 });
    }
    copyFileSync(join(folder, "pictures/apple/004.jpg"), join(folder, "pictures/pear/copy.jpg"));
    core = await startCore(await prepareLibrary(join(folder, "library")), [folder]);
    client = await connect(core.server, {
      cookie: `${core.server.cookieName}=${token}`,
      origin: core.server.origin,
    });
    const ingest = { folder: join(folder, "pictures"), labelsFromFolders: true };
    await runJob(client, { kind: "ingest", parameters: ingest });
    await runJob(client, { kind: "embed", parameters: {} });
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
    await page.locator("[data-image]").first().waitFor();
  }, 120_000);

  afterAll(async () => {
    client?.socket.close();
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("the map is drawn where it is missing, and every picture is on it", async () => {
    await page.getByRole("button", { name: "Map" }).click();
    await page.getByRole("button", { name: "Draw the map" }).click();
    await page.locator("canvas").waitFor();
    await page.getByRole("toolbar", { name: "The map" }).getByText(`${pictureCount} images`).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("points are painted, and the legend hides and isolates them", async () => {
    const box = await page.locator("canvas").boundingBox();
    if (box === null) throw new Error("The map is not on screen.");
    // Left of the legend; what is not as the corner is a point.
    const clip = { ...box, width: box.width - 230 };
    const painted = async (): Promise<number> => {
      const { data, info } = await sharp(await page.screenshot({ clip }))
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      let count = 0;
      for (let at = 0; at < data.length; at += info.channels) {
        const away = [0, 1, 2].reduce((sum, of) => sum + Math.abs((data[at + of] ?? 0) - (data[of] ?? 0)), 0);
        count += away > 40 ? 1 : 0;
      }
      return count;
    };
    await soon(painted).toBeGreaterThan(100);
    const all = await painted();
    const apple = page.getByRole("button", { name: /^apple \d+$/ });
    await apple.click();
    await soon(painted).toBeLessThan(all);
    expect(await apple.getAttribute("aria-pressed")).toBe("false");
    await page.getByRole("button", { name: "Show only apple" }).click();
    expect(await apple.getAttribute("aria-pressed")).toBe("true");
    expect(await page.getByRole("button", { name: /^pear \d+$/ }).getAttribute("aria-pressed")).toBe("false");
    await page.getByRole("button", { name: "Show all", exact: true }).click();
    await soon(painted).toBe(all);
  });

  test("model health says where the labels of neighbours fit together", async () => {
    const colour = page.getByLabel("Colour by");
    await colour.selectOption({ label: "Model health" });
    // Pictures are of two labels and drawn at random: some neighbours agree, others cannot.
    await page
      .getByRole("button", { name: /^Neighbours (agree|divided|disagree) \d+$/ })
      .first()
      .waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await colour.selectOption({ label: "Label" });
    await page.getByRole("button", { name: /^apple \d+$/ }).waitFor();
  });

  test("a lasso around the map selects all of it, and the grid has the same selection", async () => {
    const box = await page.locator("canvas").boundingBox();
    if (box === null) throw new Error("The map is not on screen.");
    await page.keyboard.press("Shift+L");
    const corner = (x: number, y: number): Promise<void> =>
      page.mouse.move(box.x + 4 + x * (box.width - 8), box.y + 4 + y * (box.height - 8), { steps: 4 });
    await corner(0, 0);
    await page.mouse.down();
    await corner(0.99, 0);
    await corner(0.99, 0.99);
    await corner(0, 0.99);
    await page.mouse.up();
    await selected().getByText(`${pictureCount} images`).waitFor();
    await page.getByRole("button", { name: "Grid" }).click();
    await page.locator('[data-image][aria-selected="true"]').first().waitFor();
    await selected().getByText(`${pictureCount} images`).waitFor();
    await page.keyboard.press("Escape");
    await page.locator("[data-image]").nth(2).click();
    await page.getByRole("button", { name: "Map" }).click();
    await selected().getByText("1 image").waitFor();
  });

  test("arrow keys go from point to point, X selects, and the picture opens and closes", async () => {
    await page.keyboard.press("Escape");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("x");
    await selected().getByText("1 image").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Picture" }).waitFor();
    await page.keyboard.press("Escape");
    await page.locator("canvas").waitFor();
    await page.keyboard.press("Escape");
  });

  test("a picture of a selection is stepped through with its like only, and leads back to the map", async () => {
    await page.getByRole("application").focus();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.getByText(`of ${pictureCount} in the selection`).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.getByText(`of ${pictureCount} in the selection`).waitFor();
    await page.getByRole("region", { name: "Picture" }).getByRole("button", { name: "Map" }).click();
    await selected().getByText(`${pictureCount} images`).waitFor();
    await page.keyboard.press("Escape");
  });

  test("a check finds twins and a copy with two labels", async () => {
    await page.getByRole("button", { name: "Checks" }).click();
    await page.getByRole("button", { name: `Check ${pictureCount} pictures` }).click();
    await tab("Twins 20").waitFor();
    await tab("Duplicates").click();
    await page.getByText("2 labels for one picture").first().waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("Enter gives all copies the label of the best, Control+Z takes it back, X dismisses", async () => {
    const [pair] = await client.call("checks.list", { kind: "duplicates" });
    const ids = pair?.images.map(({ imageId }) => imageId) ?? [];
    const before = await labelsOf(ids);
    expect(new Set(before).size).toBe(2);
    await page.keyboard.press("Enter");
    await soon(async () => new Set(await labelsOf(ids)).size).toBe(1);
    await page.keyboard.press("ControlOrMeta+z");
    await soon(() => labelsOf(ids)).toEqual(before);
    await page.getByRole("button", { name: /^All are/ }).waitFor();
    const found = await foundOf("duplicates");
    await page.keyboard.press("x");
    await soon(() => foundOf("duplicates")).toBe(found - 1);
  });

  test("twins are swapped, relabelled by key and kept; what differs is lit", async () => {
    await tab("Twins").click();
    await page.getByText(/^Lit: |sees no difference/).waitFor();
    const [first] = await client.call("checks.list", { kind: "twins", limit: 300 });
    const ids = first?.images.map(({ imageId }) => imageId) ?? [];
    const before = await labelsOf(ids);
    await page.keyboard.press("Shift+S");
    await soon(() => labelsOf(ids)).toEqual(before.toReversed());
    await page.keyboard.press("ControlOrMeta+z");
    await soon(() => labelsOf(ids)).toEqual(before);
    // The pair is back in the list, and is the one that is looked at.
    await page.getByText(/^1 of /).waitFor();
    await page.locator("[data-finding]").first().click();

    const found = await foundOf("twins");
    await page.keyboard.press("x");
    await soon(() => foundOf("twins")).toBe(found - 1);
    const [next] = await client.call("checks.list", { kind: "twins", limit: 300 });
    const marked = next?.images[1];
    await page.keyboard.press("ArrowRight");
    const labels = await client.call("labels.list", {});
    const at = labels.tree
      .map(({ label }) => label.id)
      .sort((a, b) => a - b)
      .indexOf(next?.images[0]?.labelId ?? 0);
    await page.keyboard.press(String(at + 1));
    await soon(() => labelsOf([marked?.imageId ?? 0])).toEqual([next?.images[0]?.labelId]);
  });

  test("rare labels are listed, and a link opens the same tab", async () => {
    await tab("Rare labels").click();
    await page.getByText("No rare labels").waitFor();
    const address = page.url();
    await page.goto("about:blank");
    await page.goto(address);
    await page.getByText("No rare labels").waitFor();
    expect(await tab("Rare labels").getAttribute("aria-selected")).toBe("true");
  });

  test("without WebGL the map says so and offers another way", async () => {
    const other = await openPage(browser, "about:blank");
    await other.page.addInitScript(() => {
      // Seen by no other page: what a browser without the driver answers.
      const { getContext } = Object.getOwnPropertyDescriptors(HTMLCanvasElement.prototype);
      const get = getContext.value as (this: unknown, ...all: unknown[]) => unknown;
      Object.defineProperty(HTMLCanvasElement.prototype, "getContext", {
        value: function (this: unknown, kind: string, ...rest: unknown[]) {
          return kind === "webgl2" ? null : get.call(this, kind, ...rest);
        },
      });
    });
    await core.admit(other.page);
    await other.page.goto(`${core.server.origin}/#/map`);
    await other.page.getByText("This browser cannot draw the map").waitFor();
    await other.page.getByRole("button", { name: "Show the grid by cluster" }).click();
    await other.page.locator("[data-image]").first().waitFor();
    expect(other.complaints).toEqual([]);
    await other.page.context().close();
  });

  test("both views are accessible in the light, and the console stayed silent", async () => {
    const light = await openPage(browser, "about:blank", { theme: "light", width: 900, height: 700 });
    await core.admit(light.page);
    await light.page.goto(`${core.server.origin}/#/map?map.colour=cluster`);
    await light.page.locator("canvas").waitFor();
    expect(await accessibilityFaults(light.page)).toEqual([]);
    await light.page.goto(`${core.server.origin}/#/checks?checks.tab=twins`);
    await light.page.locator("[data-finding]").first().waitFor();
    expect(await accessibilityFaults(light.page)).toEqual([]);
    // Pictures of the page read the map back, of which software rendering complains.
    const said = [...complaints, ...light.complaints].filter((line) => !line.includes("GPU stall due to ReadPixels"));
    expect(said).toEqual([]);
  });
});
