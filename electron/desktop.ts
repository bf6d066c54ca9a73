/** The desktop program: one window, one library, one core. Everything that thinks lives in the core and the page. */
import { join } from "node:path";
import type * as Electron from "electron";
import type { MenuCommand } from "../core/rpc/desktop.ts";
import { commandChannel } from "./channels.ts";
import { createCoreProcess, type CoreFailure, type CoreReady } from "./core-process.ts";
import { openCoreSocket, type CoreSocket } from "./core-socket.ts";
import { createDialogs } from "./dialogs.ts";
import { answerPage } from "./handlers.ts";
import { findTampering, type PlainFiles } from "./integrity.ts";
import { watchJobs } from "./job-watch.ts";
import { externalPages, lockDown } from "./lockdown.ts";
import { openLog } from "./log.ts";
import { menuTemplate, textMenu } from "./menu.ts";
import { findPlaces } from "./places.ts";
import { openSettings, recentLibrary, withRecent } from "./settings.ts";
import { lookForUpdate } from "./updates.ts";
import { waitingPage } from "./waiting.ts";
import { createWindow } from "./window.ts";

/** The parts of Electron that are used; tests give their own. */
export type Parts = Pick<
  typeof Electron,
  | "app"
  | "BrowserWindow"
  | "dialog"
  | "ipcMain"
  | "Menu"
  | "nativeTheme"
  | "Notification"
  | "powerSaveBlocker"
  | "screen"
  | "session"
  | "shell"
>;

/** Under which Windows shows notices, as the installed shortcut has it: `appId` of electron-builder.yml. */
const applicationId = "org.dinoscope.desktop";

/**
 * Milliseconds that running jobs are given to stop where they can go on from, before the core is told to end. It waits
 * for them as well, and main for it for as long as it shows signs of life.
 */
const stopMs = 10_000;

/** Milliseconds after which the window says that the library is being opened. */
const waitingMs = 3000;

/** Starts the program, or hands over to the one that runs already. Returns at once. */
export function startDesktop(electron: Parts, files: PlainFiles): void {
  const { app } = electron;
  if (!app.requestSingleInstanceLock()) {
    app.quit();
    return;
  }
  app.enableSandbox();
  // Not awaited by the entry: Electron becomes ready only after the entry's module has ended.
  void app.whenReady().then(() => run(electron, files));
}

async function run(electron: Parts, files: PlainFiles): Promise<void> {
  const { app, dialog, Menu, session, shell } = electron;
  const { platform } = process;
  if (platform === "win32") app.setAppUserModelId(applicationId);
  const places = findPlaces({ isPackaged: app.isPackaged, appPath: app.getAppPath(), platform, arch: process.arch });
  const settings = openSettings(join(app.getPath("userData"), "desktop.json"));
  const log = openLog(join(app.getPath("logs"), "dinoscope.log"));

  let window: Electron.BrowserWindow | null = null;
  /** The core that runs; null while there is none. */
  let ready: CoreReady | null = null;
  /** Where the page that is shown came from. */
  let shownOrigin: string | null = null;
  let socket: CoreSocket | undefined;
  const [last] = settings.value.recent;
  let library = last ?? join(app.getPath("documents"), "Dinoscope");
  /** Whether the library is one that was there before: then it is not made anew. */
  let mustExist = last !== undefined;
  let waiting: NodeJS.Timeout | undefined;
  /** Whether somebody is being asked about leaving, and whether that is settled. */
  let leaving = false;
  let settled = false;

  const currentWindow = (): Electron.BrowserWindow | null => window;
  const dialogs = createDialogs(electron, currentWindow);
  const jobs = watchJobs(electron, currentWindow);

  // While there is no core, pages may ask nobody: its port may be somebody else's by then.
  lockDown(electron, () => ready?.origin ?? null);
  app.setAboutPanelOptions({
    applicationName: "Dinoscope",
    applicationVersion: app.getVersion(),
    copyright: "MIT licence. DINO by Caron et al. 2021; its weights are Apache-2.0.",
  });

  const core = createCoreProcess({
    node: places.node,
    entry: places.core,
    root: places.root,
    environment: process.env,
    checkFiles: async () => {
      if (places.archive === null) return;
      const wrong = await findTampering(places.archive, files);
      if (wrong.length > 0)
        throw new Error(
          `Files of Dinoscope are not as they were shipped: ${wrong.slice(0, 5).join("; ")}. Install it again.`,
        );
    },
    onReady: (next) => void welcome(next),
    onLost: () => void partFromCore(),
    onGivenUp: (failure) => void mourn(failure),
    onLog: (text) => log.add(text),
  });

  /** Forgets a core that is gone: nothing that knew its secret asks for it any more. */
  const partFromCore = async (): Promise<void> => {
    const gone = ready;
    ready = null;
    socket?.close();
    socket = undefined;
    jobs.forget();
    if (gone === null) return;
    await session.defaultSession.cookies
      .remove(gone.origin, gone.cookie)
      .catch((error: unknown) => log.add(`Its cookie stays: ${String(error)}\n`));
  };

  const welcome = async (next: CoreReady): Promise<void> => {
    ready = next;
    mustExist = true;
    await session.defaultSession.cookies.set({
      url: next.origin,
      name: next.cookie,
      value: next.token,
      httpOnly: true,
      sameSite: "strict",
    });
    if (ready !== next) return;
    const opened = openCoreSocket(
      next,
      (message) => {
        if (message.event === "job") jobs.see(message.data);
      },
      () => {
        const known = opened.call("jobs.list", { limit: 50 });
        known
          .then((views) => views.forEach((view) => jobs.see(view)))
          .catch((error: Error) => log.add(`${error.message}\n`));
      },
    );
    socket = opened;
    // The page of a core that came back on the same port finds it by itself, and keeps what it shows.
    if (shownOrigin !== next.origin) await load();
  };

  const load = async (): Promise<void> => {
    if (ready === null) return;
    clearTimeout(waiting);
    shownOrigin = ready.origin;
    await loadAddress(`${ready.origin}/`);
  };

  const loadAddress = async (url: string): Promise<void> => {
    try {
      await window?.loadURL(url);
    } catch (error) {
      log.add(`The page did not load: ${String(error)}\n`);
    }
  };

  /** Says in the window that what runs is being stopped: storing a training can take a minute. */
  const showStopping = (): void => {
    window?.setTitle("Dinoscope: saving and stopping …");
    window?.setProgressBar(2);
  };

  const mourn = async (failure: CoreFailure): Promise<void> => {
    clearTimeout(waiting);
    await partFromCore();
    log.add(`${failure.reason}\n`);
    for (;;) {
      const answer = await dialogs.coreFailed(failure, recentLibrary(library).name);
      if (answer === "again") return open(library, mustExist);
      if (answer === "quit") return leave();
      if (answer === "log") shell.showItemInFolder(log.file);
      else if (await chooseLibrary()) return;
    }
  };

  const open = async (folder: string, isKnown: boolean): Promise<void> => {
    library = folder;
    mustExist = isKnown;
    shownOrigin = null;
    await partFromCore();
    settings.update({ recent: withRecent(settings.value.recent, folder) });
    showMenu();
    clearTimeout(waiting);
    waiting = setTimeout(() => void loadAddress(waitingPage(recentLibrary(folder).name)), waitingMs);
    await core.start(folder, { mustExist: isKnown });
  };

  /** Stops what runs so that it can go on later, if the user agrees; false if not. */
  const stopJobs = async (then: "quit" | "switch"): Promise<boolean> => {
    const active = jobs.active();
    if (active.length === 0) return true;
    if (!(await dialogs.confirmLeaving(active.length, then))) return false;
    showStopping();
    const { call } = socket ?? {};
    if (call !== undefined) await Promise.allSettled(active.map(({ job }) => call("jobs.stop", { jobId: job.id })));
    for (const end = Date.now() + stopMs; jobs.active().length > 0 && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 50));
    return true;
  };

  const switchTo = async (folder: string, isKnown: boolean): Promise<boolean> => {
    if (!(await stopJobs("switch"))) return false;
    await open(folder, isKnown);
    return true;
  };

  const chooseLibrary = async (): Promise<boolean> => {
    const folder = await dialogs.chooseFolder("library");
    return folder !== null && (await switchTo(folder, false));
  };

  const leave = async (): Promise<void> => {
    if (leaving) return;
    leaving = true;
    if (!(await stopJobs("quit"))) {
      leaving = false;
      return;
    }
    clearTimeout(waiting);
    await partFromCore();
    showStopping();
    await core.stop();
    settled = true;
    app.quit();
  };

  const showMenu = (): void => {
    const actions = {
      chooseLibrary: () => void chooseLibrary(),
      openLibrary: (folder: string) => void switchTo(folder, true),
      forgetLibraries: () => {
        settings.update({ recent: [library] });
        showMenu();
      },
      showLibrary: () => shell.showItemInFolder(library),
      showLog: () => shell.showItemInFolder(log.file),
      showLicences: () => shell.showItemInFolder(places.licences),
      command: (command: MenuCommand) => window?.webContents.send(commandChannel, command),
      showPage: (url: string) => void (externalPages.includes(url) && shell.openExternal(url)),
    };
    const state = { platform, recent: settings.value.recent, developing: !app.isPackaged, actions };
    Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(state)));
  };

  const showWindow = (): void => {
    if (window !== null) {
      if (window.isMinimized()) window.restore();
      window.show();
      window.focus();
      return;
    }
    const shown = createWindow(electron, { preload: places.preload, devTools: !app.isPackaged, settings });
    window = shown;
    shown.on("close", (event) => {
      // Elsewhere than on macOS the window is the program: closing it asks what quitting asks.
      if (platform === "darwin" || settled) return;
      event.preventDefault();
      void leave();
    });
    shown.on("closed", () => (window = null));
    shown.webContents.on("context-menu", (_event, place) => {
      const items = textMenu(place);
      if (items.length > 0) Menu.buildFromTemplate(items).popup({ window: shown });
    });
    shown.webContents.on("render-process-gone", (_event, { reason }) => {
      if (reason === "clean-exit" || leaving) return;
      void dialogs.pageFailed(reason).then((answer) => (answer === "reload" ? load() : leave()));
    });
    void load();
  };

  const chosen = async (path: Promise<string | null>): Promise<string | null> => {
    const folder = await path;
    if (folder !== null) core.allow(folder);
    return folder;
  };

  answerPage(electron, () => shownOrigin, {
    "choose-folder": (purpose) => chosen(dialogs.chooseFolder(purpose)),
    "choose-file": (purpose) => chosen(dialogs.chooseFile(purpose)),
    dropped: (path) => chosen(Promise.resolve(path)),
    reveal: (path) => dialogs.reveal(path),
    "recent-libraries": () => settings.value.recent.map(recentLibrary),
    "open-recent-library": async (folder) => {
      if (!settings.value.recent.includes(folder)) throw new Error(`${folder} is none of the recent libraries.`);
      await switchTo(folder, true);
    },
    "choose-library": chooseLibrary,
  });

  app.on("second-instance", showWindow);
  app.on("activate", showWindow);
  app.on("window-all-closed", () => {
    if (platform !== "darwin") void leave();
  });
  app.on("before-quit", (event) => {
    if (settled) return;
    event.preventDefault();
    void leave();
  });

  showWindow();
  await open(library, mustExist);
  void lookForUpdate({ app, dialog }, (text) => log.add(text));
}
