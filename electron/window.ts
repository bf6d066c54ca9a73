/** The one window: where it was last time, the system's colours, and none of the powers that a page could have. */
import type * as Electron from "electron";
import type { SettingsFile } from "./settings.ts";

type Parts = Pick<typeof Electron, "BrowserWindow" | "nativeTheme" | "screen">;

const initial = { width: 1440, height: 900 };
const minimal = { minWidth: 900, minHeight: 600 };

/** Milliseconds that the window must rest before its place is kept. */
const restMs = 500;

/** What every page is made with. Written out although most is the default: a test holds each of them. */
export const pagePreferences = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  experimentalFeatures: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  spellcheck: false,
} as const satisfies Electron.WebPreferences;

/** Makes the window, hidden until its page has painted. */
export function createWindow(
  { BrowserWindow, nativeTheme, screen }: Parts,
  { preload, devTools, settings }: { preload: string; devTools: boolean; settings: SettingsFile },
): Electron.BrowserWindow {
  const state = settings.value.window;
  const areas = screen.getAllDisplays().map(({ workArea }) => workArea);
  const window = new BrowserWindow({
    ...((state === null ? null : fittingBounds(state, areas)) ?? initial),
    ...minimal,
    title: "Dinoscope",
    show: false,
    backgroundColor: background(nativeTheme.shouldUseDarkColors),
    webPreferences: { ...pagePreferences, preload, devTools },
  });
  if (state?.maximized === true) window.maximize();
  window.once("ready-to-show", () => window.show());

  const recolour = (): void => window.setBackgroundColor(background(nativeTheme.shouldUseDarkColors));
  nativeTheme.on("updated", recolour);

  let rest: NodeJS.Timeout | undefined;
  const remember = (): void => {
    clearTimeout(rest);
    rest = undefined;
    settings.update({ window: { ...window.getNormalBounds(), maximized: window.isMaximized() } });
  };
  const rememberSoon = (): void => {
    clearTimeout(rest);
    rest = setTimeout(remember, restMs);
  };
  window.on("resize", rememberSoon);
  window.on("move", rememberSoon);
  window.on("close", remember);
  window.on("closed", () => {
    clearTimeout(rest);
    nativeTheme.off("updated", recolour);
  });
  return window;
}

/** The page's own background in both themes (`--ground`), so that nothing flashes before it is drawn. */
function background(dark: boolean): string {
  return dark ? "#0f0f10" : "#ececed";
}

/**
 * Where a window that was at `state` belongs now, with the displays' free areas: as it was, but no larger than the
 * display that most of it is on. Null where too little of it would show to take hold of: displays come and go.
 */
export function fittingBounds(
  state: Electron.Rectangle,
  areas: readonly Electron.Rectangle[],
): Electron.Rectangle | null {
  const grip = 100;
  const seen = areas
    .map((area) => ({ area, shared: sharedPart(state, area) }))
    .filter(({ area, shared }) => shared.width >= grip && shared.height >= grip && state.y >= area.y - 1)
    .sort((one, other) => other.shared.width * other.shared.height - one.shared.width * one.shared.height);
  const [best] = seen;
  if (best === undefined) return null;
  const { area } = best;
  const [width, height] = [Math.min(state.width, area.width), Math.min(state.height, area.height)];
  // One that had to shrink is moved in as a whole; one that fits may hang over an edge, as it was left.
  const x = width < state.width ? area.x : state.x;
  const y = height < state.height ? area.y : state.y;
  return { x, y, width, height };
}

/** The part that two rectangles have in common; of no extent where there is none. */
function sharedPart(one: Electron.Rectangle, other: Electron.Rectangle): { width: number; height: number } {
  const shared = (at: number, size: number, otherAt: number, otherSize: number): number =>
    Math.max(0, Math.min(at + size, otherAt + otherSize) - Math.max(at, otherAt));
  return {
    width: shared(one.x, one.width, other.x, other.width),
    height: shared(one.y, one.height, other.y, other.height),
  };
}
