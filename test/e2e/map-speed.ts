/**
 * The map at 100,000 points, in Debian's chromium: from the click to the first points, panning and zooming, a lasso around
 * most points, and memory. Chromium draws by software here, so that frames say little of a machine with a graphics card;
 * what script and the device's commands cost in a frame says much.
 * `node test/e2e/map-speed.ts [--images N] [--library FOLDER] [--page FOLDER]`, after `npm run build`.
 */
import type { Page } from "playwright-core";
import { calmBrowser, emptyTab, memoryBelow, serve, speedOptions, tellTasks, traced } from "./speed.ts";

const options = await speedOptions({ images: 100_000 });
const core = await serve(options);
const browser = await calmBrowser();
const page = await emptyTab(browser);
await page.goto(core.url);
await page.locator("[data-image]").first().waitFor();
await page.waitForTimeout(2000);

/** Milliseconds until the frame after the one in which points were first drawn. */
async function firstPoints(): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const start = performance.now();
        const device = WebGL2RenderingContext.prototype;
        // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the device that it was called on.
        const draw = device.drawArrays;
        device.drawArrays = function (mode, from, count) {
          draw.call(this, mode, from, count);
          if (count === 0) return;
          device.drawArrays = draw;
          requestAnimationFrame(() => resolve(performance.now() - start));
        };
        location.hash = "#/map";
      }),
  );
}

/** So long each kind of movement goes on at most: where software draws, a frame of a million points takes its time. */
const mostMs = 8000;

/** Calls `step` with 0 to 1, `count` times or as often as there is time for. */
async function repeated(count: number, step: (share: number) => Promise<void>): Promise<void> {
  const start = performance.now();
  for (let at = 1; at <= count && performance.now() - start < mostMs; at++) await step(at / count);
}

/** Moves the pointer along, one move a frame, and returns the frames' lengths in milliseconds. */
async function dragged(moves: number, at: (share: number) => { x: number; y: number }): Promise<number[]> {
  const first = at(0);
  await page.mouse.move(first.x, first.y);
  await page.mouse.down();
  await page.evaluate(() => {
    const noted = globalThis as unknown as { frames: number[]; noting: boolean };
    [noted.frames, noted.noting] = [[], true];
    let last = performance.now();
    const note = (): void => {
      noted.frames.push(performance.now() - last);
      last = performance.now();
      if (noted.noting) requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
  });
  await repeated(moves, (share) => page.mouse.move(at(share).x, at(share).y));
  const frames = await page.evaluate(() => {
    const noted = globalThis as unknown as { frames: number[]; noting: boolean };
    noted.noting = false;
    return noted.frames;
  });
  await page.mouse.up();
  return frames;
}

function tellFrames(name: string, frames: readonly number[]): void {
  const sorted = frames.toSorted((a, b) => a - b);
  const middle = sorted[sorted.length >> 1] ?? NaN;
  const slow = sorted[Math.floor(sorted.length * 0.95)] ?? NaN;
  console.log(
    `  ${name}: ${(frames.length / (frames.reduce((sum, ms) => sum + ms, 0) / 1000)).toFixed(1)} frames a second ` +
      `(half within ${middle.toFixed(0)} ms, 95 % within ${slow.toFixed(0)})`,
  );
}

async function heapMegabytes(of: Page): Promise<number> {
  const heap = await of.evaluate(
    () => (performance as unknown as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? 0,
  );
  return heap / 1e6;
}

const renderer = await page.evaluate(() => {
  const device = document.createElement("canvas").getContext("webgl2");
  const info = device?.getExtension("WEBGL_debug_renderer_info");
  return device && info ? String(device.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "none";
});
console.log(`WebGL by ${renderer}`);
let first = 0;
tellTasks(
  "opening the map",
  await traced(page, async () => {
    first = await firstPoints();
  }),
);
console.log(`  first points after ${first.toFixed(0)} ms`);
await page.waitForTimeout(1000);

const around = (share: number) => ({
  x: 640 + 200 * Math.cos(2 * Math.PI * share),
  y: 480 + 150 * Math.sin(2 * Math.PI * share),
});
let frames: number[] = [];
const panning = await traced(page, async () => {
  frames = await dragged(120, around);
});
tellTasks("panning", panning);
tellFrames("panning", frames);
tellTasks(
  "zooming in and out by the wheel",
  await traced(page, () => repeated(40, (share) => page.mouse.wheel(0, share < 0.5 ? -60 : 60))),
);
tellTasks(
  "moving the pointer over points",
  await traced(page, () => repeated(60, (share) => page.mouse.move(around(share).x, around(share).y))),
);
await page.getByRole("button", { name: /lasso/ }).first().click();
const lasso = await traced(page, async () => {
  frames = await dragged(60, (share) => ({
    x: 560 + 380 * Math.cos(2 * Math.PI * share),
    y: 480 + 330 * Math.sin(2 * Math.PI * share),
  }));
});
tellTasks("a lasso", lasso);
const chosen = await page.locator("[data-selection-bar] .count").textContent();
console.log(`  it chose ${chosen ?? "nothing"}`);
await page.keyboard.press("Escape");

console.log(`JS heap ${(await heapMegabytes(page)).toFixed(0)} MB`);
for (const [name, pid] of [
  ["core", core.process.pid],
  ["page", process.pid],
] as const) {
  const told = memoryBelow(pid ?? 0).filter(({ name: own }) => name === "core" || !own.endsWith(".ts"));
  console.log(`${name}: ${told.map(({ name: own, megabytes }) => `${own} ${megabytes.toFixed(0)} MB`).join(", ")}`);
}
await browser.close();
await core.close();
options.done();
