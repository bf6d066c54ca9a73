/**
 * Pictures of every view and state, light and dark, in two window sizes, to look at: `npm run screenshots -- FOLDER TARGET`.
 * Without a folder of pictures the sample pictures are drawn. They go to dist/screenshots unless a target is named.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { openBrowser, openPage, startCore, type Look } from "./support.ts";

const pictures = process.argv[2] === undefined ? null : resolve(process.argv[2]);
const target = resolve(process.argv[3] ?? "dist/screenshots");
mkdirSync(target, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "dinoscope-looks-"));
const core = await startCore(join(folder, "library"), [pictures ?? folder]);
const browser = await openBrowser();

/** Transitions are off; this is for pictures to arrive. */
const settleMs = 700;

const looks: readonly Required<Look>[] = (["dark", "light"] as const).flatMap((theme) => [
  { theme, width: 1440, height: 900 },
  { theme, width: 900, height: 700 },
]);

async function shoot(page: Page, name: string, { theme, width }: Required<Look>): Promise<void> {
  await page.waitForTimeout(settleMs);
  await page.screenshot({ path: join(target, `${name}-${theme}-${width}.png`) });
}

async function inEveryLook(
  name: string,
  prepare: (page: Page, look: Required<Look>) => Promise<unknown>,
): Promise<void> {
  for (const look of looks) {
    const { page, complaints } = await openPage(browser, core.server.startUrl, look);
    await page.waitForTimeout(settleMs);
    await prepare(page, look);
    await shoot(page, name, look);
    for (const complaint of complaints) console.log(`${name}: ${complaint}`);
    await page.context().close();
  }
}

await inEveryLook("start", () => Promise.resolve());
await inEveryLook("start-skipped", (page) => page.getByRole("button", { name: "Look around first" }).click());
await inEveryLook("folder", (page) => page.getByRole("button", { name: "Choose a folder" }).click());

// One library for all pictures that follow: taken in, looked at, a third labelled, the rest suggested.
const { page } = await openPage(browser, core.server.startUrl);
if (pictures === null) await page.getByRole("button", { name: "Open the sample library" }).click();
else {
  await page.getByRole("button", { name: "Choose a folder" }).click();
  await page.getByLabel("Folder", { exact: true }).fill(pictures);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Add this folder" }).click();
}
await page.locator("[data-image]").first().waitFor({ timeout: 120_000 });
await shoot(page, "filling", { theme: "dark", width: 1440, height: 900 });
await page.getByText("Adding pictures").waitFor({ state: "hidden", timeout: 300_000 });
await page.getByRole("button", { name: "Choose a model" }).first().click();
await shoot(page, "model", { theme: "dark", width: 1440, height: 900 });
// The model that comes with Dinoscope is chosen already.
await page.getByRole("button", { name: "Use this model" }).click();
await page.getByText("Has looked at every image.").waitFor({ timeout: 300_000 });

for (const [at, name] of ["Oat drink", "Green tea, 20 bags", "שוקולד מריר"].entries()) {
  await page
    .locator("[data-image]")
    .nth(at * 7)
    .click();
  await page
    .locator("[data-image]")
    .nth(at * 7 + 5)
    .click({ modifiers: ["Shift"] });
  await page.keyboard.press("/");
  await page.getByRole("combobox").fill(name);
  await page.keyboard.press("Enter");
  await page.waitForTimeout(settleMs);
}
await page.getByRole("button", { name: "Suggest labels" }).click();
await page.getByRole("button", { name: /^Suggested/ }).waitFor({ timeout: 60_000 });
await page.keyboard.press("Shift+C");
await page.getByRole("button", { name: /^Group \d/ }).click();
await page.locator("[data-at]").first().waitFor({ timeout: 60_000 });
await page.context().close();

await inEveryLook("grid", () => Promise.resolve());
await inEveryLook("selection", async (page) => {
  await page.locator("[data-image]").nth(3).click();
  await page
    .locator("[data-image]")
    .nth(8)
    .click({ modifiers: ["Shift"] });
});
await inEveryLook("label", async (page) => {
  await page.locator("[data-image]").nth(3).click();
  await page.keyboard.press("/");
});
await inEveryLook("similar", async (page) => {
  await page.locator("[data-image]").nth(4).click();
  await page.keyboard.press("s");
});
await inEveryLook("toast", async (page) => {
  await page.locator("[data-image]").nth(1).click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.press("Backspace");
  await page.keyboard.press("ControlOrMeta+z");
});
await inEveryLook("sort", (page) => page.getByRole("button", { name: /^Sorted by/ }).click());
await inEveryLook("menu", (page) => page.getByRole("button", { name: "More", exact: true }).click());
await inEveryLook("models", async (page) => {
  await page.keyboard.press("ControlOrMeta+k");
  await page.getByRole("combobox").fill("choose or add a model");
  await page.keyboard.press("Enter");
});
await inEveryLook("details", async (page, { width }) => {
  await page.locator("[data-image]").nth(9).click();
  if (width < 1080) await page.keyboard.press("]");
});
await inEveryLook("picture", async (page) => {
  await page.locator("[data-image]").nth(2).click();
  await page.keyboard.press("Enter");
});
for (const [name, key] of [
  ["picture-mask", "m"],
  ["picture-heat", "t"],
  ["picture-alike", "l"],
] as const) {
  await inEveryLook(name, async (page) => {
    await page.locator("[data-image]").nth(2).click();
    await page.keyboard.press("Enter");
    await page.keyboard.press(key);
    const stage = page.getByRole("img", { name: /^Picture\./ });
    await stage.locator("canvas").or(page.getByText("Point at a spot")).first().waitFor({ timeout: 30_000 });
    // Long enough for the neighbours' features.
    if (name === "picture-alike") await page.waitForTimeout(8 * settleMs);
    await stage.hover();
  });
}
await inEveryLook("cluster-open", async (page) => {
  await page.keyboard.press("Shift+C");
  await page.locator('[data-at="1"]').click();
  await page.getByRole("tab", { name: "Odd first" }).click();
  await page.locator('[data-at="2"]').click();
});
await inEveryLook("cluster-picture", async (page) => {
  await page.keyboard.press("Shift+C");
  await page.locator('[data-at="1"]').click();
  await page.locator('[data-at="2"]').waitFor();
  for (const key of ["ArrowRight", "Space"]) await page.keyboard.press(key);
  await page.getByRole("region", { name: "Picture" }).waitFor();
});
await inEveryLook("clusters-marked", async (page) => {
  await page.keyboard.press("Shift+C");
  await page.locator("[data-at]").first().waitFor();
  for (const key of ["x", "ArrowRight", "x"]) await page.keyboard.press(key);
});
await inEveryLook("review-slider", async (page) => {
  await page.keyboard.press("Shift+R");
  await page.getByLabel("How many of the most certain to accept").fill("9");
  await page.keyboard.press("/");
});
await inEveryLook("palette", (page) => page.keyboard.press("ControlOrMeta+k"));
await inEveryLook("keys", (page) => page.keyboard.press("?"));
await inEveryLook("history", (page) => page.keyboard.press("Shift+H"));
await inEveryLook("nothing", (page) => page.getByLabel("Search by name or pasted picture").fill("no such name"));
await inEveryLook("devices", (page) => page.getByRole("button", { name: /^Device/ }).click());

const { page: tabs } = await openPage(browser, core.server.startUrl);
await tabs.waitForTimeout(settleMs);
const views = await tabs.getByRole("navigation", { name: "Views" }).getByRole("button").allTextContents();
await tabs.context().close();
for (const view of views.map((title) => title.trim()).filter((title) => title !== "Grid")) {
  await inEveryLook(view.toLowerCase(), (page) =>
    page.getByRole("navigation", { name: "Views" }).getByRole("button", { name: view }).click(),
  );
}

// A short run, so that there are curves and something to scrub.
const { page: trainer } = await openPage(browser, core.server.startUrl);
await trainer.getByRole("button", { name: "Train", exact: true }).click();
await trainer.getByRole("button", { name: "More options" }).click();
await trainer.getByLabel("Passes", { exact: true }).fill("4");
await trainer.getByRole("button", { name: "Start training" }).click({ timeout: 120_000 });
await trainer.getByRole("button", { name: "Keep and use it" }).waitFor({ timeout: 900_000 });
await trainer.getByRole("button", { name: "Compare their maps" }).click();
await trainer.getByText("of labels told").nth(1).waitFor({ timeout: 300_000 });
await trainer.context().close();
await inEveryLook("train-run", async (page) => {
  await page.keyboard.press("Shift+T");
  await page.locator('aside[aria-label="Runs"] li button').first().click();
});
await inEveryLook("train-attention", async (page) => {
  await page.keyboard.press("Shift+T");
  await page.locator('aside[aria-label="Runs"] li button').first().click();
  await page.getByRole("slider", { name: "Place in the run" }).scrollIntoViewIfNeeded();
});
await inEveryLook("export-coco", async (page) => {
  await page.keyboard.press("Shift+E");
  await page.getByText("COCO", { exact: true }).click();
  await page.getByRole("switch", { name: /without a mask count/ }).click();
  await page.getByRole("switch", { name: "Split into train, val and test" }).click();
});

const { page: mapper } = await openPage(browser, core.server.startUrl);
await mapper.keyboard.press("Shift+P");
// Comparing the maps of a run has drawn this one, where the same model is in use.
const drawMap = mapper.getByRole("button", { name: "Draw the map" });
await drawMap.or(mapper.locator("canvas")).first().waitFor();
if (await drawMap.isVisible()) await drawMap.click();
await mapper.locator("canvas").waitFor({ timeout: 300_000 });
await mapper.keyboard.press("Shift+K");
await mapper.getByRole("button", { name: /^Check \d/ }).click();
await mapper.getByText(/^Checked /).waitFor({ timeout: 300_000, state: "attached" });
await mapper.context().close();
await inEveryLook("map", async (page) => {
  await page.keyboard.press("Shift+P");
  await page.locator("canvas").waitFor();
});
await inEveryLook("map-health", async (page) => {
  await page.keyboard.press("Shift+P");
  await page.getByLabel("Colour by").selectOption({ label: "Model health" });
});
await inEveryLook("map-lasso", async (page) => {
  await page.keyboard.press("Shift+P");
  const box = await page.locator("canvas").boundingBox();
  if (box === null) throw new Error("The map is not on screen.");
  await page.keyboard.press("Shift+L");
  const corner = (x: number, y: number): Promise<void> =>
    page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 4 });
  await corner(0.2, 0.3);
  await page.mouse.down();
  for (const [x, y] of [
    [0.45, 0.2],
    [0.6, 0.5],
    [0.35, 0.7],
  ] as const) {
    await corner(x, y);
  }
});
for (const [name, tab] of [
  ["wrong-labels", "Wrong labels"],
  ["twins", "Twins"],
  ["duplicates", "Duplicates"],
  ["outliers", "Outliers"],
  ["rare-labels", "Rare labels"],
] as const) {
  await inEveryLook(`checks-${name}`, async (page) => {
    await page.keyboard.press("Shift+K");
    await page.getByRole("tab", { name: new RegExp(`^${tab}`) }).click();
    if (name === "twins") await page.waitForTimeout(3 * settleMs);
  });
}

await inEveryLook("offline", async (page) => {
  await core.cut();
  await page.getByRole("alert").waitFor();
  await core.mend();
});

await browser.close();
await core.close();
rmSync(folder, { recursive: true, force: true });
console.log(`Pictures are in ${target}.`);
