import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { annotate } from "../helpers/annotate.ts";
import { drawPicture } from "../helpers/pictures.ts";
import { ingestFolder } from "../../core/jobs/ingest.ts";
import { createEngine } from "../../core/engine/supervisor.ts";
import { imagesOfSource } from "../../core/library/images.ts";
import { openLibrary } from "../../core/library/open.ts";
import { hostileNames } from "../hostile/labels.ts";
import { buildPage, hasBrowser, openBrowser, openPage, startCore, type Running } from "./support.ts";

/** A picture whose name is a page, as far as a file may be called so. */
const pictureName = `<img src=x onerror="document.body.dataset.executed='yes'">.jpg`;

describe.skipIf(!hasBrowser || process.platform === "win32")(
  "names from hostile files (skipped without chromium)",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "dinoscope-page-"));
    let core: Running;
    let browser: Browser;
    let page: Page;
    let complaints: string[];

    beforeAll(async () => {
      await buildPage();
      const pictures = join(folder, "pictures");
      for (const [i] of hostileNames.entries()) {
        await drawPicture(join(pictures, i === 0 ? pictureName : `${i}.jpg`), { seed: i });
      }
      const library = openLibrary(join(folder, "library"), { mode: "write" });
      const engine = createEngine();
      const { source } = await ingestFolder({ library, engine }, pictures);
      const images = Array.from(imagesOfSource(library.db, source.id), ({ id }) => id);
      annotate(
        library.db,
        hostileNames.map((name, i) => ({ imageId: images[i] ?? 0, label: [name] })),
      );
      await engine.close();
      library.close();
      core = await startCore(join(folder, "library"), [folder]);
      browser = await openBrowser();
      ({ page, complaints } = await openPage(browser, core.server.startUrl));
    }, 120_000);

    afterAll(async () => {
      await browser?.close();
      await core?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const expectText = async (): Promise<void> => {
      expect(await page.locator("body").getAttribute("data-executed")).toBeNull();
      // No element of the page was made by a name.
      expect(await page.locator('img[src="x"], [onerror], body script').count()).toBe(0);
      expect(complaints).toEqual([]);
    };

    test("are text in the list of labels, on tiles, in details and in every view", async () => {
      await page.locator("[data-image]").first().waitFor();
      for (const name of hostileNames) await page.getByText(name, { exact: true }).first().waitFor();
      await expectText();
      await page.locator(`[data-image][aria-label*="onerror"]`).first().click();
      await expectText();
      const tabs = page.getByRole("tab");
      for (let at = 0; at < (await tabs.count()); at++) {
        await tabs.nth(at).click();
        await page.waitForTimeout(200);
        await expectText();
      }
    });
  },
);
