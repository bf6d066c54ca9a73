/** Long work in the tray: paused, gone on with after a restart, and stopped; and what the device badge opens. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drawPictures } from "../helpers/pictures.ts";
import { preparedLibrary } from "./prepared.ts";
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

/** Pictures to make masks of: a few seconds of work. */
const more = 120;

describe.skipIf(!hasBrowser)("jobs in a browser (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-jobs-"));
  let library: string;
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  let counted = { done: 0, total: 0 };

  const tray = (): Locator => page.getByRole("region", { name: "Jobs" });
  const words = (): Promise<string> => tray().innerText();
  const button = (name: string): Locator => tray().getByRole("button", { name });
  const masks = async (): Promise<number> =>
    Number(
      await page.evaluate(() => document.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow") ?? -1),
    );

  beforeAll(async () => {
    await buildPage();
    await drawPictures(join(folder, "more"), more, { seed: 77, width: 48, height: 40 });
    library = await preparedLibrary(folder, async ({ call, run }) => {
      await run("ingest", { folder: join(folder, "more") });
      // It is closed before this has come far. By attention, which has nothing to learn first.
      await call("jobs.start", { kind: "masks", parameters: { recipe: { method: "attention", size: 224 } } });
    });
    core = await startCore(library, [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("one click goes on with what was stopped, and one key pauses it: the count stays, the time to go does not", async () => {
    await page.locator("[data-image]").first().waitFor();
    await button("Go on").click();
    await soon(words).toMatch(/making masks on .* [1-9]\d* of \d+/);
    await page.keyboard.press("ControlOrMeta+.");
    await button("Resume").waitFor();
    const [, done = "", total = ""] = /Paused · (\d+) of (\d+)/.exec(await words()) ?? [];
    counted = { done: Number(done), total: Number(total) };
    expect(counted.done).toBeGreaterThan(0);
    expect(counted.done).toBeLessThan(counted.total);
    expect(await words()).not.toContain("left");
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  test("it is still paused when Dinoscope is started again, and one click goes on where it was", async () => {
    await page.context().close();
    await core.close();
    core = await startCore(library, [folder]);
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
    await soon(words).toContain(`Paused · ${counted.done} of ${counted.total}`);
    await button("Resume").click();
    await soon(words).toContain("making masks on");
    // It does not begin anew: the bar stands where it stood, or further on.
    expect(await masks()).toBeGreaterThanOrEqual(Math.round((100 * counted.done) / counted.total));
  });

  test("a job that runs when Dinoscope is quit is stopped, and goes on to its end in the next one", async () => {
    await page.context().close();
    await core.close();
    core = await startCore(library, [folder]);
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
    await soon(words).toMatch(/Stopped · \d+ of \d+/);
    await button("Go on").click();
    await tray().waitFor({ state: "hidden" });
  });

  test("the device badge opens the report on the machine's devices", async () => {
    await page.getByRole("button", { name: /^Device/ }).click();
    const report = page.getByRole("dialog", { name: "Devices" });
    await report.getByText("Models run on").waitFor();
    await report.getByRole("button", { name: "Test all devices" }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await report.waitFor({ state: "hidden" });
  });

  test("nothing was complained about on the console", () => {
    expect(complaints).toEqual([]);
  });
});
