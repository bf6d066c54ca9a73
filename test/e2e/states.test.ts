/** Names that nobody planned for, in every view that shows names, in windows that are too small. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { layoutFaults } from "./boxes.ts";
import { kinds, ofEachKind, preparedLibrary } from "./prepared.ts";
import { soon } from "./soon.ts";
import { buildPage, hasBrowser, openBrowser, openPage, startCore, type Running } from "./support.ts";

/** What arrives late, pictures and counts, may move things for a moment. */
const labelCount = 200;
const script = "<script>document.title = 'taken'</script><img src=x onerror=alert(1)>";
/** As long as a name may be, without a place to break; then with many. */
const longest = "Unbreakable".repeat(24).slice(0, 200);
const longWords = "Organic wholegrain spelt and oat biscuits with dark chocolate ".repeat(5).slice(0, 200).trim();
const awkward = [
  longest,
  longWords,
  "שוקולד מריר 70% עם שקדים",
  "مشروب الشوفان بالفانيليا",
  "🥛🌾 Oat 👩‍👩‍👧‍👦 drink 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
  script,
];

const windows = [
  { name: "1440 px wide", width: 1440, height: 900, scale: 1 },
  { name: "900 px wide", width: 900, height: 700, scale: 1 },
  { name: "zoomed to 200 %", width: 720, height: 450, scale: 2 },
] as const;

const views = ["grid", "clusters", "review", "map", "checks", "train", "export"] as const;

describe.skipIf(!hasBrowser)("awkward names and small windows (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-states-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  const dialogs: string[] = [];

  beforeAll(async () => {
    await buildPage();
    const library = await preparedLibrary(folder, async ({ call, run }) => {
      const plain = Array.from({ length: labelCount - awkward.length }, (_, at) => [`Product ${at + 1}`]);
      const { labels } = await call("labels.create", { paths: [...awkward.map((name) => [name]), ...plain] });
      // Half of the pictures of each kind; the others are suggested.
      for (let at = 0; at < (kinds * ofEachKind) / 2; at++) {
        const labelId = labels[at % awkward.length]?.id ?? 0;
        await call("labels.assign", { target: { ids: [at + 1] }, label: { labelId } });
      }
      for (const kind of ["suggest", "map", "check"]) await run(kind, {});
      await run("cluster", { count: awkward.length });
    });
    core = await startCore(library, [folder]);
    browser = await openBrowser();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  describe.each(windows)("in a window $name", ({ width, height, scale }) => {
    beforeAll(async () => {
      ({ page, complaints } = await openPage(browser, core.server.startUrl, { width, height, scale }));
      page.on("dialog", (dialog) => {
        dialogs.push(dialog.message());
        void dialog.dismiss();
      });
      await page.locator("[data-image]").first().waitFor();
    });
    afterAll(() => page.context().close());

    test.each(views)("%s keeps everything inside, and what is cut says so", async (view) => {
      await page.evaluate((to) => location.assign(`#/${to}`), view);
      await page.getByRole("main").getByRole("status").or(page.getByRole("main").getByRole("button")).first().waitFor();
      if (view === "map") await page.locator("canvas").waitFor();
      if (view === "export") await page.getByText("First files").waitFor();
      await soon(() => layoutFaults(page)).toEqual([]);
    });

    test("the label field, the labels of the rail and the palette hold long names", async () => {
      await page.evaluate(() => location.assign("#/grid"));
      await page.locator("[data-image]").first().click();
      await page.keyboard.press("/");
      await page.getByRole("combobox").waitFor();
      await soon(() => layoutFaults(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await page.keyboard.press("ControlOrMeta+k");
      await page.getByRole("combobox").waitFor();
      await soon(() => layoutFaults(page)).toEqual([]);
      await page.keyboard.press("Escape");
      if (width < 760) {
        // The rail lies over the pictures there.
        await page.keyboard.press("[");
        await page.getByRole("button", { name: /^All images/ }).waitFor();
        await soon(() => layoutFaults(page)).toEqual([]);
        await page.keyboard.press("[");
      }
    });

    test("names are shown as they are, and nothing in them is run", async () => {
      await page.evaluate(() => location.assign("#/export"));
      await soon(() => page.getByText(script.slice(0, 20)).count()).toBeGreaterThan(0);
      expect(dialogs).toEqual([]);
      expect(await page.title()).not.toBe("taken");
      // Pictures of the page read the map back, of which software rendering complains.
      expect(complaints.filter((line) => !line.includes("GPU stall due to ReadPixels"))).toEqual([]);
    });
  });
});
