/** Every view and dialog by axe-core in both themes and at rest, and what each view is for by the keyboard alone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds, ofEachKind, preparedLibrary } from "./prepared.ts";
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

/** A view has what it needs, and would ask again by then if it asked without end. */
const settleMs = 400;

/** More stops than any view has. */
const mostStops = 150;

describe.skipIf(!hasBrowser)("access for everyone (skipped without /usr/bin/chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "dinoscope-access-"));
  let core: Running;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  /** Calls and requests of the page, by name. */
  let asked: string[] = [];

  /** Left alone, it asks for nothing: what follows the library must not follow itself. */
  async function isAtRest(): Promise<void> {
    await page.waitForTimeout(settleMs);
    asked = [];
    await page.waitForTimeout(settleMs);
    expect(asked).toEqual([]);
  }

  /** No serious findings in dark colours, and none by contrast in light ones, where nothing else differs. */
  async function isClean(): Promise<void> {
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: "light" });
    expect(await accessibilityFaults(page, ["color-contrast"])).toEqual([]);
  }

  const goTo = (address: string): Promise<void> => page.evaluate((to) => location.assign(`#/${to}`), address);

  /** The view in a new document, so that the focus starts where it does for everyone. */
  async function enter(address: string): Promise<void> {
    await goTo(address);
    await page.reload();
    await page.getByRole("main").waitFor();
  }

  beforeAll(async () => {
    await buildPage();
    const library = await preparedLibrary(folder, async ({ call, run }) => {
      for (let at = 0; at < (kinds * ofEachKind) / 2; at++) {
        // One in eight is wrong, so that the checks have something to show.
        const path = [`Kind ${(at + (at % 8 === 7 ? 1 : 0)) % kinds}`];
        await call("labels.assign", { target: { ids: [at + 1] }, label: { path } });
      }
      for (const kind of ["suggest", "map", "check"]) await run(kind, {});
      await run("cluster", { count: kinds });
    });
    core = await startCore(library, [folder]);
    browser = await openBrowser();
    ({ page, complaints } = await openPage(browser, core.server.startUrl));
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => asked.push(String(payload))));
    await page.reload();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await core?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const button = (name: string | RegExp): Locator =>
    page.getByRole("button", { name, exact: typeof name === "string" });

  test.each([
    ["clusters", "clusters", () => page.getByRole("listbox", { name: "Clusters" })],
    ["review", "review", () => page.getByRole("listbox", { name: /^Suggestions/ })],
    [
      "a queue of review",
      "review?review.mode=uncertain",
      () => page.getByRole("listbox", { name: "Images to label next" }),
    ],
    ["wrong labels", "checks?checks.tab=wrong-labels", () => page.getByRole("tab", { name: /^Wrong/, selected: true })],
    ["twins", "checks?checks.tab=twins", () => page.getByRole("tab", { name: /^Twins/, selected: true })],
    ["duplicates", "checks?checks.tab=duplicates", () => page.getByRole("tab", { name: /^Dupl/, selected: true })],
    ["outliers", "checks?checks.tab=outliers", () => page.getByRole("tab", { name: /^Outl/, selected: true })],
    ["rare labels", "checks?checks.tab=rare-labels", () => page.getByRole("tab", { name: /^Rare/, selected: true })],
    ["the map", "map", () => page.locator("canvas")],
    ["training", "train", () => button("Start training")],
    ["export", "export", () => page.getByText("First files")],
  ] as const)("%s is at rest, and has no serious faults in either theme", async (_, address, there) => {
    await goTo(address);
    await there().first().waitFor();
    await isAtRest();
    await isClean();
  });

  test.each([
    ["the palette", () => page.keyboard.press("ControlOrMeta+k"), () => page.getByRole("combobox")],
    ["the cheat sheet", () => page.keyboard.press("?"), () => page.getByRole("dialog")],
    ["the history", () => page.keyboard.press("Shift+H"), () => button("The beginning")],
    ["the folder browser", () => page.keyboard.press("ControlOrMeta+o"), () => button("Add this folder")],
    ["the doctor's report", () => button(/^Device/).click(), () => page.getByRole("dialog")],
    [
      "the label field",
      () =>
        page
          .locator("[data-image]")
          .first()
          .click()
          .then(() => page.keyboard.press("/")),
      () => page.getByRole("combobox"),
    ],
  ] as const)("%s is at rest, and has no serious faults in either theme", async (_, open, there) => {
    await goTo("grid");
    await page.locator("[data-image]").first().waitFor();
    await open();
    await there().first().waitFor();
    await isAtRest();
    await isClean();
    await page.keyboard.press("Escape");
  });

  test("the choice of a model and the folder of an export have none either", async () => {
    await goTo("grid");
    await page.keyboard.press("ControlOrMeta+k");
    await page.getByRole("combobox").fill("choose or add a model");
    await page.keyboard.press("Enter");
    await page.getByRole("radio").first().waitFor();
    await isClean();
    await page.keyboard.press("Escape");
    await goTo("export");
    await button("Choose folder…").click();
    await button("Use this folder").waitFor();
    await isClean();
    await page.keyboard.press("Escape");
  });

  /** Goes on by Tab until the focus is on an element; every stop on the way has to show that it has the focus. */
  async function tabTo(wanted: Locator): Promise<void> {
    await wanted.waitFor();
    await soon(() => wanted.isEnabled()).toBe(true);
    for (let stop = 0; stop < mostStops; stop++) {
      await page.keyboard.press("Tab");
      const shown = await page.evaluate(() => {
        const { activeElement: element } = document;
        if (element === null || element === document.body) return "";
        const active = element.getAttribute("aria-activedescendant");
        const marks = [
          ...[element, element.parentElement, element.closest("label")],
          active === null ? null : document.getElementById(active),
        ];
        const isMarked = marks.some((one) => {
          if (one === null) return false;
          const parts = [one, ...one.children].map((part) => getComputedStyle(part));
          return parts.some(
            ({ outlineStyle, outlineWidth, boxShadow }) =>
              (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || (one !== element && boxShadow !== "none"),
          );
        });
        return isMarked ? "" : element.outerHTML.slice(0, 200);
      });
      expect(shown, "has the focus and does not show it").toBe("");
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
    }
    throw new Error(`${mostStops} stops did not lead there.`);
  }

  test("by keyboard alone: grid and picture", async () => {
    await enter("grid");
    await tabTo(page.getByRole("listbox", { name: /image/i }).first());
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Picture" }).waitFor();
    await page.keyboard.press("Escape");
  });

  test("by keyboard alone: a cluster is labelled", async () => {
    await enter("clusters");
    await tabTo(button(/^Label all…/));
    await page.keyboard.press("Enter");
    await page.getByRole("combobox", { name: "Label", exact: true }).fill("By keyboard");
    await page.keyboard.press("Enter");
    // What has a label keeps it, so that there may be nothing to do.
    await page
      .getByText(/^(Labelled|Nothing to label)/)
      .first()
      .waitFor();
  });

  test("by keyboard alone: many suggestions are accepted", async () => {
    await enter("review");
    await tabTo(page.getByLabel("How many of the most certain to accept"));
    await page.keyboard.press("End");
    await tabTo(button(/^Accept\s+\d+$/));
    await page.keyboard.press("Enter");
    await page
      .getByText(/^Accepted \d+/)
      .first()
      .waitFor();
    await page.keyboard.press("ControlOrMeta+z");
  });

  test("by keyboard alone: a point of the map is selected, a finding is dealt with", async () => {
    await enter("map");
    await page.locator("canvas").waitFor();
    await tabTo(page.locator("[role=main] [tabindex='0'], main [tabindex='0']").first());
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("x");
    await page.getByRole("toolbar", { name: "Selected images" }).getByText("1 image").waitFor();
    await enter("checks?checks.tab=twins");
    await tabTo(page.locator("[data-findings]").or(button("Check again")).first());
  });

  test("by keyboard alone: a training and an export could be started", async () => {
    await enter("train");
    await tabTo(button("Start training"));
    await enter("export");
    await page.getByText("First files").waitFor();
    await tabTo(button(/^Export \d+ images$/));
    await page.keyboard.press("Enter");
    await page.getByText(/Wrote \d+ images/).waitFor();
  });

  test("nothing was complained about on the console", () => {
    expect(complaints.filter((line) => !line.includes("GPU stall due to ReadPixels"))).toEqual([]);
  });
});
