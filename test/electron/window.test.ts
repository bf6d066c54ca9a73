import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSettings } from "../../electron/settings.ts";
import { createWindow, fittingBounds } from "../../electron/window.ts";
import { createFakeElectron, type FakeOptions } from "./fake-electron.ts";
import { root, temporaryFolder, until } from "./support.ts";

const left = { x: -1920, y: 0, width: 1920, height: 1040 };
const main = { x: 0, y: 25, width: 2560, height: 1400 };

test("a window opens where it was, on whichever display, also where it hangs over an edge", () => {
  for (const bounds of [
    { x: 100, y: 100, width: 1200, height: 800 },
    { x: -1900, y: 10, width: 1200, height: 800 },
    { x: -600, y: 200, width: 1200, height: 800 },
    { x: 2400, y: 200, width: 1200, height: 800 },
  ])
    expect(fittingBounds(bounds, [main, left])).toEqual(bounds);
});

test("a window whose display is gone, or whose title bar cannot be reached, opens anew", () => {
  for (const bounds of [
    { x: -1900, y: 10, width: 1200, height: 800 },
    { x: 2500, y: 200, width: 1200, height: 800 },
    { x: 100, y: -700, width: 1200, height: 800 },
    { x: 100, y: 1390, width: 1200, height: 800 },
  ])
    expect(fittingBounds(bounds, [main])).toBeNull();
  expect(fittingBounds({ x: 0, y: 0, width: 100, height: 100 }, [])).toBeNull();
});

test("a window that is larger than its display is made to fit it", () => {
  const laptop = { x: 0, y: 25, width: 1440, height: 875 };
  expect(fittingBounds({ x: -30, y: 25, width: 2500, height: 1300 }, [laptop])).toEqual(laptop);
  expect(fittingBounds({ x: 200, y: 100, width: 1000, height: 1300 }, [laptop])).toEqual({
    x: 200,
    y: 25,
    width: 1000,
    height: 875,
  });
});

function opened(window: unknown, options: Partial<FakeOptions> = {}) {
  const folder = temporaryFolder();
  const file = join(folder, "desktop.json");
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, JSON.stringify({ recent: [], window }));
  const fake = createFakeElectron({ appPath: folder, paths: {}, ...options });
  createWindow(fake.electron, { preload: "preload.cjs", devTools: false, settings: openSettings(file) });
  const [made] = fake.windows;
  if (made === undefined) expect.fail("There is no window.");
  return { fake, made, kept: () => (JSON.parse(readFileSync(file, "utf8")) as { window: unknown }).window };
}

test("where a window was is kept after it was moved and when it closes, with its size before it was maximized", async () => {
  const { made, kept } = opened(null);
  expect(made.options).toMatchObject({ width: 1440, height: 900, show: false });
  made.bounds = { x: 5, y: 6, width: 1000, height: 700 };
  made.events.emit("move");
  await until(() => kept());
  expect(kept()).toEqual({ ...made.bounds, maximized: false });
  made.maximized = true;
  made.events.emit("close");
  expect(kept()).toEqual({ ...made.bounds, maximized: true });
});

test("a window that was maximized is so again, and goes back to the size it had", () => {
  const bounds = { x: 5, y: 6, width: 1000, height: 700 };
  const { fake, made } = opened({ ...bounds, maximized: true });
  expect(made.options).toMatchObject(bounds);
  expect(fake.happenings).toContainEqual({ kind: "window", act: "maximize" });
});

test("the window is shown once its page has painted", () => {
  const { fake, made } = opened(null);
  expect(fake.happenings).not.toContainEqual({ kind: "window", act: "show" });
  made.events.emit("ready-to-show");
  expect(fake.happenings).toContainEqual({ kind: "window", act: "show" });
});

test("before its page is drawn the window has the page's ground, dark or light, and follows the system", () => {
  const { fake, made } = opened(null, { dark: true });
  const dark = made.options.backgroundColor ?? "";
  fake.setDark(false);
  const light = fake.happenings.flatMap((happening) => (happening.kind === "background" ? [happening.colour] : []));
  const [, lightLch = "", darkLch = ""] =
    /--ground: light-dark\(oklch\(([^)]+)\), oklch\(([^)]+)\)\)/.exec(
      readFileSync(join(root, "renderer/styles/tokens.css"), "utf8"),
    ) ?? [];
  for (const [colour, lch] of [
    [dark, darkLch],
    [light[0] ?? "", lightLch],
  ] as const) {
    const expected = greyOf(Number(lch.split(" ")[0]));
    // The ground has next to no colour: each part is within two of the grey of its lightness.
    for (const part of [1, 3, 5])
      expect(Math.abs(parseInt(colour.slice(part, part + 2), 16) - expected)).toBeLessThanOrEqual(2);
  }
  made.events.emit("closed");
  fake.setDark(true);
  expect(fake.happenings.filter(({ kind }) => kind === "background")).toHaveLength(1);
});

/** The sRGB value of a grey of an OKLab lightness: for greys, lightness is the cube root of the light. */
function greyOf(lightness: number): number {
  const linear = lightness ** 3;
  return 255 * (linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055);
}
