/** What the page says and offers when something is broken, and how it goes on when that is mended. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds, ofEachKind, preparedLibrary } from "./prepared.ts";
import { soon } from "./soon.ts";
import { buildPage, hasBrowser, openBrowser, openPage, startCore, type Running } from "./support.ts";

describe.skipIf(!hasBrowser)("trouble in a browser (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-trouble-"));
  const model = join(folder, "library", "models", "tiny.safetensors");
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  const view = (name: string): Promise<void> =>
    page.getByRole("navigation", { name: "Views" }).getByRole("button", { name }).click();
  const command = async (words: string): Promise<void> => {
    await page.keyboard.press("ControlOrMeta+k");
    await page.getByRole("combobox").fill(words);
    await page.keyboard.press("Enter");
  };

  beforeAll(async () => {
    await buildPage();
    const library = await preparedLibrary(folder, async ({ run }) => {
      writeFileSync(join(folder, "pictures", "broken.jpg"), "this was a picture once");
      await run("ingest", { folder: join(folder, "pictures") });
      await run("cluster", { count: kinds });
    });
    core = await startCore(library, [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
    await page.locator("[data-image]").first().waitFor();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a picture that cannot be read is found by a command, and says why", async () => {
    await command("could not be read");
    await soon(() => page.locator("[data-image]").count()).toBe(1);
    await page.locator("[data-image]").click();
    await page.getByRole("complementary").getByRole("alert").waitFor();
    await page.keyboard.press("Shift+A");
    await page
      .getByText(`${kinds * ofEachKind} images`)
      .first()
      .waitFor();
  });

  test("a job that fails says why in a sentence, and offers to try again", async () => {
    renameSync(model, `${model}.away`);
    await command("make foreground masks");
    const toast = page.getByRole("alert").filter({ hasText: "failed." });
    await toast.waitFor();
    expect(await toast.textContent()).toMatch(/tiny\.safetensors/);
    renameSync(`${model}.away`, model);
    await toast.getByRole("button", { name: "Try again" }).waitFor();
    await toast.getByRole("button", { name: "Dismiss" }).click();
  });

  test("when the core goes away every view stays as it is and says so; when it is back, it goes on", async () => {
    await view("Clusters");
    const options = page.locator("[role=option]");
    await soon(() => options.count()).toBe(kinds);
    await core.cut();
    await page.getByText("The core does not answer.").waitFor();
    expect(await options.count()).toBe(kinds);
    // What is not there yet waits, and is not an error.
    await view("Review");
    await page.getByRole("main").waitFor();
    expect(
      await page
        .getByRole("alert")
        .filter({ hasNotText: /does not answer|failed/ })
        .count(),
    ).toBe(0);
    await core.mend();
    await core.admit(page);
    for (const words of ["The core does not answer.", "Dinoscope was started anew."])
      await page.getByText(words).waitFor({ state: "hidden" });
    await page.getByText("Label a few first").waitFor();
    await view("Clusters");
    await soon(() => options.count()).toBe(kinds);
    await page.keyboard.press("/");
    await page.getByRole("combobox", { name: "Label", exact: true }).fill("After the break");
    await page.keyboard.press("Enter");
    await soon(() => options.first().textContent()).toContain("After the break");
  });

  test("nothing but the lost line was complained about on the console", () => {
    expect(complaints.filter((line) => !/WebSocket|ERR_CONNECTION_REFUSED|401|403/.test(line))).toEqual([]);
  });
});
