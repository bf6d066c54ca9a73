/**
 * The grid at 100,000 images, in Debian's chromium: first pictures, scrolling from end to end, selecting all, labelling
 * 5,000 at once and taking it back, and the memory of the page. `node test/e2e/grid-speed.ts [IMAGES]`, after `npm run build`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { upsertImages } from "../../core/library/image-changes.ts";
import { openLibrary } from "../../core/library/open.ts";
import { ensureSource } from "../../core/library/sources.ts";
import { putThumbnails } from "../../core/library/thumbnails.ts";
import { createRandom } from "../../core/util/random.ts";
import { openBrowser, openPage, startCore } from "./support.ts";

const imageCount = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(tmpdir(), "dinoscope-grid-"));

/** A library of images with a thumbnail each; 64 different ones. */
async function makeLibrary(): Promise<void> {
  const library = openLibrary(join(folder, "library"), { mode: "write", holder: "grid-speed" });
  const random = createRandom(1);
  const drawn = await Promise.all(
    Array.from({ length: 64 }, async () => {
      const width = 160 + random.integer(96);
      const pixels = Uint8Array.from({ length: 3 * 32 * 24 }, () => random.integer(256));
      const raw = sharp(pixels, { raw: { width: 32, height: 24, channels: 3 } });
      return { width, webp: await raw.resize(width, 192, { kernel: "cubic", fit: "fill" }).webp().toBuffer() };
    }),
  );
  const source = ensureSource(library.db, "/synthetic");
  const hashOf = (at: number): string => (at + 1).toString(16).padStart(8, "0").padEnd(64, "0");
  const rows = Array.from({ length: imageCount }, (_, at) => ({ at, look: drawn[at % drawn.length] }));
  upsertImages(
    library.db,
    rows.map(({ at, look }) => ({
      sourceId: source.id,
      path: `shelf-${String(at).padStart(7, "0")}.jpg`,
      byteSize: 1,
      modifiedAt: at,
      contentHash: hashOf(at),
      format: "jpeg",
      width: look?.width ?? 1,
      height: 192,
      perceptualHash: "0000000000000000",
      problem: null,
    })),
  );
  putThumbnails(
    library.thumbnails,
    rows.flatMap(({ at, look }) => (look === undefined ? [] : [{ contentHash: hashOf(at), webp: look.webp }])),
  );
  library.close();
}

await makeLibrary();
const core = await startCore(join(folder, "library"), [folder]);
const browser = await openBrowser();

// The first visit warms the core and the browser's code; what is measured is the second.
const first = await openPage(browser, core.server.startUrl);
await first.page.locator("[data-image] img").first().waitFor();
await first.page.context().close();

const opened = performance.now();
const { page } = await openPage(browser, core.server.startUrl);
await page.waitForFunction(() =>
  [...document.querySelectorAll<HTMLImageElement>("[data-image] img")].some(
    (image) => image.complete && image.naturalWidth > 0,
  ),
);
const steps = await page.evaluate(() => {
  const list = performance.getEntriesByType("resource").find(({ name }) => name.includes("/images"));
  const script = performance.getEntriesByType("resource").find(({ name }) => name.endsWith(".js"));
  const end = (entry?: PerformanceEntry): number =>
    Math.round((entry as PerformanceResourceTiming | undefined)?.responseEnd ?? 0);
  return { script: end(script), asked: Math.round(list?.startTime ?? 0), list: end(list) };
});
console.log(`script there after ${steps.script} ms, list asked for at ${steps.asked}, there at ${steps.list}`);
console.log(`first pictures after ${Math.round(performance.now() - opened)} ms`);

const scroll = await page.evaluate(async () => {
  const window = document.querySelector("[role=listbox]");
  if (window === null) throw new Error("There is no grid.");
  const frames: number[] = [];
  const tasks: number[] = [];
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
  observer.observe({ entryTypes: ["longtask"] });
  const steps = 240;
  const end = window.scrollHeight - window.clientHeight;
  let last = performance.now();
  for (let step = 0; step <= steps; step++) {
    window.scrollTop = (end * step) / steps;
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  observer.disconnect();
  frames.sort((a, b) => a - b);
  return {
    median: frames[frames.length >> 1] ?? 0,
    longest: frames.at(-1) ?? 0,
    longTasks: tasks.length,
    worst: Math.max(0, ...tasks),
  };
});
console.log(
  `scrolling end to end: frames of ${scroll.median.toFixed(1)} ms (longest ${scroll.longest.toFixed(0)}), ` +
    `${scroll.longTasks} tasks over 50 ms${scroll.longTasks === 0 ? "" : ` (worst ${scroll.worst.toFixed(0)})`}`,
);

/** Milliseconds from a key to the frame in which an element says `done`. */
async function timed(name: string, keys: string, where: string, done: string): Promise<void> {
  const start = performance.now();
  await page.keyboard.press(keys);
  await page.waitForFunction(
    ([place = "", text = ""]) => [...document.querySelectorAll(place)].some((one) => one.textContent.includes(text)),
    [where, done],
    { polling: "raf" },
  );
  console.log(`${name}: ${Math.round(performance.now() - start)} ms`);
}

const shown = new Intl.NumberFormat("en-GB").format(imageCount);
await page.locator("[role=listbox]").focus();
await timed("select all", "ControlOrMeta+a", "[data-selection-bar]", `${shown} images`);
await page.keyboard.press("Escape");

const count = Math.min(5000, imageCount);
await page.evaluate((ids) => {
  location.hash = `#/grid?selected=1-${ids.toString(36)}`;
}, count);
await page.reload();
const word = new Intl.NumberFormat("en-GB").format(count);
await page.getByText(`${word} images`).first().waitFor();
await page.keyboard.press("/");
await page.getByRole("combobox").fill("Oat drink");
await timed(`label ${word}`, "Enter", "[role=status]", "Labelled");
await timed("undo", "ControlOrMeta+z", "[role=status]", "Undone:");

const heap = await page.evaluate(
  () => (performance as unknown as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? 0,
);
console.log(`JS heap ${Math.round(heap / 1e6)} MB`);
await browser.close();
await core.close();
rmSync(folder, { recursive: true, force: true });
