/**
 * The grid at 100,000 images, in Debian's chromium: first pictures, scrolling from end to end, zoom, theme, selecting all,
 * labelling 5,000 at once and taking it back, and the memory of the page and the core.
 * `node test/e2e/grid-speed.ts [--images N] [--library FOLDER] [--page FOLDER]`, after `npm run build`.
 */
import {
  calmBrowser,
  emptyTab,
  firstPictureMs,
  keyToFrame,
  memoryBelow,
  serve,
  speedOptions,
  tellTasks,
  traced,
} from "./speed.ts";

const options = await speedOptions({ images: 100_000 });
const core = await serve(options);
const browser = await calmBrowser();

for (let visit = 0; visit < 6; visit++) {
  const page = await emptyTab(browser);
  await page.goto(core.url);
  const pictures = await firstPictureMs(page);
  const steps = await page.evaluate(() => {
    const entries = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
    const list = entries.find(({ name }) => name.includes("/images"));
    const script = entries.find(({ name }) => name.endsWith(".js"));
    return { script: script?.responseEnd ?? 0, asked: list?.startTime ?? 0, list: list?.responseEnd ?? 0 };
  });
  console.log(
    `visit ${visit + 1}: first pictures after ${pictures.toFixed(0)} ms (script there after ${steps.script.toFixed(0)}, ` +
      `list asked for at ${steps.asked.toFixed(0)}, there at ${steps.list.toFixed(0)})`,
  );
  await page.context().close();
}

const page = await emptyTab(browser);
tellTasks(
  "opening",
  await traced(page, async () => {
    await page.goto(core.url);
    await firstPictureMs(page);
  }),
);
const scroll = (steps: number): Promise<void> =>
  page.evaluate(async (count) => {
    const window = document.querySelector("[role=listbox]");
    if (window === null) throw new Error("There is no grid.");
    const end = window.scrollHeight - window.clientHeight;
    for (let step = 0; step <= count; step++) {
      window.scrollTop = (end * step) / count;
      await new Promise(requestAnimationFrame);
    }
  }, steps);
tellTasks("scrolling end to end", await traced(page, () => scroll(240)));
tellTasks(
  "scrolling by the wheel",
  await traced(page, async () => {
    await page.mouse.move(700, 450);
    for (let step = 0; step < 60; step++) await page.mouse.wheel(0, -240);
  }),
);
tellTasks(
  "zooming out and in",
  await traced(page, async () => {
    await page.getByRole("slider", { name: "Size of pictures" }).focus();
    for (const key of ["ArrowLeft", "ArrowRight"]) {
      for (let step = 0; step < 40; step++) await page.keyboard.press(key);
    }
  }),
);
tellTasks(
  "changing the theme",
  await traced(page, async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(300);
    }
  }),
);

const inWords = new Intl.NumberFormat("en-GB");
const times: Record<string, number[]> = { "select all": [], label: [], undo: [] };
const few = Math.min(5000, options.images);
for (let round = 0; round < 3; round++) {
  await page.locator("[role=listbox]").focus();
  times["select all"]?.push(
    await keyToFrame(page, "ControlOrMeta+a", "[data-selection-bar]", `${inWords.format(options.images)} images`),
  );
  await page.keyboard.press("Escape");
  await page.evaluate((ids) => {
    location.hash = `#/grid?selected=1-${ids.toString(36)}`;
  }, few);
  await page.reload();
  await page
    .getByText(`${inWords.format(few)} images`)
    .first()
    .waitFor();
  await firstPictureMs(page);
  await page.waitForTimeout(1000);
  await page.keyboard.press("/");
  // A label of its own: a library in which an earlier benchmark ended early has these images labelled already.
  await page.getByRole("combobox").fill(`new ${Date.now()}`);
  await page.waitForTimeout(300);
  times["label"]?.push(await keyToFrame(page, "Enter", "[role=status]", "Labelled"));
  await page.waitForTimeout(2000);
  times["undo"]?.push(await keyToFrame(page, "ControlOrMeta+z", "[role=status]", "Undone:"));
  await page.waitForTimeout(1000);
}
for (const [name, found] of Object.entries(times)) {
  const many = name === "select all" ? "" : ` ${inWords.format(few)}`;
  console.log(`${name}${many}, key to frame: ${found.map((ms) => ms.toFixed(0)).join(", ")} ms`);
}

const heap = await page.evaluate(
  () => (performance as unknown as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? 0,
);
console.log(`JS heap ${Math.round(heap / 1e6)} MB`);
const told = memoryBelow(core.process.pid ?? 0).map(({ name, megabytes }) => `${name} ${megabytes.toFixed(0)} MB`);
console.log(`core: ${told.join(", ")}`);
await browser.close();
await core.close();
options.done();
