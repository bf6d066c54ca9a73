/** The one window: where it was last time, the system's colours, and none of the powers that a page could have. */
import type * as Electron from "electron";
import type { SettingsFile, WindowState } from "./settings.ts";

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
  const bounds = state !== null && isVisible(state, areas) ? boundsOf(state) : initial;
  const window = new BrowserWindow({
    ...bounds,
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

function boundsOf({ x, y, width, height }: WindowState): Electron.Rectangle {
  return { x, y, width, height };
}

/** Whether enough of a window would be on a display to take hold of: displays come and go. */
export function isVisible(state: Electron.Rectangle, areas: readonly Electron.Rectangle[]): boolean {
  const grip = 100;
  return areas.some(
    (area) =>
      Math.min(state.x + state.width, area.x + area.width) - Math.max(state.x, area.x) >= grip &&
      state.y >= area.y - 1 &&
      state.y <= area.y + area.height - grip,
  );
}
